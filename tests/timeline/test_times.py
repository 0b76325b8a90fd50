"""Rules that are silent at night, recurring silences, and clocks that are changed."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.engine.intervals import TimeInterval
from tests.engine.things import rule
from tests.timeline.play import Scenario, acknowledge, at, by, play, scenario, silence
from tests.timeline.test_told import BAD, BAD_2, FIRING, GOOD, ONLY_2, OVER, deleted

HOUR = 3600.0


def times(**named: dict[str, Any]) -> dict[str, list[TimeInterval]]:
    return {name.replace("_", "-"): [TimeInterval.model_validate(given)] for name, given in named.items()}


OFFICE = times(office={"times": "08:00-18:00", "weekdays": "mon:fri", "zone": "Europe/Berlin"})
# A Monday, 12:00 in Berlin.
MONDAY = datetime(2026, 11, 23, 11, tzinfo=UTC)
EVENING = datetime(2026, 11, 23, 19, tzinfo=UTC)
FRIDAY = datetime(2026, 11, 27, 19, tzinfo=UTC)
# The nights in which Berlin's clocks change: 02:00 becomes 03:00, 03:00 becomes 02:00.
SPRING = datetime(2027, 3, 28, 0, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 25, 0, tzinfo=UTC)
NIGHT = times(night={"times": "02:00-04:00", "zone": "Europe/Berlin"})
MUTED = {"rules": [rule(mute_during="night")], "times": NIGHT}
AT_WORK = {"rules": [rule(active_during="office")], "times": OFFICE}

SCENARIOS = [
    scenario("in office hours it is told at once", at(0, BAD), by(0, a=FIRING), start=MONDAY, **AT_WORK),
    scenario(
        "outside of them what still fires in the morning is told then",
        at(0, BAD_2),
        at(HOUR, ONLY_2),
        by(11 * HOUR + 3599),
        by(12 * HOUR, a="firing ping.failing r2"),
        start=EVENING,
        **AT_WORK,
    ),
    scenario(
        "no one-off event is lost by night: they come in the morning, as one message",
        at(0, deleted("prod/a")),
        at(HOUR, deleted("prod/b")),
        by(11 * HOUR + 3599),
        by(12 * HOUR, a="digest: event trust.deleted prod/a | event trust.deleted prod/b"),
        start=EVENING,
        channels={"a": {"digest_after": "15m"}},
        **AT_WORK,
    ),
    scenario(
        "the end of what was told by day is told in the morning",
        at(0, BAD),
        by(0, a=FIRING),
        at(8 * HOUR, GOOD),
        by(20 * HOUR - 1),
        by(20 * HOUR, a=OVER),
        start=MONDAY,
        **AT_WORK,
    ),
    scenario(
        "from Friday evening to Monday morning",
        at(0, BAD),
        by(59 * HOUR + 3599),
        by(60 * HOUR, a=FIRING),
        start=FRIDAY,
        **AT_WORK,
    ),
    scenario(
        "repeats and escalation respect the hours of their rule",
        at(0, BAD),
        by(0, a=FIRING),
        by(20 * HOUR - 1, a=f"repeat: {FIRING}"),
        by(20 * HOUR, a=f"repeat: {FIRING}"),
        start=MONDAY,
        rules=[rule(active_during="office", repeat="3h")],
        times=OFFICE,
    ),
    scenario(
        "in spring the muted time is an hour shorter",
        at(HOUR, BAD),
        by(2 * HOUR - 1),
        by(2 * HOUR, a=FIRING),
        start=SPRING,
        **MUTED,
    ),
    scenario(
        "in autumn it is an hour longer",
        at(0, BAD),
        by(3 * HOUR - 1),
        by(3 * HOUR, a=FIRING),
        start=AUTUMN,
        **MUTED,
    ),
    scenario(
        "the last day of February in a leap year",
        at(0, BAD),
        by(23 * HOUR + 3599),
        by(24 * HOUR, a=FIRING),
        start=datetime(2028, 2, 29, 0, tzinfo=UTC),
        rules=[rule(mute_during="last-day")],
        times=times(last_day={"days_of_month": "-1"}),
    ),
    scenario(
        "a silence that recurs",
        at(
            0,
            silence(
                {"replica": ["r1"]},
                7 * 24 * HOUR,
                intervals=[{"times": ["02:00-04:00"], "zone": "Europe/Berlin"}],
            ),
        ),
        at(1, BAD),
        by(1, a=FIRING),
        at(6 * HOUR, GOOD),
        by(6 * HOUR, a=OVER),
        at(7 * HOUR, BAD),
        by(8 * HOUR - 1),
        by(9 * HOUR - 1, a=[]),
        by(9 * HOUR, a=FIRING),
        start=datetime(2026, 11, 23, 18, tzinfo=UTC),
    ),
    scenario(
        "what is acknowledged by night is not told to others in the morning",
        at(0, BAD),
        by(0, a=FIRING),
        at(60, acknowledge("r1")),
        by(24 * HOUR),
        start=EVENING,
        rules=[
            rule("night", ["a"]),
            rule("day", ["a"], active_during="office", escalate={"after": "30m", "channels": "b"}),
        ],
        channels={"a": {}, "b": {}},
        times=OFFICE,
    ),
    scenario(
        "a rule that is muted keeps nothing from another one",
        at(0, BAD),
        by(0, b=FIRING),
        by(12 * HOUR, a=FIRING),
        start=EVENING,
        rules=[rule("day", ["a"], active_during="office"), rule("night", ["b"])],
        channels={"a": {}, "b": {}},
        times=OFFICE,
    ),
]


@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
async def test_as_told(told: Scenario, tmp_path: Path) -> None:
    await play(told, tmp_path)


@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
async def test_killed_after_every_step_it_tells_the_same(told: Scenario, tmp_path: Path) -> None:
    await play(told, tmp_path, frozenset(range(len(told.steps))))
