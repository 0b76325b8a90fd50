"""What the relay does beside its work: chores that go on for ever, and the heartbeats."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import structlog

from relay.engine.anchoring import Anchoring
from relay.engine.heartbeat import Greeting, Switch
from relay.model.clock import Clock

_log = structlog.get_logger("relay.app")

_PAUSE = 5.0

Chore = Callable[[], Awaitable[None]]
Heartbeat = Switch | Greeting | Anchoring


async def cancel(tasks: list[asyncio.Task[None]]) -> None:
    """End tasks, and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def for_ever(chore: Chore, clock: Clock) -> None:
    """Do a chore until cancelled; one that fails is logged and begun anew, for nobody else would notice."""
    while True:
        try:
            return await chore()
        except Exception:
            _log.exception("a chore failed")
            await clock.sleep(_PAUSE)


class Heartbeats:
    """The heartbeats that are configured. ``make`` returns what keeps one beating."""

    def __init__(self, make: Callable[[Heartbeat], Chore], clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._beating: dict[Heartbeat, asyncio.Task[None]] = {}

    async def follow(self, wanted: Iterable[Heartbeat]) -> None:
        """Go on with these alone; one that was there before goes on as if nothing had happened."""
        before, self._beating = self._beating, {}
        for each in wanted:
            self._beating[each] = before.pop(each) if each in before else self._begin(each)
        await cancel(list(before.values()))

    def _begin(self, each: Heartbeat) -> asyncio.Task[None]:
        return asyncio.create_task(for_ever(self._make(each), self._clock), name=f"heartbeat {each.name}")
