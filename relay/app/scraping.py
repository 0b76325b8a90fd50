"""How things stand when somebody asks for the metrics."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping, Sequence

from relay.engine.channel_loop import ChannelLoop
from relay.model.alert import Alert
from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.server.metrics import Metrics, Standing, WatchAge
from relay.store import Queue, Store
from relay.watch.supervisor import Supervisor

_KEPT = 2.0
"""Seconds for which what was counted is told again: it makes many that scrape no burden."""
_SHARE = 10
"""Counting takes at most this part of the time: where very much waits, it is counted less often."""
_PATIENCE = 5.0
"""Seconds that a scrape waits for the store: Prometheus itself waits for ten."""


class Queues:
    """How much waits in each channel, counted when somebody asks, and not too often."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._found: Mapping[str, Queue] | None = None
        self._until = clock.monotonic()
        self._counting: asyncio.Task[None] | None = None

    async def read(self) -> Mapping[str, Queue] | None:
        """Return what waits, by channel; None if the store does not say so in time."""
        if self._counting is None and self._clock.monotonic() >= self._until:
            self._counting = asyncio.create_task(self._count(), name="count queues")
        if self._counting is None:
            return self._found
        done, _ = await asyncio.wait({self._counting}, timeout=_PATIENCE)
        return self._found if done else None

    async def close(self) -> None:
        """Wait for nothing any more."""
        if self._counting is not None:
            self._counting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._counting

    async def _count(self) -> None:
        began = self._clock.monotonic()
        try:
            self._found = await self._store.queues(self._clock.now())
        except StoreError:
            self._found = None
        finally:
            now = self._clock.monotonic()
            self._until = now + max(_KEPT, _SHARE * (now - began))
            self._counting = None


class Scraping:
    """Puts together how things stand. What it is given returns what is there by then."""

    def __init__(
        self,
        metrics: Metrics,
        queues: Queues,
        clock: Clock,
        holder: str,
        *,
        troubles: Callable[[], Mapping[str, str]],
        loops: Callable[[], Mapping[str, ChannelLoop]],
        alerts: Callable[[], Collection[Alert]],
        supervisors: Callable[[], Sequence[Supervisor]],
    ) -> None:
        self._metrics = metrics
        self._queues = queues
        self._clock = clock
        self._holder = holder
        self._troubles = troubles
        self._loops = loops
        self._alerts = alerts
        self._supervisors = supervisors

    async def __call__(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics in a form that is accepted, and its content type."""
        queues = await self._queues.read()
        now = self._clock.monotonic()
        standing = Standing(
            self._clock.now(),
            self._holder,
            self._troubles(),
            [loop.health for loop in self._loops().values()],
            queues,
            self._alerts(),
            [WatchAge(each.watcher.watch, each.age(now), each.behind(now)) for each in self._supervisors()],
        )
        return self._metrics.exposition(standing, accept)
