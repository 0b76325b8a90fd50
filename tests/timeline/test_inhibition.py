"""A larger alert covers smaller ones; what it held back is told when its own watch still shows it."""

from pathlib import Path

import pytest

from relay.engine.inhibition import InhibitRule
from relay.engine.policy import Policy
from relay.model.severity import Severity
from tests.engine.things import condition, failure, issue, report, rule
from tests.timeline.play import Action, Scenario, at, by, down, play, scenario, sees, up

HOUR = 3600.0
DARK = "FIRING watch.failing prod"
SEEN = "resolved watch.failing prod"


def pings(*gone: str, looks: int = 3) -> Action:
    """A look at both replicas, of which these do not answer."""
    failures = [failure(name, dark=True, covered=True) for name in gone]
    return sees(
        report(0, *(condition(name, looks=looks) for name in gone), sources=["r1", "r2"], failures=failures)
    )


ISSUES = InhibitRule.model_validate(
    {"source": {"type": "cluster.issue", "severity": "critical"}, "target": {"type": "ping.failing"}}
)
CRITICAL, NO_ISSUE = (
    sees(report(0, issue(critical=True), watcher="cluster_status")),
    sees(report(0, watcher="cluster_status")),
)

SCENARIOS = [
    scenario(
        "one outage is one message, and so is its end",
        *(at(seconds, pings("r1", "r2")) for seconds in (0, 10, 20)),
        by(20, a=DARK),
        at(60, pings()),
        by(HOUR, a=SEEN),
    ),
    scenario(
        "what still fails afterwards is told then",
        *(at(seconds, pings("r1", "r2")) for seconds in (0, 10, 20)),
        by(20, a=DARK),
        at(60, pings("r2")),
        by(HOUR, a="firing ping.failing r2"),
        at(2 * HOUR, pings()),
        by(2 * HOUR, a=[SEEN, "resolved ping.failing r2"]),
    ),
    scenario(
        "another watch that can read again lets nothing go",
        at(
            15,
            sees(report(0, watcher="changefeed", sources=["all"], failures=[failure("all", dark=True)])),
        ),
        *(at(seconds, pings("r1", "r2")) for seconds in (20, 30, 40)),
        by(40, a=DARK),
        at(50, sees(report(0, watcher="changefeed", sources=["all"]))),
        by(50),
        at(60, pings()),
        by(HOUR, a=SEEN),
    ),
    scenario(
        "what waits for a channel when the cluster goes dark is held back too",
        at(0, down("a"), pings("r1", looks=1)),
        *(at(seconds, pings("r1", "r2")) for seconds in (10, 20, 30)),
        at(40, up("a")),
        by(1800, a=DARK),
        at(1800, pings("r1")),
        by(HOUR, a="firing ping.failing r1"),
    ),
    scenario(
        "the end of what was told before the outage is told",
        at(0, pings("r1", looks=1)),
        by(0, a="firing ping.failing r1"),
        *(at(seconds, pings("r1", "r2")) for seconds in (10, 20, 30)),
        by(60, a=DARK),
        at(HOUR, pings()),
        by(HOUR, a=[SEEN, "resolved ping.failing r1"]),
    ),
    scenario(
        "a rule of the configuration",
        at(0, CRITICAL),
        by(0, a="FIRING cluster.issue i1"),
        at(10, pings("r1", looks=1)),
        at(20, sees(report(0, condition("r9"), cluster="lab", sources=["r9"]))),
        by(30, a="firing ping.failing r9"),
        at(HOUR, NO_ISSUE),
        by(HOUR + 5, a="resolved cluster.issue i1"),
        at(HOUR + 10, pings("r1", looks=1)),
        by(HOUR + 10, a="firing ping.failing r1"),
        inhibit=[ISSUES],
    ),
    scenario(
        "what was told before is not repeated while it is covered",
        at(0, pings("r1", looks=1)),
        by(0, a="firing ping.failing r1"),
        at(10, CRITICAL),
        by(10, a="FIRING cluster.issue i1"),
        by(5 * HOUR, a=["repeat: FIRING cluster.issue i1"] * 4),
        at(5 * HOUR, NO_ISSUE),
        at(5 * HOUR + 1, pings("r1", looks=1)),
        by(6 * HOUR - 1, a=["resolved cluster.issue i1", "repeat: firing ping.failing r1"]),
        rules=[rule(repeat="1h")],
        inhibit=[ISSUES],
    ),
    scenario(
        "it became graver and less grave: who is reminded hears how it stands",
        at(0, sees(report(0, issue(), watcher="cluster_status"))),
        by(0, a="firing cluster.issue i1"),
        at(60, CRITICAL),
        by(60, a="FIRING cluster.issue i1"),
        at(120, sees(report(0, issue(), watcher="cluster_status"))),
        by(HOUR + 60, a="repeat: firing cluster.issue i1"),
        at(2 * HOUR, NO_ISSUE),
        by(4 * HOUR, a="resolved cluster.issue i1"),
        rules=[rule(repeat="1h")],
    ),
    scenario(
        "it became graver before it could be told: only that is told",
        at(0, down("a"), sees(report(0, issue(), watcher="cluster_status"))),
        at(60, CRITICAL),
        at(90, up("a")),
        by(HOUR, a="FIRING cluster.issue i1"),
    ),
    scenario(
        "it became less grave before it could be told: so it is told",
        at(0, down("a"), CRITICAL),
        at(60, sees(report(0, issue(), watcher="cluster_status"))),
        at(90, up("a")),
        by(HOUR, a="firing cluster.issue i1"),
        at(HOUR, NO_ISSUE),
        by(HOUR, a="resolved cluster.issue i1"),
    ),
    scenario(
        "who hears of it by escalation hears how it stands",
        at(0, sees(report(0, issue(), watcher="cluster_status"))),
        at(60, CRITICAL),
        by(
            HOUR,
            a=["firing cluster.issue i1", "FIRING cluster.issue i1"],
            b="escalation: FIRING cluster.issue i1",
        ),
        rules=[rule(escalate={"after": "15m", "channels": "b"})],
        channels={"a": {}, "b": {}},
    ),
    scenario(
        "a type made critical by the configuration",
        at(0, pings("r1", looks=1)),
        by(0, a="FIRING ping.failing r1"),
        policy=Policy(severities={"ping.failing": Severity.CRITICAL}),
    ),
]


@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
async def test_as_told(told: Scenario, tmp_path: Path) -> None:
    await play(told, tmp_path)


@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
async def test_killed_after_every_step_it_tells_the_same(told: Scenario, tmp_path: Path) -> None:
    await play(told, tmp_path, frozenset(range(len(told.steps))))
