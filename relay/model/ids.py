"""Identifiers: stable ones are hashes of what they identify, so that the same thing seen twice has one id."""

import random
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted

_LENGTH = 32


def stable_id(prefix: str, *parts: str) -> str:
    """Return ``prefix_`` and 32 hexadecimal digits that depend on nothing but the parts.

    The parts are hashed as a JSON list, so that ("ab", "c") and ("a", "bc") differ. No id holds a dot:
    Standard Webhooks joins id, timestamp and body with dots.
    """
    # As json.dumps writes such a list, in a third of the time: a page of a feed takes thousands of these.
    listed = f"[{', '.join(map(_quoted, parts))}]"
    return f"{prefix}_{sha256(listed.encode()).hexdigest()[:_LENGTH]}"


def random_id(prefix: str, source: random.Random) -> str:
    """Return ``prefix_`` and 32 random hexadecimal digits."""
    return f"{prefix}_{source.getrandbits(4 * _LENGTH):0{_LENGTH}x}"
