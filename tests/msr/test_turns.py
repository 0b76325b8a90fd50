"""Turns at one place, on a clock that the test moves."""

import asyncio

import pytest

from relay.msr.turns import Turns
from tests.support.clock import ManualClock


class Queue:
    """Requests that note when they go out and end when they are told to."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.turns = Turns(self.clock)
        self.out: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}

    def ask(self, name: str, place: str = "r1") -> asyncio.Task[None]:
        self.ends[name] = asyncio.Event()
        return asyncio.create_task(self._ask(name, place))

    async def _ask(self, name: str, place: str) -> None:
        async with self.turns.take(place):
            self.out.append(name)
            await self.ends[name].wait()


async def test_one_goes_after_the_other() -> None:
    queue = Queue()
    tasks = [queue.ask(name) for name in "abc"]
    await queue.clock.advance(0.1)
    assert queue.out == ["a"]
    queue.ends["a"].set()
    await queue.clock.advance(0.1)
    assert queue.out == ["a", "b"]
    for name in "bc":
        queue.ends[name].set()
    await asyncio.gather(*tasks)
    assert queue.out == ["a", "b", "c"]


async def test_a_slow_one_does_not_hold_up_the_others_for_long() -> None:
    queue = Queue()
    tasks = [queue.ask(name) for name in "abc"]
    await queue.clock.advance(0.3)
    assert queue.out == ["a", "b", "c"]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_places_do_not_wait_for_each_other() -> None:
    queue = Queue()
    tasks = [queue.ask("a", "r1"), queue.ask("b", "r2")]
    await queue.clock.advance(0)
    assert queue.out == ["a", "b"]
    for name in "ab":
        queue.ends[name].set()
    await asyncio.gather(*tasks)


async def test_one_that_is_given_up_lets_the_next_one_go() -> None:
    queue = Queue()
    first, second = queue.ask("a"), queue.ask("b")
    await queue.clock.advance(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await queue.clock.advance(0)
    assert queue.out == ["a", "b"]
    queue.ends["b"].set()
    await second


async def test_the_last_one_may_be_given_up_or_done_before_the_first() -> None:
    queue = Queue()
    first, given_up = queue.ask("a"), queue.ask("b")
    await queue.clock.advance(0)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    ahead = queue.ask("c")
    await queue.clock.advance(0.3)
    assert queue.out == ["a", "c"]
    queue.ends["c"].set()
    await ahead
    queue.ends["a"].set()
    await first
    last = queue.ask("d")
    await queue.clock.advance(0)
    assert queue.out == ["a", "c", "d"]
    queue.ends["d"].set()
    await last


async def test_a_slow_one_may_end_after_those_that_went_ahead() -> None:
    queue = Queue()
    slow, ahead = queue.ask("a"), queue.ask("b")
    await queue.clock.advance(0.3)
    queue.ends["b"].set()
    await ahead
    queue.ends["a"].set()
    await slow
