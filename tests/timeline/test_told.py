"""Who is told what and when: every sentence about it, as a timeline."""

from pathlib import Path

import pytest

from tests.engine.things import condition, deletion, report, rule
from tests.timeline.play import (
    Scenario,
    acknowledge,
    at,
    by,
    down,
    expire,
    play,
    scenario,
    sees,
    silence,
    unacknowledge,
    up,
)

HOUR = 3600.0

BAD = sees(report(0, condition("r1")))
BAD_2 = sees(report(0, condition("r1"), condition("r2")))
ONLY_2 = sees(report(0, condition("r2")))
GOOD = sees(report(0))
FIRING, OVER = "firing ping.failing r1", "resolved ping.failing r1"


def deleted(*names: str) -> object:
    facts = [deletion(name, f"id-{name}") for name in names]
    return sees(report(0, watcher="changefeed", sources=["all"], facts=facts))


SCENARIOS = [
    scenario(
        "an alert and its end",
        at(0, BAD),
        by(0, a=FIRING),
        at(60, GOOD),
        by(60, a=OVER),
        by(2 * HOUR),
    ),
    scenario(
        "over before it was due, it is not told",
        at(0, BAD),
        at(20, GOOD),
        by(600),
        rules=[rule(after="30s")],
    ),
    scenario(
        "over after it was due, the end is told",
        at(0, BAD),
        by(30, a=FIRING),
        at(40, GOOD),
        by(600, a=OVER),
        rules=[rule(after="30s")],
    ),
    scenario(
        "a firing that ended before it was ever delivered is told as one message",
        at(0, down("a"), BAD),
        at(60, GOOD),
        at(90, up("a")),
        by(HOUR, a="missed ping.failing r1"),
    ),
    scenario(
        "also where its end is not wanted: it was never told",
        at(0, down("a"), BAD),
        at(60, GOOD),
        at(90, up("a")),
        by(HOUR, a="missed ping.failing r1"),
        rules=[rule(on_resolve=False)],
    ),
    scenario(
        "an end never overtakes its beginning",
        at(0, BAD),
        by(0, a=FIRING),
        at(10, down("a")),
        at(20, GOOD),
        at(21, BAD),
        at(22, GOOD),
        at(600, up("a")),
        by(2 * HOUR, a=[OVER, "missed ping.failing r1"]),
    ),
    # Groups.
    scenario(
        "what comes within the wait is one message",
        at(0, deleted("prod/a")),
        at(10, deleted("prod/b", "prod/c")),
        by(29),
        by(
            30,
            a="group: event trust.deleted prod/a | event trust.deleted prod/b | event trust.deleted prod/c",
        ),
        by(HOUR),
        rules=[rule(group={})],
    ),
    scenario(
        "what comes later waits for the interval",
        at(0, deleted("prod/a")),
        by(30, a="EVENT trust.deleted prod/a".replace("EVENT", "event")),
        at(40, deleted("prod/b")),
        at(100, deleted("prod/c")),
        by(329),
        by(330, a="group: event trust.deleted prod/b | event trust.deleted prod/c"),
        at(HOUR, deleted("prod/d")),
        by(HOUR + 30, a="event trust.deleted prod/d"),
        rules=[rule(group={})],
    ),
    scenario(
        "groups are apart by what they have in common",
        at(0, deleted("prod/a", "dev/a", "prod/b")),
        by(
            30,
            a=["event trust.deleted dev/a", "group: event trust.deleted prod/a | event trust.deleted prod/b"],
        ),
        rules=[rule(group={"by": ["namespace"]})],
    ),
    scenario(
        "an alert in a group, and its end",
        at(0, BAD_2),
        by(30, a="group: firing ping.failing r1 | firing ping.failing r2"),
        at(60, ONLY_2),
        by(329),
        by(330, a=OVER),
        at(2 * HOUR, GOOD),
        by(2 * HOUR + 30, a="resolved ping.failing r2"),
        by(4 * HOUR),
        rules=[rule(group={})],
    ),
    scenario(
        "an alert that began and ended within the wait is told once",
        at(0, BAD_2),
        at(10, ONLY_2),
        by(30, a="group: missed ping.failing r1 | firing ping.failing r2"),
        rules=[rule(group={})],
    ),
    scenario(
        "a group that could not be sent tells how things stand when it can",
        at(0, down("a"), BAD_2),
        at(60, ONLY_2),
        at(100, up("a")),
        by(HOUR, a="group: missed ping.failing r1 | firing ping.failing r2"),
        rules=[rule(group={})],
    ),
    scenario(
        "a group too large for one message comes in parts",
        at(0, deleted(*(f"prod/{n}" for n in range(4)))),
        by(
            30,
            a=[
                "group 1/2: event trust.deleted prod/0 | event trust.deleted prod/1",
                "group 2/2: event trust.deleted prod/2 | event trust.deleted prod/3",
            ],
        ),
        rules=[rule(group={})],
        channels={"a": {"most": 2400}},
    ),
    scenario(
        "a hundred deletions within the wait are one message",
        at(0, deleted(*(f"prod/{n:03}" for n in range(100)))),
        by(30, a="group: " + " | ".join(f"event trust.deleted prod/{n:03}" for n in range(100))),
        by(HOUR),
        rules=[rule(group={})],
    ),
    # Repeats.
    scenario(
        "it is repeated while it fires",
        at(0, BAD),
        by(0, a=FIRING),
        by(4 * HOUR - 1),
        by(4 * HOUR, a=f"repeat: {FIRING}"),
        by(8 * HOUR, a=f"repeat: {FIRING}"),
        at(9 * HOUR, GOOD),
        by(48 * HOUR, a=OVER),
        rules=[rule(repeat="4h")],
    ),
    scenario(
        "a group is repeated with what still fires",
        at(0, BAD_2),
        by(30, a="group: firing ping.failing r1 | firing ping.failing r2"),
        at(60, ONLY_2),
        by(330, a=OVER),
        by(330 + HOUR, a="repeat: firing ping.failing r2"),
        at(330 + HOUR + 10, GOOD),
        by(24 * HOUR, a="resolved ping.failing r2"),
        rules=[rule(group={}, repeat="1h")],
    ),
    scenario(
        "repeats do not pile up during an outage",
        at(0, BAD),
        by(0, a=FIRING),
        at(10, down("a")),
        at(30 * HOUR, up("a")),
        by(31 * HOUR, a=f"repeat: {FIRING}"),
        rules=[rule(repeat="1h")],
    ),
    # Digest.
    scenario(
        "after an outage a backlog is one message per rule",
        at(0, down("a"), deleted("prod/a")),
        at(60, deleted("prod/b")),
        at(600, BAD),
        at(900, GOOD),
        at(1800, up("a")),
        by(
            HOUR,
            a=[
                "event trust.deleted prod/a",
                "digest: event trust.deleted prod/b | missed ping.failing r1",
            ],
        ),
        channels={"a": {"digest_after": "10m"}},
    ),
    scenario(
        "a short outage is told one by one",
        at(0, down("a"), deleted("prod/a")),
        at(60, deleted("prod/b")),
        at(90, up("a")),
        by(HOUR, a=["event trust.deleted prod/a", "event trust.deleted prod/b"]),
        channels={"a": {"digest_after": "10m"}},
    ),
    # Silences.
    scenario(
        "what is silenced is not sent, and a one-off event stays silenced",
        at(0, silence({"type": ["trust.*"]}, HOUR), deleted("prod/a"), BAD),
        by(10, a=FIRING),
        by(5 * HOUR),
    ),
    scenario(
        "an alert that still fires when its silence ends is told then",
        at(0, silence({"replica": ["r1"]}, HOUR), BAD_2),
        by(10, a="firing ping.failing r2"),
        by(HOUR - 1),
        by(HOUR, a=FIRING),
    ),
    scenario(
        "an alert that ended under its silence is never told",
        at(0, silence({"replica": ["r1"]}, HOUR), BAD),
        at(600, GOOD),
        by(5 * HOUR),
    ),
    scenario(
        "the end of an alert that was told is told when the silence ends",
        at(0, BAD),
        by(0, a=FIRING),
        at(10, silence({"replica": ["r1"]}, HOUR)),
        at(20, GOOD),
        by(HOUR),
        by(HOUR + 10, a=OVER),
    ),
    scenario(
        "a silence that is ended early lets go at once",
        at(0, silence({"replica": ["r1"]}, HOUR), BAD),
        by(60),
        at(60, expire()),
        by(60, a=FIRING),
    ),
    scenario(
        "a silence that begins while a channel is down counts",
        at(0, down("a"), BAD),
        at(60, silence({"replica": ["r1"]}, HOUR)),
        at(120, up("a")),
        by(3600 + 59),
        by(3600 + 60, a=FIRING),
    ),
    scenario(
        "one of a group is silenced, the others are told",
        at(0, silence({"replica": ["r1"]}, HOUR), BAD_2),
        by(30, a="firing ping.failing r2"),
        by(HOUR - 1),
        by(HOUR, a=FIRING),
        rules=[rule(group={})],
    ),
    scenario(
        "a silence stops repeats while it holds",
        at(0, BAD),
        by(0, a=FIRING),
        at(10, silence({"replica": ["r1"]}, 4 * HOUR)),
        by(4 * HOUR),
        by(4 * HOUR + 10, a=f"repeat: {FIRING}"),
        rules=[rule(repeat="1h")],
    ),
    # Acknowledgement and escalation.
    scenario(
        "what nobody acknowledges is escalated",
        at(0, BAD),
        by(899, a=FIRING),
        by(900, b=f"escalation: {FIRING}"),
        by(1800, c=f"escalation: {FIRING}"),
        at(2000, GOOD),
        by(2000, a=OVER, b=OVER, c=OVER),
        rules=[rule(escalate=[{"after": "15m", "channels": "b"}, {"after": "30m", "channels": "c"}])],
        channels={"a": {}, "b": {}, "c": {}},
    ),
    scenario(
        "what is acknowledged is neither escalated nor repeated, and its end is told",
        at(0, BAD),
        at(60, acknowledge("r1")),
        by(24 * HOUR, a=FIRING),
        at(24 * HOUR, GOOD),
        by(24 * HOUR, a=OVER),
        at(25 * HOUR, BAD),
        by(25 * HOUR + 900, a=FIRING, b=f"escalation: {FIRING}"),
        rules=[rule(repeat="1h", escalate={"after": "15m", "channels": "b"})],
        channels={"a": {}, "b": {}},
    ),
    scenario(
        "an acknowledgement that ends lets repeats and escalation go on",
        at(0, BAD),
        at(60, acknowledge("r1", 2 * HOUR)),
        by(2 * HOUR + 59, a=FIRING),
        by(2 * HOUR + 60, a=f"repeat: {FIRING}", b=f"escalation: {FIRING}"),
        rules=[rule(repeat="1h", escalate={"after": "15m", "channels": "b"})],
        channels={"a": {}, "b": {}},
    ),
    scenario(
        "an acknowledgement that is taken back counts no more",
        at(0, BAD),
        at(60, acknowledge("r1")),
        by(1200, a=FIRING),
        at(1200, unacknowledge("r1")),
        by(1200, b=f"escalation: {FIRING}"),
        rules=[rule(escalate={"after": "15m", "channels": "b"})],
        channels={"a": {}, "b": {}},
    ),
    scenario(
        "a one-off event is escalated too, unless acknowledged",
        at(0, deleted("prod/a", "prod/b")),
        by(10, a=["event trust.deleted prod/a", "event trust.deleted prod/b"]),
        at(60, acknowledge("prod/b")),
        by(24 * HOUR, b="escalation: event trust.deleted prod/a"),
        rules=[rule(escalate={"after": "15m", "channels": "b"})],
        channels={"a": {}, "b": {}},
    ),
    scenario(
        "over before it is escalated, nobody else hears of it",
        at(0, BAD),
        at(600, GOOD),
        by(2 * HOUR, a=[FIRING, OVER]),
        rules=[rule(escalate={"after": "15m", "channels": "b"})],
        channels={"a": {}, "b": {}},
    ),
]


@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
async def test_as_told(told: Scenario, tmp_path: Path) -> None:
    await play(told, tmp_path)


@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
async def test_killed_after_every_step_it_tells_the_same(told: Scenario, tmp_path: Path) -> None:
    """In an outage a restart may change what is tried first, and so what is put together."""
    await play(told, tmp_path, frozenset(range(len(told.steps))))
