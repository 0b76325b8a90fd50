"""More than fits into one look, and what a receiver never takes."""

from pathlib import Path

import pytest

from relay.engine import review
from relay.store import queue
from tests.engine.things import condition, report, rule
from tests.timeline.play import Play, at, by, play, refuses, scenario, sees
from tests.timeline.test_told import deleted

HOUR = 3600.0


async def test_a_group_that_takes_several_looks_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "_MOST_TOGETHER", 7)
    names = [f"prod/{n:02}" for n in range(20)]
    told = scenario(
        "a storm",
        at(0, deleted(*names)),
        rules=[rule(group={})],
    )
    async with Play(told, tmp_path) as running:
        for step in told.steps:
            await running.step(step)
        await running.go(600)
        ((_, _, body),) = running.got
    found = {item["data"]["subject"]["name"] for item in body["data"]["items"]}
    assert found == set(names)


async def test_what_a_receiver_never_takes_keeps_nothing_else_from_it(tmp_path: Path) -> None:
    told = scenario(
        "a message that is never taken",
        at(0, refuses("prod/poison"), deleted("prod/poison")),
        at(HOUR, deleted("prod/a")),
        by(HOUR + 400, a="event trust.deleted prod/a"),
        at(6 * HOUR, deleted("prod/b")),
        by(6 * HOUR + 400, a="event trust.deleted prod/b"),
        at(30 * HOUR, deleted("prod/c")),
        by(60 * HOUR, a="event trust.deleted prod/c"),
        channels={"a": {"digest_after": "10m"}},
    )
    await play(told, tmp_path)


async def test_the_ends_of_what_a_message_only_counted_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review, "LISTED", 5)
    names = [f"r{n:02}" for n in range(12)]
    bad, good = (
        sees(report(0, *(condition(name) for name in found), sources=names)) for found in (names, [])
    )
    told = scenario("many", at(0, bad), at(60, good), rules=[rule(group={})])
    async with Play(told, tmp_path) as running:
        for step in told.steps:
            await running.step(step)
        await running.go(HOUR)
        bodies = [body["data"] for _, _, body in running.got]
    assert [(len(body["items"]), body["more"]) for body in bodies] == [(5, 7), (5, 7)]
    assert {item["data"]["status"] for item in bodies[1]["items"]} == {"resolved"}
