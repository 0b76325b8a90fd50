"""Everything is deleted: one alert lists what nobody wants in a thousand messages, and nothing is lost."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.engine.inhibition import InhibitRule
from relay.engine.policy import Damping, Flap, Mass, Policy
from relay.model.observation import Report
from tests.engine.things import condition, deletion, failure, report, rule
from tests.timeline.play import (
    Action,
    Play,
    Scenario,
    acknowledge,
    at,
    by,
    down,
    expire,
    play,
    reload,
    scenario,
    sees,
    silence,
    time_passes,
    up,
)
from tests.timeline.test_times import EVENING, OFFICE

HOUR = 3600.0
ON = Policy(mass={"prod": Mass(count=3), "lab": Mass(count=3)})
OFF = Policy()
BEGAN, OVER = "FIRING trust.mass_deletion prod", "resolved trust.mass_deletion prod"
MISSED = "missed trust.mass_deletion prod"


def gone(*names: str, ago: float = 60, cluster: str = "prod") -> Action:
    """A look at the changefeed that shows these deletions; they happened so many seconds before."""

    async def act(play: Play) -> None:
        happened_at = play.clock.now() - timedelta(seconds=ago)
        facts = [replace(deletion(name, f"id-{name}"), happened_at=happened_at) for name in names]
        await play.intake.take(replace(look(cluster=cluster), at=play.clock.now(), facts=tuple(facts)))

    return act


def look(cluster: str = "prod", **fields: Any) -> Report:
    return report(0, watcher="changefeed", sources=["all"], cluster=cluster, **fields)


NOTHING = gone()
UNREAD = sees(look(failures=[failure("all")]))


def single(*names: str) -> list[str]:
    return [f"event trust.deleted {name}" for name in names]


def quiet_from(seconds: float) -> list[Any]:
    """Looks that find nothing, until it must be over: one more than that takes, for what is told before."""
    return [*at(seconds + 600, NOTHING), *at(seconds + 615, NOTHING)]


NIGHT = rule(active_during=["office"])

SCENARIOS = [
    scenario(
        "the third within ten minutes begins it, and what comes then is told in intervals",
        at(0, gone("p/1")),
        by(0, a=single("p/1")),
        at(60, gone("p/2")),
        by(60, a=single("p/2")),
        at(120, gone("p/3")),
        by(120, a=BEGAN),
        at(180, gone("p/4"), gone("p/5")),
        at(400, time_passes()),
        by(400),
        at(420, time_passes()),
        by(420, a=BEGAN),
        at(HOUR, time_passes()),
        by(HOUR),
        at(HOUR, NOTHING),
        by(HOUR, a=OVER),
        policy=ON,
    ),
    scenario(
        "all in one look",
        at(0, gone(*(f"p/{n}" for n in range(7)))),
        by(0, a=[*single("p/0", "p/1"), BEGAN]),
        quiet_from(0),
        by(HOUR, a=OVER),
        policy=ON,
    ),
    scenario(
        "slowly, there is none",
        *(at(n * 400, gone(f"p/{n}")) for n in range(6)),
        by(HOUR, a=single(*(f"p/{n}" for n in range(6)))),
        policy=ON,
    ),
    scenario(
        "a catch-up of what lay hours apart is none",
        at(HOUR, gone("p/1", ago=9 * HOUR), gone("p/2", ago=6 * HOUR), gone("p/3", ago=3 * HOUR)),
        by(2 * HOUR, a=single("p/1", "p/2", "p/3")),
        policy=ON,
    ),
    scenario(
        "a catch-up of what lay seconds apart is one",
        at(HOUR, gone("p/1", "p/2", "p/3", "p/4", ago=9 * HOUR)),
        by(HOUR, a=[*single("p/1", "p/2"), BEGAN]),
        policy=ON,
    ),
    scenario(
        "history is none, nor does it belong to one",
        at(0, gone("p/1", "p/2", "p/3", ago=8 * 24 * HOUR)),
        by(0, a=single("p/1", "p/2", "p/3")),
        at(60, gone("q/1", "q/2", "q/3")),
        by(60, a=[*single("q/1", "q/2"), BEGAN]),
        at(90, gone("p/4", ago=8 * 24 * HOUR)),
        by(90, a=single("p/4")),
        policy=ON,
    ),
    scenario(
        "a clock of MSR that is behind or ahead ends nothing too early",
        at(0, gone("p/1", "p/2", "p/3", ago=2 * HOUR)),
        by(0, a=[*single("p/1", "p/2"), BEGAN]),
        at(590, gone("p/4", ago=2 * HOUR)),
        by(590, a=BEGAN),
        at(1180, gone("p/5", ago=-HOUR)),
        by(1180, a=BEGAN),
        quiet_from(1180),
        by(2 * HOUR, a=OVER),
        policy=ON,
    ),
    scenario(
        "while the changefeed cannot be read it is not over, and what is known is told",
        at(0, gone("p/1", "p/2", "p/3")),
        at(10, gone("p/4")),
        *(at(n, UNREAD) for n in range(100, 1600, 100)),
        by(1600, a=[*single("p/1", "p/2"), BEGAN, "firing watch.failing prod", BEGAN]),
        at(1610, NOTHING),
        by(1610, a=["resolved watch.failing prod", OVER]),
        policy=ON,
    ),
    scenario(
        "clusters are counted by themselves",
        at(0, gone("p/1", "p/2"), gone("l/1", "l/2", cluster="lab")),
        by(0, a=single("p/1", "p/2", "l/1", "l/2")),
        at(10, gone("l/3", cluster="lab"), gone("l/4", cluster="lab")),
        by(10, a="FIRING trust.mass_deletion lab"),
        policy=ON,
    ),
    scenario(
        "so are namespaces, if that is wanted",
        at(0, gone("p/1", "p/2", "q/1", "q/2")),
        by(0, a=single("p/1", "p/2", "q/1", "q/2")),
        at(10, gone("q/3", "p/3", "r/1")),
        by(10, a=[*single("r/1"), BEGAN, BEGAN]),
        quiet_from(10),
        by(HOUR, a=[OVER, OVER]),
        policy=Policy(mass={"prod": Mass(count=3, per="namespace")}),
    ),
    scenario(
        "a rule for deletions alone is not blind: whom it names is told, when it concerns him",
        at(0, gone("p/1", "p/2", "p/3")),
        by(0, a=[*single("p/1", "p/2"), BEGAN]),
        at(60, gone("q/1")),
        by(60, b=BEGAN),
        at(400, time_passes()),
        by(400, a=BEGAN, b=BEGAN),
        quiet_from(60),
        by(HOUR, a=OVER, b=OVER),
        rules=[
            rule("ours", ["a"], match={"type": "trust.deleted", "repository": "p/*"}),
            rule("theirs", ["b"], match={"type": "trust.deleted", "repository": "q/*"}),
            rule("nobody's", ["c"], match={"type": "trust.deleted", "repository": "z/*"}),
        ],
        channels={"a": {}, "b": {}, "c": {}},
        policy=ON,
    ),
    scenario(
        "where a rule sends its type it goes too, and the rule for deletions has no second one",
        at(0, gone("p/1", "p/2", "p/3")),
        by(0, a=[*single("p/1", "p/2"), BEGAN], b=BEGAN),
        rules=[
            rule("mass", ["b"], match={"type": "trust.mass_deletion"}),
            rule("deletions", ["a", "b"], match={"type": "trust.deleted", "repository": "!p/[12]"}),
            rule("others", ["a"], match={"type": "trust.deleted"}),
        ],
        channels={"a": {}, "b": {}},
        policy=ON,
    ),
    scenario(
        "a rule that waits does not delay it, and one that wants no end is told the last ones",
        at(0, gone("p/1", "p/2", "p/3")),
        by(0, a=[*single("p/1", "p/2"), BEGAN]),
        at(10, gone("p/4")),
        at(299, down("a")),
        quiet_from(10),
        at(700, up("a")),
        by(2 * HOUR, a=OVER),
        rules=[rule(after="30m", on_resolve=False)],
        policy=ON,
    ),
    scenario(
        "it is in no group: a line in another message would list nothing",
        at(0, gone("p/1", "p/2", "p/3", "p/4")),
        by(0, a=BEGAN),
        by(30, a="group: event trust.deleted p/1 | event trust.deleted p/2"),
        quiet_from(0),
        by(HOUR, a=OVER),
        rules=[rule(group={})],
        policy=ON,
    ),
    scenario(
        "a channel that was down is told all of it in one message",
        at(0, down("a"), gone("p/1", "p/2", "p/3")),
        at(60, gone("p/4")),
        quiet_from(60),
        at(HOUR, up("a")),
        by(2 * HOUR, a=[*single("p/1", "p/2"), MISSED]),
        policy=ON,
    ),
    scenario(
        "a rule that is silent at night tells in the morning what was deleted then, though it is over",
        at(0, gone("p/1", "p/2", "p/3")),
        at(60, gone("p/4")),
        quiet_from(60),
        by(4 * HOUR),
        by(20 * HOUR, a=[*single("p/1", "p/2"), MISSED]),
        rules=[NIGHT],
        times=OFFICE,
        start=EVENING,
        policy=ON,
    ),
    scenario(
        "over before it is escalated, it is escalated all the same",
        at(0, gone("p/1", "p/2", "p/3")),
        quiet_from(0),
        by(899, a=[*single("p/1", "p/2"), BEGAN, OVER]),
        by(
            HOUR,
            b=[
                "escalation: event trust.deleted p/1",
                "escalation: event trust.deleted p/2",
                MISSED,
            ],
        ),
        rules=[rule(match={"type": "trust.deleted"}, escalate={"after": "15m", "channels": "b"})],
        channels={"a": {}, "b": {}},
        policy=ON,
    ),
    scenario(
        "still going on, it is escalated once, and its end is told there too",
        at(0, gone("p/1", "p/2", "p/3")),
        *(at(n * 200, gone(f"q/{n}")) for n in range(1, 7)),
        quiet_from(1200),
        by(
            2 * HOUR,
            a=[*single("p/1", "p/2"), BEGAN, BEGAN, BEGAN, BEGAN, OVER],
            b=[
                "escalation: event trust.deleted p/1",
                "escalation: event trust.deleted p/2",
                f"escalation: {BEGAN}",
                OVER,
            ],
        ),
        rules=[rule(escalate={"after": "15m", "channels": "b"})],
        channels={"a": {}, "b": {}},
        policy=ON,
    ),
    scenario(
        "acknowledged, it is neither escalated nor repeated; news are told",
        at(0, gone("p/1", "p/2", "p/3")),
        at(5, acknowledge("prod"), acknowledge("p/1"), acknowledge("p/2")),
        at(10, gone("p/4")),
        at(310, time_passes()),
        quiet_from(10),
        by(2 * HOUR, a=[*single("p/1", "p/2"), BEGAN, BEGAN, OVER]),
        rules=[rule(repeat="5m", escalate={"after": "10m", "channels": "b"})],
        channels={"a": {}, "b": {}},
        policy=ON,
    ),
    scenario(
        "repeated by the rule for deletions while it goes on",
        at(0, gone("p/1", "p/2", "p/3")),
        by(599, a=[*single("p/1", "p/2"), BEGAN]),
        by(600, a=f"repeat: {BEGAN}"),
        quiet_from(100),
        by(HOUR, a=OVER),
        rules=[rule(match={"type": "trust.deleted"}, repeat="10m")],
        policy=ON,
    ),
    scenario(
        "a clean-up that is silenced is silent, its mass deletion too",
        at(0, silence({"type": ["trust.deleted"], "repository": ["p/*"]}, lasts=HOUR)),
        at(10, gone("p/1", "p/2", "p/3")),
        at(20, gone("p/4")),
        quiet_from(20),
        by(3 * HOUR),
        policy=ON,
    ),
    scenario(
        "one that is not silenced among them, and all is told",
        at(0, silence({"type": ["trust.deleted"], "repository": ["p/*"]}, lasts=HOUR)),
        at(10, gone("p/1", "p/2", "p/3")),
        at(20, gone("q/1")),
        by(100),
        at(310, time_passes()),
        by(310, a=BEGAN),
        quiet_from(20),
        by(2 * HOUR, a=OVER),
        policy=ON,
    ),
    scenario(
        "its own silence holds it back while it lasts",
        at(0, silence({"type": ["trust.mass_deletion"]}, lasts=300)),
        at(10, gone("p/1", "p/2", "p/3")),
        by(299, a=single("p/1", "p/2")),
        by(400, a=BEGAN),
        policy=ON,
    ),
    scenario(
        "an end of a silence before its time",
        at(0, silence({"type": ["trust.*"]}, lasts=HOUR)),
        at(10, gone("p/1", "p/2", "p/3")),
        at(60, expire()),
        by(60, a=BEGAN),
        policy=ON,
    ),
    scenario(
        "no larger alert covers it, as none covers a deletion",
        at(0, sees(report(0, condition("r1")))),
        by(0, a="firing ping.failing r1"),
        at(10, gone("p/1", "p/2", "p/3")),
        by(10, a=[*single("p/1", "p/2"), BEGAN]),
        inhibit=[InhibitRule.model_validate({"source": {"type": "ping.failing"}, "target": {}})],
        policy=ON,
    ),
    scenario(
        "it covers others, if that is wanted",
        at(0, gone("p/1", "p/2", "p/3")),
        at(10, sees(report(0, condition("r1")))),
        by(60, a=[*single("p/1", "p/2"), BEGAN]),
        inhibit=[
            InhibitRule.model_validate(
                {"source": {"type": "trust.mass_deletion"}, "target": {"type": "ping.failing"}}
            )
        ],
        policy=ON,
    ),
    scenario(
        "again and again, it never flaps into silence",
        *(
            part
            for n in range(6)
            for part in [
                at(n * HOUR, gone(*(f"p/{n}{m}" for m in range(3)))),
                quiet_from(n * HOUR),
                by(n * HOUR + 700, a=[*single(f"p/{n}0", f"p/{n}1"), BEGAN, OVER]),
            ]
        ),
        policy=replace(ON, damping={"trust.mass_deletion": Damping(flap=Flap(1, timedelta(hours=9)))}),
    ),
    scenario(
        "turned off in the middle, it ends, and its end has all of it",
        at(0, gone("p/1", "p/2", "p/3")),
        at(10, gone("p/4")),
        at(20, reload(OFF)),
        by(20, a=[*single("p/1", "p/2"), BEGAN, OVER]),
        at(30, gone("p/5")),
        by(HOUR, a=single("p/5")),
        policy=ON,
    ),
    scenario(
        "counted otherwise from the middle on",
        at(0, gone("p/1", "p/2", "p/3")),
        at(20, reload(replace(ON, mass={"prod": Mass(count=2, per="namespace")}))),
        by(20, a=[*single("p/1", "p/2"), BEGAN, OVER]),
        at(30, gone("p/5", "p/6")),
        by(HOUR, a=[*single("p/5"), BEGAN]),
        policy=ON,
    ),
    scenario(
        "another rule from the middle on: those who know of it hear more, and those who are to",
        at(0, gone("p/1", "p/2", "p/3")),
        at(10, reload(ON, [rule("new", ["b"])])),
        at(20, gone("p/4")),
        by(20, a=[*single("p/1", "p/2"), BEGAN], b=BEGAN),
        at(320, time_passes()),
        by(320, a=BEGAN, b=BEGAN),
        quiet_from(20),
        by(HOUR, a=OVER, b=OVER),
        channels={"a": {}, "b": {}},
        policy=ON,
    ),
]


@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
async def test_as_told(told: Scenario, tmp_path: Path) -> None:
    await play(told, tmp_path)


@pytest.mark.parametrize("told", SCENARIOS, ids=lambda told: told.name)
async def test_killed_after_every_step_it_tells_the_same(told: Scenario, tmp_path: Path) -> None:
    await play(told, tmp_path, frozenset(range(len(told.steps))))
