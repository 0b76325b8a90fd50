import asyncio

from relay.model.clock import Clock
from tests.support.clock import ManualClock


async def test_sleepers_wake_in_order_each_at_its_own_time() -> None:
    clock = ManualClock()
    started, woken = clock.monotonic(), []

    async def every(seconds: float) -> None:
        while True:
            await clock.sleep(seconds)
            woken.append((seconds, clock.monotonic() - started))

    tasks = [asyncio.create_task(every(seconds)) for seconds in (10, 4)]
    await clock.advance(13)
    assert woken == [(4, 4), (4, 8), (10, 10), (4, 12)]
    assert clock.monotonic() - started == 13
    assert clock.sleepers == 2
    for task in tasks:
        task.cancel()


async def test_wait_ends_with_the_event_or_at_its_deadline() -> None:
    clock: Clock = ManualClock()
    assert isinstance(clock, ManualClock)
    event = asyncio.Event()
    late = asyncio.create_task(clock.wait(event, 5))
    await clock.advance(4.999)
    assert not late.done()
    await clock.advance(0.001)
    assert await late is False
    soon = asyncio.create_task(clock.wait(event, 5))
    await clock.advance(1)
    event.set()
    assert await soon is True
    assert await clock.wait(event, 0) is True
    event.clear()
    assert await clock.wait(event, 0) is False
    assert clock.sleepers == 0


async def test_the_wall_clock_jumps_alone() -> None:
    clock = ManualClock()
    before, monotonic = clock.now(), clock.monotonic()
    clock.jump(-3600)
    assert (clock.now() - before).total_seconds() == -3600
    assert clock.monotonic() == monotonic
