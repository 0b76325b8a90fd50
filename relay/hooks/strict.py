"""JSON from outside: exactly what RFC 8259 allows, and not deeper than anything sane."""

import json
from datetime import datetime
from typing import Any, Final, NoReturn

from relay.model.urls import link_or_none
from relay.msr import parse
from relay.msr.text import one_line

_DEPTH: Final = 32
_URL: Final = 2000
_YEARS: Final = range(2000, 2200)
"""Before and after that, a time stands for none: Go writes the year 1 for a time that is not set."""


class UnreadableError(ValueError):
    """What was posted cannot be understood; the text says why, in words for an operator."""


def document(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises UnreadableError."""
    try:
        found = json.loads(body.decode(), parse_constant=_refuse, parse_float=_finite)
    except RecursionError:
        raise UnreadableError(f"it is no JSON, or nested more than {_DEPTH} deep") from None
    except ValueError as error:
        raise UnreadableError(f"it is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise UnreadableError("it is no JSON object")
    if _too_deep(found):
        raise UnreadableError(f"it is nested more than {_DEPTH} deep")
    return found


def text(value: object, limit: int = 500) -> str | None:
    """Return a text on one line, cut; None for what is none, or empty."""
    return (one_line(value, limit) or None) if isinstance(value, str) else None


def count(value: object) -> int | None:
    """Return a number of things, None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**31 else None


def moment(value: object) -> datetime | None:
    """Return an RFC 3339 time in UTC; None for what is none, or is not meant."""
    try:
        found = parse.time(value)
    except ValueError:
        return None
    return found if found.year in _YEARS else None


def address(value: object) -> str | None:
    """Return a URL that people may be given as a link, None for what is none."""
    found = link_or_none(value)
    return found if found is not None and len(found) <= _URL else None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it has {constant}")


def _finite(number: str) -> float:
    found = float(number)
    if found in (float("inf"), float("-inf")):
        raise ValueError("a number in it is out of range")
    return found


def _too_deep(found: object) -> bool:
    level = [found]
    for _ in range(_DEPTH):
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        if not below:
            return False
        level = below
    return True
