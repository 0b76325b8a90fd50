"""What the relay does beside its work does not end silently."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from relay.app.chores import for_ever
from relay.app.pruning import cut
from relay.settings import read
from tests.support.clock import ManualClock


async def test_a_chore_that_fails_is_begun_anew() -> None:
    clock, begun = ManualClock(), list[float]()

    async def chore() -> None:
        begun.append(clock.monotonic())
        raise OverflowError("date value out of range")

    task = asyncio.create_task(for_ever(chore, clock))
    await clock.advance(12)
    assert len(begun) == 3
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(("kept", "expected"), [("1m", timedelta(hours=2)), ("3h", timedelta(hours=3))])
def test_what_counts_for_flapping_is_not_pruned(tmp_path: Path, kept: str, expected: timedelta) -> None:
    file = tmp_path / "relay.yaml"
    file.write_text(f"retention: {{alerts: {kept}}}\nalerts: {{ping.failing: {{flap: {{within: 2h}}}}}}\n")
    now = ManualClock().now()
    assert now - cut(read(file, {}, None).settings, now).alerts == expected
