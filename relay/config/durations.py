"""Types for settings that carry a unit: durations (`30s`, `1h30m`) and sizes (`20kB`, `1MiB`).

A bare number is refused, because everybody reads another unit into it.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LONGEST: Final = timedelta(days=3650)
LARGEST: Final = 2**40

_DURATION: Final = r"^(?=[0-9])([0-9]{1,12}d)?([0-9]{1,12}h)?([0-9]{1,12}m)?([0-9]{1,12}s)?([0-9]{1,12}ms)?$"
_SIZE: Final = r"^[0-9]{1,15}(B|kB|KB|MB|GB|KiB|MiB|GiB)$"
_MILLISECONDS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_BYTES: Final = {
    "GiB": 2**30,
    "GB": 10**9,
    "MiB": 2**20,
    "MB": 10**6,
    "KiB": 2**10,
    "kB": 1000,
    "KB": 1000,
    "B": 1,
}
_BARE: Final = re.compile(r"[-+]?[0-9]{1,12}(\.[0-9]{1,12})?")


def parse_duration(value: object) -> timedelta:
    """A duration from `30s`, `5m`, `2h`, `1d`, `500ms` or parts in falling order, `1h30m`.

    Raises PydanticCustomError (a ValueError): for a bare number, a sign, a fraction, more than ten years.
    """
    if isinstance(value, timedelta):
        return value
    text = _text(value, "duration", "write a unit, such as 30s, 5m, 2h or 1d")
    if not re.fullmatch(_DURATION, text):
        raise _error("duration", "must be a duration such as 500ms, 30s, 5m, 2h, 1d or 1h30m")
    parts = re.findall("([0-9]+)([a-z]+)", text)
    total = sum(int(number) * _MILLISECONDS[unit] for number, unit in parts)
    if total > LONGEST // timedelta(milliseconds=1):
        raise _error("duration", f"must be at most {LONGEST.days}d")
    return timedelta(milliseconds=total)


def format_duration(value: timedelta) -> str:
    """A duration as it is written in the configuration: `1h30m`, `0s`. Less than a millisecond is cut off."""
    rest = value // timedelta(milliseconds=1)
    text = "-" if rest < 0 else ""
    rest = abs(rest)
    for unit, size in _MILLISECONDS.items():
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def at_least(least: timedelta) -> AfterValidator:
    """The annotation of a duration that must not be shorter; pydantic's own `ge` would show Python's form."""

    def check(value: timedelta) -> timedelta:
        if value < least:
            raise _error("duration", f"must be at least {format_duration(least)}")
        return value

    return AfterValidator(check)


def at_most(most: timedelta) -> AfterValidator:
    """The annotation of a duration that must not be longer."""

    def check(value: timedelta) -> timedelta:
        if value > most:
            raise _error("duration", f"must be at most {format_duration(most)}")
        return value

    return AfterValidator(check)


def off_is_none(value: object) -> object:
    """Let `off` stand for nothing, for a validator that runs before that of the value itself."""
    return None if isinstance(value, str) and value.strip().lower() == "off" else value


def off_or_mapping(example: str) -> Callable[[object], object]:
    """The same for a mapping that can be turned off; `example` is such a mapping, for the error."""

    def check(value: object) -> object:
        found = off_is_none(value)
        if isinstance(found, str):
            raise ValueError(f"must be off, or a mapping such as {example}")
        return found

    return check


def parse_size(value: object) -> int:
    """A number of bytes from `512B`, `20kB` (1000), `1KiB` (1024), `1MB`, `1MiB`, `1GB` or `1GiB`.

    Raises PydanticCustomError (a ValueError), also for a bare number; a field's default is an `int`, because
    pydantic does not check defaults.
    """
    text = _text(value, "size", "write a unit, such as 512B, 20kB or 1MiB")
    if not re.fullmatch(_SIZE, text):
        raise _error("size", "must be a size such as 512B, 20kB or 1MiB")
    unit = text.lstrip("0123456789")
    total = int(text.removesuffix(unit)) * _BYTES[unit]
    if total > LARGEST:
        raise _error("size", f"must be at most {format_size(LARGEST)}")
    return total


def format_size(value: int) -> str:
    """A number of bytes in the largest unit that holds it without a fraction: `20kB`, `1MiB`."""
    unit = (
        next(unit for unit, size in _BYTES.items() if value >= size and value % size == 0) if value else "B"
    )
    return f"{value // _BYTES[unit]}{unit}"


def _text(value: object, kind: str, hint: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _error(kind, f"must be a {kind} with its unit", hint)
    if not isinstance(value, str):
        raise _error(kind, f"must be a {kind}", hint)
    text = value.strip()
    if _BARE.fullmatch(text):
        raise _error(kind, f"must be a {kind} with its unit", hint)
    return text


def _error(kind: str, message: str, hint: str = "") -> PydanticCustomError:
    # pydantic reads braces as fields; ours hold none.
    return PydanticCustomError(f"{kind}_error", message, {"hint": hint} if hint else {})


class _Unit:
    """How pydantic reads, writes and describes a value with a unit."""

    def __init__(
        self,
        inner: CoreSchema,
        parse: Callable[[object], Any],
        write: Callable[[Any], str],
        schema: dict[str, Any],
    ) -> None:
        self._inner, self._parse, self._write, self._schema = inner, parse, write, schema

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            self._parse,
            self._inner,
            serialization=core_schema.plain_serializer_function_ser_schema(self._write, when_used="json"),
        )

    def __get_pydantic_json_schema__(
        self, _core: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(self._schema)


Duration = Annotated[
    timedelta,
    _Unit(
        core_schema.timedelta_schema(),
        parse_duration,
        format_duration,
        {
            "type": "string",
            "pattern": _DURATION,
            "description": "A duration: 500ms, 30s, 5m, 2h, 1d, 1h30m",
            "examples": ["30s", "5m", "1h30m"],
        },
    ),
]
"""A setting that is a `timedelta`, written as `30s`, `5m`, `1h30m`; 0s to ten years."""

Size = Annotated[
    int,
    _Unit(
        core_schema.int_schema(),
        parse_size,
        format_size,
        {
            "type": "string",
            "pattern": _SIZE,
            "description": "A size: 512B, 20kB (1000), 1KiB (1024), 1MB, 1MiB, 1GB, 1GiB",
            "examples": ["20kB", "1MiB"],
        },
    ),
]
"""A setting that is a number of bytes, written as `20kB`, `1MiB`; at most 1 TiB; defaults are numbers."""
