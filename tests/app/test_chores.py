"""What the relay does beside its work does not end silently."""

import asyncio

from relay.app.chores import for_ever
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
