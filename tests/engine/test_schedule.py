"""Schedules: the right times, in their zone, also when its clocks change, and no nonsense."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.engine.schedule import Schedule, check_schedule

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_next_time_is_in_the_zone() -> None:
    assert Schedule("0 8 * * *", BERLIN).after(utc("2026-11-23T06:59:59")) == utc("2026-11-23T07:00:00")
    assert Schedule("0 8 * * *", BERLIN).after(utc("2026-11-23T07:00:00")) == utc("2026-11-24T07:00:00")
    assert Schedule("0 8 * * MON-FRI", "UTC").after(utc("2026-11-27T09:00:00")) == utc("2026-11-30T08:00:00")


def test_of_many_times_only_the_latest() -> None:
    daily = Schedule("0 8 * * *", "UTC")
    last = utc("2026-11-20T08:00:00")
    assert daily.latest(last, utc("2026-11-23T09:00:00")) == utc("2026-11-23T08:00:00")
    assert daily.latest(last, utc("2026-11-23T08:00:00")) == utc("2026-11-23T08:00:00")
    assert daily.latest(last, utc("2026-11-21T07:59:59")) is None
    assert daily.latest(last, last) is None
    yearly, minutely = Schedule("0 0 1 1 *", BERLIN), Schedule("* * * * *", BERLIN)
    assert yearly.latest(utc("2020-01-05T00:00:00"), utc("2026-11-23T09:00:00")) == utc("2025-12-31T23:00:00")
    assert minutely.latest(utc("1990-01-05T00:00:00"), utc("2026-11-23T09:00:30")) == utc(
        "2026-11-23T09:00:00"
    )


@pytest.mark.parametrize(("day", "comes"), [("2026-03-29", "01:00"), ("2026-10-25", "00:30")])
def test_a_time_of_day_comes_once_on_the_days_of_clock_changes(day: str, comes: str) -> None:
    """In Berlin 02:30 is skipped on the one day (and made up for at 03:00), and comes twice on the other."""
    nightly, found = Schedule("30 2 * * *", BERLIN), []
    told, end = utc(f"{day}T00:00:00") - timedelta(hours=6), utc(f"{day}T18:00:00")
    now = told
    while now < end:
        now += timedelta(minutes=7)
        due = nightly.latest(told, now)
        if due is not None:
            found.append(due)
            told = due
    assert found == [utc(f"{day}T{comes}:00")]


@given(
    st.sampled_from(
        ["* * * * *", "*/7 * * * *", "30 2 * * *", "0,30 1-3 * * *", "0 0 1 * *", "15 3 * * SUN"]
    ),
    st.integers(0, 15 * 1440).map(lambda minutes: utc("2026-03-20T00:00:00") + timedelta(minutes=minutes)),
    st.integers(0, 3 * 86_400),
)
def test_the_latest_is_the_last_of_those_that_come(text: str, after: datetime, seconds: int) -> None:
    schedule, now = Schedule(text, BERLIN), after + timedelta(seconds=seconds)
    last, coming = None, schedule.after(after)
    while coming is not None and coming <= now:
        last, coming = coming, schedule.after(coming)
    assert schedule.latest(after, now) == last


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),
        ("@daily", "five fields"),
        ("61 * * * *", "its minute is wrong"),
        ("0 0 30 2 *", "its day-of-month is wrong"),
        ("9" * 150 + " * * * *", "its minute is wrong"),
        ("* * */20 * 1L", "no time that ever comes"),
    ],
)
def test_what_is_no_schedule(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_schedule(text)


@given(st.lists(st.text("0159*/-,#LWSUN²", min_size=1, max_size=6), min_size=5, max_size=5).map(" ".join))
def test_any_text_is_a_schedule_or_a_plain_error(text: str) -> None:
    told = ""
    try:
        check_schedule(text)
    except ValueError as error:
        told = str(error)
    assert told == "" or told.startswith(("must", "names no time"))
