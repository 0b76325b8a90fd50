"""Times as users type them."""

from datetime import UTC, datetime, timedelta

import pytest

from relay.cli.moments import MomentError, ending, local, moment, span
from relay.model.errors import Exit

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ZONE = "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", NOW),
        ("2026-11-25T18:00:00Z", datetime(2026, 11, 25, 18, 0, tzinfo=UTC)),
        ("2026-11-25t18:00z", datetime(2026, 11, 25, 18, 0, tzinfo=UTC)),
        ("2026-11-25 18:00", datetime(2026, 11, 25, 17, 0, tzinfo=UTC)),
        ("2026-07-25 18:00:30", datetime(2026, 7, 25, 16, 0, 30, tzinfo=UTC)),
        ("2026-11-25 18:00 -05:00", datetime(2026, 11, 25, 23, 0, tzinfo=UTC)),
        ("2026-11-25", datetime(2026, 11, 24, 23, 0, tzinfo=UTC)),
    ],
)
def test_what_is_meant(text: str, meant: datetime) -> None:
    assert moment(text, "--until", ZONE, NOW) == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("18:00", "write"),
        ("tomorrow", "write"),
        ("", "write"),
        ("2026-13-25 18:00", "no such time"),
        ("2026-02-30", "no such time"),
        ("0001-01-01 00:00", "no such time"),
        ("9999-12-31T23:59-23:00", "no such time"),
        ("2026-03-29 02:30", "the clocks pass over"),
    ],
)
def test_what_is_no_time(text: str, said: str) -> None:
    with pytest.raises(MomentError, match=f"--until: .*{said}") as caught:
        moment(text, "--until", ZONE, NOW)
    assert caught.value.exit is Exit.USAGE


def test_the_end_is_a_time_or_a_length() -> None:
    start = NOW + timedelta(hours=1)
    assert ending("90m", None, start, ZONE, NOW) == NOW + timedelta(hours=2, minutes=30)
    assert ending(None, "2026-11-25 18:00", start, ZONE, NOW) == datetime(2026, 11, 25, 17, 0, tzinfo=UTC)
    assert ending(None, None, start, ZONE, NOW) is None


@pytest.mark.parametrize(
    ("lasting", "until", "start", "said"),
    [
        ("2h", "2026-11-25", NOW, "either"),
        ("2", None, NOW, "--for: .*write a unit"),
        ("soon", None, NOW, "--for: must be a duration"),
        ("0s", None, NOW, "longer than 0s"),
        ("3000d", None, datetime(9999, 1, 1, tzinfo=UTC), "beyond the end"),
    ],
)
def test_what_is_no_end(lasting: str, until: str | None, start: datetime, said: str) -> None:
    with pytest.raises(MomentError, match=said):
        ending(lasting, until, start, ZONE, NOW)


def test_times_are_shown_by_the_wall_clock() -> None:
    assert local(NOW, ZONE) == "2026-11-24 13:00 CET"
    assert [span(timedelta(seconds=each)) for each in (-5, 59, 60, 7200, 172_800)] == [
        *("0s", "59s", "1m", "2h", "2d")
    ]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"])
def test_the_ends_of_the_calendar_can_be_read_everywhere(zone: str) -> None:
    assert local(datetime.max.replace(tzinfo=UTC), zone).startswith("9999-12-")
    assert local(datetime.min.replace(tzinfo=UTC), zone).startswith(("1-01-", "0001-01-"))
