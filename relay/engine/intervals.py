"""Time intervals as users write them, and which rules are muted when. Pure: the time is handed in.

The wall clock of the interval's zone decides, minute by minute. So where clocks are put forward from 02:00 to
03:00, 02:00-03:00 is empty on that day; where they are put back from 03:00 to 02:00 it lasts two hours, for
that wall time comes twice; and 22:00-06:00 lasts seven or nine hours in those nights.
"""

import calendar
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from relay.engine.rules import Rule

_MINUTE: Final = timedelta(minutes=1)
_DAY: Final = 24 * 60
_STRIDE: Final = 12 * 60
"""How many minutes are passed over at once: fewer than from one change of a zone's clocks to the next."""

_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_TIME: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])|24:00")
_FROM_TO: Final = re.compile(r"([0-9:]+)\s*-\s*([0-9:]+)")


def check_zone(name: str) -> str:
    """Return the name of an IANA time zone, or raise ValueError."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = get_close_matches(name[:80], available_timezones(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"must be an IANA time zone, such as Europe/Berlin{hint}") from None
    return name


def _ends(text: str) -> tuple[str, str]:
    """Return both ends of ``first:last``; one value is a range from itself to itself."""
    first, colon, last = text.partition(":")
    return first.strip(), (last if colon else first).strip()


def _position(text: str, names: Sequence[str]) -> int:
    """Return the index of a name that may be cut off behind its third letter. Raises ValueError."""
    found = [at for at, name in enumerate(names) if len(text) >= 3 and name.startswith(text.lower())]
    if not found:
        raise ValueError
    return found[0]


def _round(first: int, last: int, length: int) -> frozenset[int]:
    """Return the positions from the first to the last, beginning anew behind the end."""
    return frozenset((first + step) % length for step in range((last - first) % length + 1))


def _weekdays(text: str) -> frozenset[int]:
    try:
        first, last = (_position(end, _WEEKDAYS) for end in _ends(text))
    except ValueError:
        raise ValueError("must be a weekday or a range, such as sat or monday:friday") from None
    return _round(first, last, 7)


def _months(text: str) -> frozenset[int]:
    try:
        first, last = (_month(end) for end in _ends(text))
    except ValueError:
        raise ValueError("must be a month or a range, such as december, 12 or nov:feb") from None
    return frozenset(at + 1 for at in _round(first, last, 12))


def _month(text: str) -> int:
    if re.fullmatch(r"0?[1-9]|1[0-2]", text):
        return int(text) - 1
    return _position(text, _MONTHS)


def _years(text: str) -> range:
    first, last = _ends(text)
    if not all(re.fullmatch("[0-9]{4}", end) for end in (first, last)):
        raise ValueError("must be a year or a range, such as 2026 or 2026:2027")
    if first > last:
        raise ValueError("ends before it begins")
    return range(int(first), int(last) + 1)


def _days(text: str) -> tuple[int, int]:
    first, last = _ends(text)
    if not all(re.fullmatch(r"-?0?([1-9]|[12][0-9]|3[01])", end) for end in (first, last)):
        raise ValueError("must be a day such as 15, or -1 for the last, or a range such as 1:7 or -3:-1")
    days = int(first), int(last)
    if days[0] < 0 < days[1]:
        raise ValueError("begins at a day counted from the end, so it must end at one: -3:-1")
    if _from_first(days[0], 31) > _from_first(days[1], 31):
        raise ValueError("ends before it begins")
    return days


def _from_first(day: int, length: int) -> int:
    """Return a day of a month of that length, counted from its first; what was before that is below 1."""
    return day if day > 0 else length + 1 + day


def _minutes(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)


def _checked(read: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str | int) else value


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_time(value: object) -> object:
    # A bare 17:30 is text to our reader of YAML, but the number 1050 to one of YAML 1.1.
    if not isinstance(value, str) or not _TIME.fullmatch(value.strip()):
        raise ValueError("must be a time of day, such as 09:00 or 17:30")
    return value.strip()


_Time = Annotated[str, BeforeValidator(_check_time)]
_AtLeastOne = Field(min_length=1)
_Several = BeforeValidator(_as_list, json_schema_input_type=str | Annotated[list[str], _AtLeastOne])
_SeveralNumbers = BeforeValidator(
    _as_list, json_schema_input_type=str | int | Annotated[list[str | int], _AtLeastOne]
)
_Number = BeforeValidator(_as_text)

Weekdays = Annotated[list[Annotated[str, _checked(_weekdays)]], _AtLeastOne, _Several]
"""Names of weekdays, and ranges of them."""
DaysOfMonth = Annotated[list[Annotated[str, _checked(_days), _Number]], _AtLeastOne, _SeveralNumbers]
"""Days of the month, and ranges of them; below zero from its end."""
Months = Annotated[list[Annotated[str, _checked(_months), _Number]], _AtLeastOne, _SeveralNumbers]
"""Names or numbers of months, and ranges of them."""
Years = Annotated[list[Annotated[str, _checked(_years), _Number]], _AtLeastOne, _SeveralNumbers]
"""Years, and ranges of them."""
Zone = Annotated[str, AfterValidator(check_zone)]
"""The name of an IANA time zone."""


class TimeRange(BaseModel):
    """From one time of day to another, which is no longer part of it. May also be written 09:00-17:30."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    begin: _Time = Field(alias="from", description="the first minute: 09:00")
    end: _Time = Field(
        alias="to",
        description="where it ends: 17:30, at most 24:00; if before the beginning, then on the next day",
    )

    @model_validator(mode="after")
    def _check(self) -> "TimeRange":
        if self.start == _DAY:
            raise ValueError("must begin before 24:00; the beginning of a day is 00:00")
        if self.start == self.stop:
            raise ValueError("is empty: it ends where it begins; the whole day is 00:00-24:00")
        return self

    @cached_property
    def start(self) -> int:
        """The first minute of the day."""
        return _minutes(self.begin)

    @cached_property
    def stop(self) -> int:
        """The first minute of the day that is no longer part of it."""
        return _minutes(self.end)

    def began(self, minute: int) -> int | None:
        """Tell how many days ago the range that holds this minute of the day began; None: none holds it."""
        if self.start < self.stop:
            return 0 if self.start <= minute < self.stop else None
        if minute >= self.start:
            return 0
        return 1 if minute < self.stop else None


def _time_range(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _FROM_TO.fullmatch(value.strip())
    if found is None or not all(map(_TIME.fullmatch, found.groups())):
        raise ValueError("must be a range of times, such as 09:00-17:30")
    return {"from": found[1], "to": found[2]}


_OneTime = Annotated[TimeRange, BeforeValidator(_time_range, json_schema_input_type=TimeRange | str)]
TimesOfDay = Annotated[
    list[_OneTime],
    _AtLeastOne,
    BeforeValidator(_as_list, json_schema_input_type=str | Annotated[list[TimeRange | str], _AtLeastOne]),
]
"""Ranges of times of day."""


class TimeInterval(BaseModel):
    """Minutes of the calendar. Everything that is given must hold; nothing given is always.

    What goes past midnight belongs to the day on which it begins.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    weekdays: Weekdays | None = Field(None, description="sat, monday:friday; a range may go past sunday")
    times: TimesOfDay | None = Field(None, description="09:00-17:30; 22:00-06:00 goes past midnight")
    days_of_month: DaysOfMonth | None = Field(
        None, description="15, 1:7; -1 is the last day, -3:-1 the last three"
    )
    months: Months | None = Field(None, description="december, 12, nov:feb; a range may go past december")
    years: Years | None = Field(None, description="2026, 2026:2027")
    zone: Zone = Field("UTC", description="the IANA time zone whose wall clock counts: Europe/Berlin")

    def contains(self, at: datetime) -> bool:
        """Tell whether the minute of ``at`` is part of the interval. Raises ValueError for a naive time."""
        wall = _whole(at).astimezone(self._zone)
        today, minute = wall.date(), wall.hour * 60 + wall.minute
        if self.times is None:
            return self._holds(today)
        begun = {each.began(minute) for each in self.times}
        return any(ago is not None and self._holds(today - timedelta(days=ago)) for ago in begun)

    def steady_until(self, at: datetime) -> datetime:
        """Return a later minute; from ``at``, a whole minute in UTC, ``contains`` is the same until then."""
        wall = at.astimezone(self._zone)
        minute = wall.hour * 60 + wall.minute
        ahead = min(edge - minute for edge in self._edges if edge > minute)
        later = at + min(ahead, _STRIDE) * _MINUTE
        if later.astimezone(self._zone).utcoffset() == wall.utcoffset():
            return later
        # The clocks change on the way: minute by minute until they have.
        return at + _MINUTE

    def _holds(self, day: date) -> bool:
        """Tell whether what begins on that day belongs to the interval."""
        if self._on_weekdays is not None and day.weekday() not in self._on_weekdays:
            return False
        if self._in_months is not None and day.month not in self._in_months:
            return False
        if self.years is not None and not any(day.year in years for years in self._in_years):
            return False
        if self.days_of_month is None:
            return True
        length = calendar.monthrange(day.year, day.month)[1]
        days = ((_from_first(first, length), _from_first(last, length)) for first, last in self._on_days)
        return any(first <= day.day <= last for first, last in days)

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @cached_property
    def _edges(self) -> tuple[int, ...]:
        """The minutes of a day at which something can begin or end, midnight included."""
        times = self.times or ()
        return (*(each.start for each in times), *(each.stop for each in times), _DAY)

    @cached_property
    def _on_weekdays(self) -> frozenset[int] | None:
        return _union(_weekdays, self.weekdays)

    @cached_property
    def _in_months(self) -> frozenset[int] | None:
        return _union(_months, self.months)

    @cached_property
    def _in_years(self) -> list[range]:
        return [_years(text) for text in self.years or ()]

    @cached_property
    def _on_days(self) -> list[tuple[int, int]]:
        return [_days(text) for text in self.days_of_month or ()]


Times: TypeAlias = Mapping[str, Sequence[TimeInterval]]
"""The time intervals by name; a name holds when any of its intervals does."""


def contains_any(intervals: Iterable[TimeInterval], at: datetime) -> bool:
    """Tell whether the minute of ``at`` is part of any interval. Raises ValueError for a naive time."""
    return any(interval.contains(at) for interval in intervals)


def next_change(intervals: Sequence[TimeInterval], at: datetime, within: timedelta) -> datetime | None:
    """Return the first whole minute after ``at`` at which ``contains_any`` is not what it is at ``at``.

    In UTC, at most ``within`` ahead; None where nothing changes until then. Raises ValueError for a naive
    time.
    """
    before = contains_any(intervals, at)
    return _first(intervals, lambda minute: contains_any(intervals, minute) != before, at, within)


def muted(rule: Rule, times: Times, at: datetime) -> bool:
    """Tell whether a rule is muted: within any of ``mute_during``, or outside of all of ``active_during``.

    Raises KeyError for an interval that does not exist, which settings never name, and ValueError for a
    naive time.
    """
    if any(contains_any(times[name], at) for name in rule.mute_during):
        return True
    active = rule.active_during
    return bool(active) and not any(contains_any(times[name], at) for name in active)


def muted_until(rule: Rule, times: Times, at: datetime, within: timedelta) -> datetime:
    """Return the first whole minute after ``at`` at which a rule is not muted, at most ``at + within``.

    In UTC. Where the rule is still muted then, it is so all the time. Raises as ``muted`` does.
    """
    named = [interval for name in (*rule.mute_during, *rule.active_during) for interval in times[name]]
    found = _first(named, lambda minute: not muted(rule, times, minute), at, within)
    return found or (at + within).astimezone(UTC)


def _first(
    intervals: Sequence[TimeInterval], wanted: Callable[[datetime], bool], at: datetime, within: timedelta
) -> datetime | None:
    """Return the first whole minute after ``at`` that is wanted, where nothing but the intervals decides."""
    minute, last = _whole(at) + _MINUTE, at + within
    while minute <= last:
        if wanted(minute):
            return minute
        minute = min((each.steady_until(minute) for each in intervals), default=last + _MINUTE)
    return None


def _whole(at: datetime) -> datetime:
    """Return the minute in UTC that holds ``at``."""
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def _union(read: Callable[[str], frozenset[int]], texts: Sequence[str] | None) -> frozenset[int] | None:
    return None if texts is None else frozenset[int]().union(*map(read, texts))
