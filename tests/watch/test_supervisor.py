"""The supervisor, on a clock that the test moves."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise

import pytest

from relay.model.errors import StoreError
from relay.model.observation import Failure, Report, Watch
from relay.store import CursorMovedError
from relay.watch.base import Options
from relay.watch.supervisor import Grid, Supervisor, grids
from tests.support.clock import ManualClock


class Every(Options):
    every: timedelta = timedelta(seconds=10)


class Scripted:
    """A watcher whose looks do what the script says: an error to raise, or nothing."""

    def __init__(self, clock: ManualClock, script: list[BaseException | None]) -> None:
        self.options, self.watch, self.sources = Every(), Watch("prod", "scripted"), ("r1",)
        self.replicas = self.sources
        self._clock, self._script = clock, script
        self.looks: list[float] = []

    async def look(self) -> AsyncIterator[Report]:
        self.looks.append(self._clock.monotonic())
        error = self._script.pop(0) if self._script else None
        if error is not None:
            raise error
        yield self.report(self.sources)

    def report(self, sources, failures=()) -> Report:
        return Report(self.watch, self._clock.now(), sources, failures=tuple(failures))


class Bench:
    def __init__(self, *script: BaseException | None) -> None:
        self.clock = ManualClock()
        self.watcher = Scripted(self.clock, list(script))
        self.taken: list[Report] = []
        self.refusals: list[Exception] = []
        self.failed: list[StoreError] = []
        self.supervisor = Supervisor(
            self.watcher, self._take, self.clock, Grid(0.5, origin=3), self.failed.append
        )

    async def _take(self, report: Report) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.taken.append(report)

    async def run(self, seconds: float) -> None:
        task = asyncio.create_task(self.supervisor.run())
        await self.clock.advance(seconds)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def pauses(self) -> list[float]:
        looks = self.watcher.looks
        return [after - before for before, after in pairwise(looks)]


async def test_looks_come_on_the_grid() -> None:
    bench = Bench()
    await bench.run(500)
    first, *later = bench.watcher.looks
    assert first == 1000.5
    assert later == [1003.0 + 10 * number for number in range(50)]
    assert len(bench.taken) == len(bench.watcher.looks)


async def test_a_look_that_took_too_long_is_followed_at_once_and_then_the_grid_goes_on() -> None:
    bench = Bench()
    slow = iter([0.0, 14.0])

    async def look() -> AsyncIterator[Report]:
        bench.watcher.looks.append(bench.clock.monotonic())
        await bench.clock.sleep(next(slow, 0.0))
        yield bench.watcher.report(("r1",))

    bench.watcher.look = look
    await bench.run(50)
    assert bench.watcher.looks[:5] == [1000.5, 1003.0, 1017.0, 1023.0, 1033.0]


@pytest.mark.parametrize("early", [0.0, 0.001, 0.4])
def test_a_look_that_begins_a_moment_before_its_time_is_not_made_twice(early: float) -> None:
    assert Grid(0, origin=3).after(1003 - early, 10) == 1013


def test_the_grid_is_the_same_for_every_interval_and_may_lie_ahead() -> None:
    grid = Grid(0, origin=2000)
    assert [grid.after(1000.0, every) for every in (10, 15, 30)] == [1010, 1010, 1010]
    assert grid.after(1010.0, 15) == 1025
    assert grid.after(1010.0, 30) == 1040


def test_each_cluster_has_a_grid_of_its_own_and_they_begin_one_after_the_other() -> None:
    made = grids([f"c{number}" for number in range(500)], 1000.0, random.Random(3))
    firsts = [grid.first for grid in made.values()]
    assert firsts[0] == 0
    assert firsts == sorted(set(firsts))
    busy = [0] * 30
    for grid in made.values():
        busy[int(grid.after(1000.0, 30) % 30)] += 1
    assert max(busy) <= 3 * 500 / 30, "they are spread over the interval"


async def test_a_server_that_asks_to_be_left_alone_is_left_alone() -> None:
    bench = Bench()
    busy = iter([60.0, 7200.0])

    async def look() -> AsyncIterator[Report]:
        bench.watcher.looks.append(bench.clock.monotonic())
        asked = next(busy, None)
        yield bench.watcher.report(
            ("r1",), [Failure("r1", "429", retry_after=asked)] if asked is not None else []
        )

    bench.watcher.look = look
    await bench.run(4000)
    pauses = bench.pauses()
    assert pauses[0] == pytest.approx(60)
    assert pauses[1] == pytest.approx(3600), "an hour at the most"
    assert set(pauses[3:]) == {10.0}
    assert len(pauses) > 5


async def test_a_crash_is_reported_and_looking_goes_on_ever_more_slowly() -> None:
    bench = Bench(*(ValueError("a secret") for _ in range(12)))
    await bench.run(1200)
    assert bench.pauses()[:11] == pytest.approx([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
    assert bench.supervisor.crashes >= 11
    failure = bench.taken[0].failures[0]
    assert failure.at_once
    assert "ValueError" in failure.cause
    assert "a secret" not in failure.cause


async def test_after_a_crash_the_interval_is_as_before() -> None:
    bench = Bench(ValueError(), None, ValueError(), None)
    await bench.run(60)
    assert bench.pauses()[0] == pytest.approx(1)
    assert bench.pauses()[2] == pytest.approx(1)
    assert set(bench.pauses()[4:]) == {10.0}
    assert not bench.taken[-1].failures


async def test_a_failing_store_is_told_and_is_no_crash() -> None:
    bench = Bench()
    bench.refusals = [StoreError("disk full"), CursorMovedError("elsewhere")]
    await bench.run(100)
    assert [str(error) for error in bench.failed] == ["disk full"]
    assert bench.supervisor.crashes == 0
    assert bench.taken


async def test_even_a_broken_taker_does_not_end_it() -> None:
    bench = Bench()
    bench.refusals = [KeyError("bug"), KeyError("bug again"), KeyError("bug"), StoreError("disk full")]
    await bench.run(100)
    assert bench.supervisor.crashes == 2
    assert len(bench.failed) == 1
    assert bench.taken


async def test_how_the_last_look_went() -> None:
    bench = Bench(None, ValueError("a secret"))
    last = bench.supervisor.last
    assert (last.began, last.at, last.saw_since(0)) == (None, None, False)
    await bench.run(2)
    last = bench.supervisor.last
    assert last.began == bench.watcher.looks[0]
    assert last.saw_since(last.began)
    assert not last.saw_since(last.began + 0.1)
    assert not last.unread


@pytest.mark.parametrize(
    "error", [ValueError("a secret"), StoreError("disk full"), CursorMovedError("elsewhere")]
)
async def test_a_look_that_failed_has_seen_nothing(error: Exception) -> None:
    bench = Bench()
    bench.refusals = [error]
    await bench.run(1.0)
    assert bench.supervisor.last.at is not None
    assert not bench.supervisor.last.saw_since(0)
    assert "a secret" not in bench.supervisor.last.unread["r1"]


async def test_what_could_not_be_read_is_noted() -> None:
    bench = Bench()

    async def look() -> AsyncIterator[Report]:
        yield bench.watcher.report(("r1",), [Failure("r1", "refused")])

    bench.watcher.look = look
    bench.watcher.sources = ("r1", "r2")
    await bench.run(2)
    assert bench.supervisor.last.unread == {"r1": "refused"}
    assert bench.supervisor.last.saw_since(0), "r2 was seen"


async def test_late_is_told_by_the_last_look() -> None:
    bench = Bench()
    assert bench.supervisor.late(bench.clock.monotonic() + 29, 3, 5) is None
    assert bench.supervisor.late(bench.clock.monotonic() + 31, 3, 5) == 31
    await bench.run(100)
    assert bench.supervisor.looked_at == bench.watcher.looks[-1]
