"""Time intervals: to the minute, where clocks change, months end and midnights pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.engine.intervals import TimeInterval, contains_any, muted, muted_until, next_change
from relay.engine.rules import Rule

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def interval(**fields: Any) -> TimeInterval:
    return TimeInterval.model_validate(fields)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def spans(found: TimeInterval, begin: str, end: str) -> list[tuple[str, str]]:
    """The stretches of UTC minutes that belong to an interval, asked minute by minute."""
    at, last = utc(begin), utc(end)
    told: list[tuple[str, str]] = []
    opened: datetime | None = None
    while at <= last:
        inside = at < last and found.contains(at)
        if inside and opened is None:
            opened = at
        if not inside and opened is not None:
            told.append((f"{opened:%d %H:%M}", f"{at:%d %H:%M}"))
            opened = None
        at += MINUTE
    return told


@pytest.mark.parametrize(
    ("zone", "times", "begin", "end", "expected"),
    [
        # Berlin, 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
        ("Europe/Berlin", "02:00-03:00", "2026-03-28T12:00", "2026-03-29T12:00", []),
        ("Europe/Berlin", "02:30-03:30", "2026-03-28T12:00", "2026-03-29T12:00", [("29 01:00", "29 01:30")]),
        ("Europe/Berlin", "01:30-02:30", "2026-03-28T12:00", "2026-03-29T12:00", [("29 00:30", "29 01:00")]),
        ("Europe/Berlin", "22:00-06:00", "2026-03-28T12:00", "2026-03-29T12:00", [("28 21:00", "29 04:00")]),
        # Berlin, 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
        ("Europe/Berlin", "02:00-03:00", "2026-10-24T12:00", "2026-10-25T12:00", [("25 00:00", "25 02:00")]),
        (
            "Europe/Berlin",
            "02:30-02:45",
            "2026-10-24T12:00",
            "2026-10-25T12:00",
            [("25 00:30", "25 00:45"), ("25 01:30", "25 01:45")],
        ),
        ("Europe/Berlin", "22:00-06:00", "2026-10-24T12:00", "2026-10-25T12:00", [("24 20:00", "25 05:00")]),
        # New York, 8 March and 1 November 2026, at 07:00 and 06:00 UTC.
        ("America/New_York", "02:00-03:00", "2026-03-08T00:00", "2026-03-08T23:00", []),
        (
            "America/New_York",
            "09:00-17:00",
            "2026-03-07T06:00",
            "2026-03-08T06:00",
            [("07 14:00", "07 22:00")],
        ),
        (
            "America/New_York",
            "09:00-17:00",
            "2026-03-08T06:00",
            "2026-03-09T05:00",
            [("08 13:00", "08 21:00")],
        ),
        (
            "America/New_York",
            "01:30-02:00",
            "2026-11-01T00:00",
            "2026-11-01T23:00",
            [("01 05:30", "01 06:00"), ("01 06:30", "01 07:00")],
        ),
        # Kolkata: five and a half hours ahead, all year round.
        ("Asia/Kolkata", "09:00-17:30", "2026-06-01T00:00", "2026-06-02T00:00", [("01 03:30", "01 12:00")]),
        # Lord Howe, half an hour only: 4 October 2026 02:00 becomes 02:30, 5 April 2026 02:00 becomes 01:30.
        ("Australia/Lord_Howe", "02:00-02:30", "2026-10-03T06:00", "2026-10-04T06:00", []),
        (
            "Australia/Lord_Howe",
            "01:45-02:45",
            "2026-10-03T06:00",
            "2026-10-04T06:00",
            [("03 15:15", "03 15:45")],
        ),
        (
            "Australia/Lord_Howe",
            "01:30-02:00",
            "2026-04-04T06:00",
            "2026-04-05T06:00",
            [("04 14:30", "04 15:30")],
        ),
        # Havana puts its clocks back at midnight's end: from 01:00 to 00:00, 1 November 2026, 05:00 UTC.
        ("America/Havana", "00:00-01:00", "2026-10-31T12:00", "2026-11-01T12:00", [("01 04:00", "01 06:00")]),
    ],
)
def test_the_wall_clock_decides_where_clocks_change(
    zone: str, times: str, begin: str, end: str, expected: list[tuple[str, str]]
) -> None:
    assert spans(interval(zone=zone, times=times), begin, end) == expected


def test_what_goes_past_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday = interval(weekdays="fri", times=["22:00-06:00"])
    # 27 November 2026 is a Friday.
    assert spans(friday, "2026-11-23T00:00", "2026-11-30T00:00") == [("27 22:00", "28 06:00")]
    last = interval(days_of_month=-1, months="dec", years=2026, times="23:00-01:00")
    assert spans(last, "2026-12-30T00:00", "2027-01-02T00:00") == [("31 23:00", "01 01:00")]
    assert spans(last, "2027-12-30T00:00", "2028-01-02T00:00") == []


def test_to_midnight_is_24_00_or_00_00() -> None:
    for end in ("24:00", "00:00"):
        evening = interval(times=[{"from": "22:00", "to": end}], weekdays="sunday")
        assert spans(evening, "2026-11-28T00:00", "2026-12-01T00:00") == [("29 22:00", "30 00:00")]
    whole = interval(times="00:00-24:00", weekdays=["sat", "sun"])
    assert spans(whole, "2026-11-26T00:00", "2026-12-02T00:00") == [("28 00:00", "30 00:00")]


def test_seconds_count_for_their_minute() -> None:
    nine = interval(times="09:00-09:01")
    assert nine.contains(utc("2026-11-24T09:00:59.999999"))
    assert not nine.contains(utc("2026-11-24T08:59:59.999999"))
    assert not nine.contains(utc("2026-11-24T09:01:00"))


def test_any_zone_may_ask_but_none_must_not() -> None:
    assert interval(times="09:00-10:00").contains(
        datetime(2026, 7, 1, 11, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    )
    with pytest.raises(ValueError, match="without its zone"):
        interval().contains(datetime(2026, 7, 1))  # noqa: DTZ001


def days(found: TimeInterval, year: int) -> list[str]:
    """The days of a year, in UTC, whose noon belongs to an interval."""
    first = datetime(year, 1, 1, 12, tzinfo=UTC)
    every = (first + at * DAY for at in range(366))
    return [f"{day:%m-%d}" for day in every if day.year == year and found.contains(day)]


@pytest.mark.parametrize(
    ("fields", "year", "expected"),
    [
        ({"days_of_month": -1, "months": "feb"}, 2027, ["02-28"]),
        ({"days_of_month": -1, "months": "feb"}, 2028, ["02-29"]),
        ({"days_of_month": 29, "months": 2}, 2027, []),
        ({"days_of_month": "29", "months": 2}, 2028, ["02-29"]),
        ({"days_of_month": "-3:-1", "months": "feb"}, 2028, ["02-27", "02-28", "02-29"]),
        ({"days_of_month": "28:-1", "months": "february"}, 2028, ["02-28", "02-29"]),
        ({"days_of_month": "30:-1", "months": "feb:apr"}, 2026, ["03-30", "03-31", "04-30"]),
        (
            {"days_of_month": "-31:-30", "months": "jan:apr"},
            2026,
            ["01-01", "01-02", "03-01", "03-02", "04-01"],
        ),
        ({"days_of_month": ["1", "-1"], "months": ["dec:jan"]}, 2026, ["01-01", "01-31", "12-01", "12-31"]),
        ({"days_of_month": "1:7", "weekdays": "mon", "months": "11"}, 2026, ["11-02"]),
        ({"days_of_month": 31, "months": 12, "years": "2026:2027"}, 2027, ["12-31"]),
        ({"days_of_month": 31, "months": 12, "years": "2026:2027"}, 2028, []),
        ({"days_of_month": 1, "months": [1, 12], "years": [2024, "2028"]}, 2028, ["01-01", "12-01"]),
        (
            {"weekdays": "Fri:MON", "days_of_month": "1:7", "months": "Sept"},
            2026,
            ["09-04", "09-05", "09-06", "09-07"],
        ),
    ],
)
def test_days(fields: dict[str, Any], year: int, expected: list[str]) -> None:
    assert days(interval(**fields), year) == expected


def test_years_end_where_the_zone_says() -> None:
    sydney = interval(years=2027, zone="Australia/Sydney")
    assert not sydney.contains(utc("2026-12-31T12:59"))
    assert sydney.contains(utc("2026-12-31T13:00"))
    assert sydney.contains(utc("2027-12-31T12:59"))
    assert not sydney.contains(utc("2027-12-31T13:00"))


def test_nothing_given_is_always() -> None:
    assert interval().contains(utc("2026-01-01T00:00"))
    assert next_change([interval()], utc("2026-01-01T00:00"), 366 * DAY) is None
    assert next_change([], utc("2026-01-01T00:00"), 366 * DAY) is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"weekdays": "mo"}, "must be a weekday or a range, such as sat or monday:friday"),
        ({"weekdays": "monday-friday"}, "must be a weekday or a range"),
        ({"weekdays": ["mon", "fri:"]}, "must be a weekday or a range"),
        ({"weekdays": []}, "at least 1 item"),
        ({"times": "9-17"}, "must be a range of times, such as 09:00-17:30"),
        ({"times": ["09:00"]}, "must be a range of times"),
        ({"times": "09:00-24:01"}, "must be a range of times"),
        ({"times": "24:00-06:00"}, "must begin before 24:00"),
        ({"times": "09:00-9:00"}, "is empty: it ends where it begins"),
        # What a reader of YAML 1.1 makes of a bare 09:30 and 17:30.
        ({"times": [{"from": "09:30", "to": 1050}]}, "must be a time of day, such as 09:00 or 17:30"),
        ({"times": 1050}, "Input should be a valid dictionary"),
        ({"times": [{"from": "09:30:00", "to": "10:00"}]}, "must be a time of day"),
        ({"days_of_month": 0}, "must be a day such as 15, or -1 for the last"),
        ({"days_of_month": "32"}, "must be a day such as 15"),
        ({"days_of_month": "-1:-3"}, "ends before it begins"),
        ({"days_of_month": "30:-30"}, "ends before it begins"),
        ({"days_of_month": "-1:7"}, "begins at a day counted from the end, so it must end at one"),
        ({"days_of_month": True}, "valid string"),
        ({"months": "13"}, "must be a month or a range, such as december, 12 or nov:feb"),
        ({"months": "0:3"}, "must be a month or a range"),
        ({"months": "ju"}, "must be a month or a range"),
        ({"years": "26"}, "must be a year or a range, such as 2026 or 2026:2027"),
        ({"years": "2027:2026"}, "ends before it begins"),
        (
            {"zone": "Europe/Berln"},
            r"must be an IANA time zone, such as Europe/Berlin; did you mean Europe/Berlin\?",
        ),
        ({"zone": "../../etc/passwd"}, "must be an IANA time zone"),
        ({"day": "mon"}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_no_interval(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        interval(**fields)


def test_the_next_change_is_to_the_minute() -> None:
    office = interval(weekdays="mon:fri", times="09:00-17:30", zone="Europe/Berlin")
    # 27 November 2026 is a Friday; Berlin is one hour ahead.
    assert next_change([office], utc("2026-11-27T07:59:59"), DAY) == utc("2026-11-27T08:00")
    assert next_change([office], utc("2026-11-27T08:00"), DAY) == utc("2026-11-27T16:30")
    assert next_change([office], utc("2026-11-27T16:30"), 7 * DAY) == utc("2026-11-30T08:00")
    assert next_change([office], utc("2026-11-27T16:30"), 2 * DAY) is None
    # The last minute that is looked at counts.
    assert next_change([office], utc("2026-11-27T08:00"), 8 * HOUR + 30 * MINUTE) == utc("2026-11-27T16:30")
    assert next_change([office], utc("2026-11-27T08:00"), 8 * HOUR + 29 * MINUTE) is None
    assert next_change([office], utc("2026-11-27T08:00:30"), 8 * HOUR + 29 * MINUTE) is None


def test_intervals_that_meet_are_one() -> None:
    together = [interval(times="08:00-12:00"), interval(times="12:00-13:00"), interval(times="12:30-14:00")]
    assert next_change(together, utc("2026-11-24T08:00"), DAY) == utc("2026-11-24T14:00")


def test_a_change_of_the_clocks_is_a_change() -> None:
    at = utc("2026-03-29T00:45")
    assert next_change([interval(times="01:30-02:30", zone="Europe/Berlin")], at, DAY) == utc(
        "2026-03-29T01:00"
    )
    assert next_change([interval(times="02:30-03:30", zone="Europe/Berlin")], at, DAY) == utc(
        "2026-03-29T01:00"
    )


def rule(**fields: Any) -> Rule:
    return Rule.model_validate({"name": "r", "channels": ["ops"], **fields})


TIMES = {
    "office": [interval(times="09:00-17:00")],
    "lunch": [interval(times="12:00-13:00")],
    "ends": [interval(times="00:00-02:00"), interval(times="23:00-24:00")],
    "over": [interval(years=2020)],
    "always": [interval()],
}


@pytest.mark.parametrize(
    ("fields", "at", "until"),
    [
        ({"mute_during": "lunch"}, "11:59", None),
        ({"mute_during": "lunch"}, "12:00", "24T13:00"),
        ({"mute_during": ["lunch", "ends"]}, "23:30", "25T02:00"),
        ({"active_during": "office"}, "08:59", "24T09:00"),
        ({"active_during": "office"}, "16:59", None),
        ({"active_during": "office"}, "17:00", "25T09:00"),
        ({"active_during": ["office", "ends"]}, "17:00", "24T23:00"),
        ({"active_during": "office", "mute_during": "lunch"}, "12:59", "24T13:00"),
        ({"active_during": "lunch", "mute_during": "office"}, "12:30", "26T00:00"),
        ({"active_during": "over"}, "12:30", "26T00:00"),
        ({"mute_during": "always"}, "12:30", "26T00:00"),
        ({}, "12:30", None),
    ],
)
def test_muted(fields: dict[str, Any], at: str, until: str | None) -> None:
    """The search ends with 25 November; None: not muted."""
    now, end = utc(f"2026-11-24T{at}"), utc("2026-11-26T00:00")
    asked = rule(**fields)
    assert muted(asked, TIMES, now) == (until is not None)
    if until is not None:
        assert muted_until(asked, TIMES, now, end - now) == utc(f"2026-11-{until}")


def test_who_is_not_muted_may_be_so_at_the_next_minute() -> None:
    quiet = rule(mute_during="lunch")
    assert muted_until(quiet, TIMES, utc("2026-11-24T11:58:30"), DAY) == utc("2026-11-24T11:59")
    assert muted_until(quiet, TIMES, utc("2026-11-24T11:59:30"), DAY) == utc("2026-11-24T13:00")
    assert muted_until(rule(), TIMES, utc("2026-11-24T11:59:30"), DAY) == utc("2026-11-24T12:00")


def test_muted_to_the_end_of_the_search_is_muted_still() -> None:
    now, asked = utc("2026-11-24T12:00:30"), rule(mute_during="always")
    found = muted_until(asked, TIMES, now, HOUR)
    assert found == now + HOUR
    assert muted(asked, TIMES, found)


def test_an_interval_that_does_not_exist() -> None:
    with pytest.raises(KeyError):
        muted(rule(mute_during="nothing"), TIMES, utc("2026-11-24T12:00"))


# --- against brute force -----------------------------------------------------------------------------------

WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NAMES = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
ZONES = [
    *("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana"),
    *("Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns", "Antarctica/Troll"),
]
# A day before something happens: clocks change, months and years end, Apia has no 30 December.
MOMENTS = [
    *("2026-03-28T12:00", "2026-10-24T12:00", "2026-03-07T12:00", "2026-10-31T12:00", "2026-04-04T03:00"),
    *("2026-10-03T03:00", "2011-12-29T00:00", "2028-02-28T12:00", "2026-12-31T00:00", "2026-02-14T12:00"),
]


@dataclass(frozen=True)
class Spec:
    """What an interval is made of: pairs of ends, None for what is not given."""

    weekdays: list[tuple[int, int]] | None
    times: list[tuple[int, int]] | None
    days: list[tuple[int, int]] | None
    months: list[tuple[int, int]] | None
    years: list[tuple[int, int]] | None
    zone: str

    def written(self) -> TimeInterval:
        def clock(minute: int) -> str:
            return f"{minute // 60:02}:{minute % 60:02}"

        fields: dict[str, Any] = {"zone": self.zone}
        if self.weekdays is not None:
            fields["weekdays"] = [f"{WEEKDAYS[first]}:{WEEKDAYS[last]}" for first, last in self.weekdays]
        if self.times is not None:
            fields["times"] = [f"{clock(first)}-{clock(last)}" for first, last in self.times]
        if self.days is not None:
            fields["days_of_month"] = [f"{first}:{last}" for first, last in self.days]
        if self.months is not None:
            fields["months"] = [f"{NAMES[first - 1]}:{last}" for first, last in self.months]
        if self.years is not None:
            fields["years"] = [f"{first}:{last}" for first, last in self.years]
        return interval(**fields)

    def has_day(self, day: date) -> bool:
        """The same by counting: every range is walked through."""
        walked: set[str] = set()
        for first, last in self.weekdays or [(0, 6)]:
            at = first
            while at != last:
                walked.add(WEEKDAYS[at])
                at = at + 1 if at < 6 else 0
            walked.add(WEEKDAYS[last])
        if f"{day:%a}".lower() not in walked:
            return False
        months: set[int] = set()
        for first, last in self.months or [(1, 12)]:
            at = first
            while at != last:
                months.add(at)
                at = at + 1 if at < 12 else 1
            months.add(last)
        if day.month not in months:
            return False
        if self.years is not None and all(day.year < first or day.year > last for first, last in self.years):
            return False
        if self.days is None:
            return True
        begin = day.replace(day=1)
        month = [begin + at * DAY for at in range(31) if (begin + at * DAY).month == day.month]
        both: dict[int, date] = {}
        for at, each in enumerate(month):
            both[at + 1] = both[at - len(month)] = each
        for first, last in self.days:
            low = both.get(first, date.min if first < 0 else date.max)
            high = both.get(last, date.min if last < 0 else date.max)
            if low <= day <= high:
                return True
        return False

    def walls(self, begin: date, end: date) -> set[datetime]:
        """Every minute of the wall clock, between two days, that belongs to it."""
        found: set[datetime] = set()
        day = begin
        while day <= end:
            if self.has_day(day):
                midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001
                for first, last in self.times or [(0, 1440)]:
                    length = last - first if last > first else 1440 - first + last
                    found.update(midnight + (first + at) * MINUTE for at in range(length))
            day += DAY
        return found


def pairs(values: st.SearchStrategy[int], *, rising: bool = False) -> st.SearchStrategy[Any]:
    both = st.tuples(values, values)
    return st.none() | st.lists(both.map(sorted).map(tuple) if rising else both, min_size=1, max_size=2)


quarters = st.integers(0, 95).map(lambda at: at * 15) | st.integers(0, 1439)
times_of_day = st.tuples(quarters, quarters | st.just(1440)).filter(lambda pair: pair[0] != pair[1])
days_of_month = st.one_of(
    st.tuples(st.integers(1, 31), st.integers(1, 31)).map(sorted),
    st.tuples(st.integers(-31, -1), st.integers(-31, -1)).map(sorted),
    st.tuples(st.integers(1, 31), st.integers(-31, -1)).filter(lambda pair: pair[0] <= 32 + pair[1]),
).map(tuple)
specs = st.builds(
    Spec,
    weekdays=pairs(st.integers(0, 6)),
    times=st.none() | st.lists(times_of_day, min_size=1, max_size=3),
    days=st.none() | st.lists(days_of_month, min_size=1, max_size=2),
    months=pairs(st.integers(1, 12)),
    years=pairs(st.sampled_from([2011, 2026, 2027, 2028]), rising=True),
    zone=st.sampled_from(ZONES),
)
moments = st.builds(
    lambda begin, ahead, second: utc(begin) + ahead * MINUTE + timedelta(seconds=second),
    st.sampled_from(MOMENTS),
    st.integers(0, 2 * 1440),
    st.integers(0, 59),
)


def brute(asked: Sequence[Spec], begin: datetime, length: timedelta) -> list[bool]:
    """Whether any of them holds, for every minute that begins after `begin`, and first for that of it."""
    first = begin.replace(second=0)
    minutes = [
        first + at * MINUTE for at in range(length // MINUTE + 2) if first + at * MINUTE <= begin + length
    ]
    told = [False] * len(minutes)
    for spec in asked:
        zone = ZoneInfo(spec.zone)
        held = spec.walls((begin - 3 * DAY).date(), (begin + length + 3 * DAY).date())
        for at, minute in enumerate(minutes):
            if minute.astimezone(zone).replace(tzinfo=None) in held:
                told[at] = True
    return told


@settings(deadline=None, max_examples=150)
@given(st.lists(specs, min_size=1, max_size=2), moments)
def test_like_brute_force(asked: list[Spec], begin: datetime) -> None:
    length = 36 * HOUR
    expected = brute(asked, begin, length)
    built = [spec.written() for spec in asked]
    first = begin.replace(second=0)
    assert [contains_any(built, first + at * MINUTE) for at in range(len(expected))] == expected
    changed = next((at for at, held in enumerate(expected) if held != expected[0]), None)
    assert next_change(built, begin, length) == (None if changed is None else first + changed * MINUTE)


@settings(deadline=None, max_examples=100)
@given(st.none() | specs, st.none() | specs, moments)
def test_muted_like_brute_force(mute: Spec | None, active: Spec | None, begin: datetime) -> None:
    length = 36 * HOUR
    times = {name: [spec.written()] for name, spec in (("mute", mute), ("active", active)) if spec}
    asked = rule(mute_during=["mute"] if mute else [], active_during=["active"] if active else [], match={})
    quiet = brute([mute] if mute else [], begin, length)
    on = brute([active], begin, length) if active else [True] * len(quiet)
    expected = [off or not awake for off, awake in zip(quiet, on, strict=True)]
    first = begin.replace(second=0)
    assert muted(asked, times, begin) == expected[0]
    heard = next((at for at, silent in enumerate(expected) if at and not silent), None)
    until = begin + length if heard is None else first + heard * MINUTE
    assert muted_until(asked, times, begin, length) == until
