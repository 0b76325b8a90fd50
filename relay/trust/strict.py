"""JSON from a server that may be hostile: bounded, unambiguous, and with numbers as notary reads them.

notary decodes what it verifies with Go's library: every number becomes a 64-bit float, and one that is no
whole number cannot be signed (notary, vendor/github.com/docker/go/canonical/json). What Go would let pass and
two readers could understand differently is refused here: a name that comes twice, bytes that are not UTF-8.
"""

import json
import math
from collections.abc import Iterable
from typing import Any, Final

MOST_VALUES: Final = 400_000
"""JSON values in a file: what bounds the memory that it takes. Targets of 8 MiB have 200,000."""
DEEPEST: Final = 32
"""Levels of nesting. notary's own metadata has 6; the rest is for the ``custom`` data of a target."""
LARGEST: Final = 2**53
"""Up to here all whole numbers are the same in 64-bit floats."""


def parse(raw: bytes) -> object:
    """Return the document in a file. Raises ValueError."""
    # Before anything is made of it: every value has one of these before it.
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES} values")
    try:
        found: object = json.loads(
            raw.decode(),
            parse_constant=_constant,
            parse_float=_number,
            parse_int=_number,
            object_pairs_hook=_object,
        )
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    _not_deep(found)
    return found


_TOO_DEEP = f"it has more than {DEEPEST} levels"


def _not_deep(document: object) -> None:
    level = [document]
    for _ in range(DEEPEST + 1):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice in an object")
    return found


def _number(text: str) -> int:
    value = float(text) if len(text) <= 400 else math.inf
    if not value.is_integer() or abs(value) >= 2**63:
        raise ValueError("a number that is not whole, or too large")
    return int(value)


def _constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
