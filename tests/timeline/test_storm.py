"""More than fits into one look, and what a receiver never takes."""

from pathlib import Path

import pytest

from relay.store import queue
from tests.engine.things import rule
from tests.timeline.play import Play, at, by, play, refuses, scenario
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
