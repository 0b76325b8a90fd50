"""Identifiers: stable ones are hashes of what they identify, so that the same thing seen twice has one id."""

import hashlib
import json
import random

_LENGTH = 32


def stable_id(prefix: str, *parts: str) -> str:
    """Return ``prefix_`` and 32 hexadecimal digits that depend on nothing but the parts.

    The parts are hashed as a JSON list, so that ("ab", "c") and ("a", "bc") differ. No id holds a dot:
    Standard Webhooks joins id, timestamp and body with dots.
    """
    digest = hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()
    return f"{prefix}_{digest[:_LENGTH]}"


def random_id(prefix: str, source: random.Random) -> str:
    """Return ``prefix_`` and 32 random hexadecimal digits."""
    return f"{prefix}_{source.getrandbits(4 * _LENGTH):0{_LENGTH}x}"
