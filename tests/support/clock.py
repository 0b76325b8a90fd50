"""A clock that only a test moves."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

_ROUNDS = 50
"""Turns of the event loop that woken tasks get: enough for chains of awaits that need no real input."""


async def settle() -> None:
    """Lets everything run that can run without time, threads or sockets."""
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)


class ManualClock:
    """Implements relay.model.clock.Clock. Time stands still until `advance`.

    `advance` wakes sleepers in the order of their deadlines, each at exactly its own time, and lets it run
    before the next one, so that a loop that sleeps 10 s runs three times in `await clock.advance(30)`. What
    waits for threads or sockets is not waited for: await its outcome, or an event that the test's part sets.
    """

    def __init__(self, start: datetime = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._alarms: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return 1000.0 + self._elapsed

    @property
    def sleepers(self) -> int:
        """How many sleep, or wait with a deadline."""
        return sum(not alarm.done() for _, _, alarm in self._alarms)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            await self._alarm(seconds)

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        if event.is_set() or seconds is None:
            return await event.wait()
        waiting: asyncio.Future[Any] = asyncio.ensure_future(event.wait())
        alarm: asyncio.Future[Any] = self._alarm(max(0.0, seconds))
        if seconds <= 0:
            alarm.set_result(None)
        try:
            await asyncio.wait({waiting, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            alarm.cancel()
        return event.is_set()

    async def advance(self, seconds: float) -> None:
        """Lets time pass: wakes whoever's time has come, one after the other."""
        end = self._elapsed + seconds
        await settle()
        while self._alarms and self._alarms[0][0] <= end:
            at, _, alarm = heapq.heappop(self._alarms)
            if not alarm.done():
                self._elapsed = at
                alarm.set_result(None)
                await settle()
        self._elapsed = end
        await settle()

    def spend(self, seconds: float) -> None:
        """Lets time pass in the middle of something, as a slow answer does. Nobody wakes before `advance`."""
        self._elapsed += seconds

    def jump(self, seconds: float) -> None:
        """Moves the wall clock alone, forwards or back, as NTP or a user does. Nobody wakes."""
        self._start += timedelta(seconds=seconds)

    def _alarm(self, seconds: float) -> asyncio.Future[None]:
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._alarms, (self._elapsed + seconds, next(self._order), alarm))
        return alarm
