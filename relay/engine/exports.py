"""Entries of the evidence log as JSON Lines: what leaves the store and can be verified without it. Pure."""

import json
from dataclasses import fields
from typing import Any, Final

from relay.model.evidence import Entry

FIELDS: Final = tuple(field.name for field in fields(Entry))
"""The keys of a line, in the order of what an entry's hash is over; the hash itself is the last."""
LONGEST: Final = 16 * 1024 * 1024
"""Characters that a line may have; the relay's own are a few thousand at most."""


def line(entry: Entry) -> str:
    """Return an entry as one line of JSON in ASCII: its fields as they are, the body as the text it is."""
    # A store that was tampered with may hold bytes; what stands for them then does not fit the hash.
    found = {name: getattr(entry, name) for name in FIELDS}
    return json.dumps(found, separators=(",", ":"), default=repr)


def read_line(text: str) -> Entry:
    """Return the entry of a line. Raises ValueError, which says why it is none."""
    if len(text) > LONGEST:
        raise ValueError(f"it has more than {LONGEST} characters")
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON object with every key once") from None
    if not isinstance(found, dict) or set(found) != set(FIELDS):
        raise ValueError(f"an entry has the keys {', '.join(FIELDS)}")
    if type(found["seq"]) is not int:
        raise ValueError("its seq is no number")
    return Entry(**found)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of a key that comes twice, others might believe the first.
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found
