"""Says in an operator's words what pydantic found wrong; values are never part of it."""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from relay.config.durations import format_duration

_PLAIN: Final = {
    "missing": "is missing",
    "extra_forbidden": "unknown key",
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "must be a whole number"
    ),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "string_type": "must be text",
    "string_unicode": "must be text",
    "url_type": "must be a URL such as https://host.example.com",
    "path_type": "must be a path",
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), "must be a list"),
    **dict.fromkeys(
        ("dict_type", "mapping_type", "model_type", "model_attributes_type"), "must be a mapping"
    ),
    "none_required": "must be empty",
    "string_pattern_mismatch": "has a form that is not allowed",
}
_LIMITS: Final = {
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "multiple_of": ("multiple_of", "must be a multiple of {}"),
    "string_too_short": ("min_length", "must have at least {} characters"),
    "string_too_long": ("max_length", "must have at most {} characters"),
    "too_short": ("min_length", "must have at least {} entries"),
    "too_long": ("max_length", "must have at most {} entries"),
}
MUST: Final = "must be "
WRONG_SHAPE: Final = frozenset(
    (
        "list_type",
        "tuple_type",
        "set_type",
        "dict_type",
        "mapping_type",
        "model_type",
        "model_attributes_type",
    )
)
"""The errors of a value that is not even of the right kind (text for a list)."""

OURS: Final = frozenset((*_PLAIN, *_LIMITS, "literal_error", "enum", "url_parsing", "url_scheme"))
"""The errors whose message is wholly made here; others may repeat a value."""


def message(kind: str, context: Mapping[str, Any], words: Iterable[str], fallback: str) -> str:
    """What is wrong, beginning with "must be" where it can. `words` are the allowed ones, if known."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind in _LIMITS:
        return _limit(kind, context)
    if kind in ("literal_error", "enum"):
        known = list(words)
        return f"must be {choice(known)}" if known else f"must be {context.get('expected', 'a known word')}"
    if kind == "url_parsing":
        return f"must be a URL such as https://host.example.com ({context.get('error', 'malformed')})"
    if kind == "url_scheme":
        return f"must be a URL that begins with {context.get('expected_schemes', 'another scheme')}"
    if kind in ("value_error", "assertion_error"):
        return str(context.get("error", fallback)) or "is not allowed"
    return fallback.replace("Input should be", "must be").replace("Value should", "must")


def choice(words: Iterable[str]) -> str:
    """`"a"`, or `"a" or "b"`, or `one of "a", "b", "c"`."""
    quoted = [f'"{word}"' for word in words]
    if len(quoted) <= 2:
        return " or ".join(quoted)
    return "one of " + ", ".join(quoted)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is nearly the given one."""
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold()[:80], by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The question whether the nearest known word was meant."""
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near is not None else None


def either(messages: Iterable[str]) -> str:
    """One message out of those of a union's members."""
    told = list(dict.fromkeys(messages))
    first, *rest = [text for text in told if text.startswith(MUST)] or told[:1]
    return ", or ".join([first, *(other.removeprefix(MUST) for other in rest)])


def _limit(kind: str, context: Mapping[str, Any]) -> str:
    name, text = _LIMITS[kind]
    limit = context.get(name)
    if limit == 1 and kind in ("string_too_short", "too_short"):
        return "must not be empty"
    span = _span(limit)
    return text.format(limit if span is None else format_duration(span))


def _span(limit: Any) -> timedelta | None:
    """Return a limit that is a duration; pydantic gives it as the text of a timedelta."""
    if isinstance(limit, timedelta):
        return limit
    if not isinstance(limit, str) or not limit.startswith(_SPAN):
        return None
    return timedelta(**{unit: int(number) for unit, number in _PART.findall(limit)})


_SPAN = "datetime.timedelta("
_PART = re.compile(r"(days|seconds|microseconds)=(\d+)")
