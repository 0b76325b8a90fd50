"""What happens, as it happens: read from the store once, for everybody who listens."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import structlog

from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.model.event import Event
from relay.model.steps import Step
from relay.store import Store

_log = structlog.get_logger("relay.server.stream")

_KEPT: Final = 1000
_PAGE: Final = 200
_PAUSE: Final = 0.25
"""Seconds between two reads: what comes meanwhile is read at once."""
_AFTER_FAILURE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Item:
    """An event in the order in which the store took it: ``seq`` grows."""

    seq: int
    event: Event


class Stream:
    """The latest events, and word of everything else that changes.

    ``step`` is told what the store has done. Each listener has a place of its own in the order of events, so
    one that is slow holds up nobody: what is no longer kept here it reads from the store.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._latest: deque[Item] = deque(maxlen=_KEPT)
        self._dirty = asyncio.Event()
        self._turn = asyncio.Condition()
        self.newest = 0
        self.changes = 0
        """How often a delivery, or something else that is no event, has changed since the start."""
        self.closed = False

    def step(self, step: Step) -> None:
        """Note that something was made durable."""
        if step in (Step.SETTLED, Step.REWRITTEN, Step.COMMITTED):
            self.changes += 1
            self._dirty.set()

    async def start(self) -> None:
        """Begin with what comes from now on. Raises StoreError."""
        self.newest = await self._store.newest_event()

    async def run(self) -> None:
        """Read what is new, for ever."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                while await self._read():
                    pass
            except StoreError as error:
                _log.warning("the live stream waits for the store", error=str(error))
                self._dirty.set()
                await self._clock.sleep(_AFTER_FAILURE)
            await self._announce()
            await self._clock.sleep(_PAUSE)

    async def _read(self) -> bool:
        newest = await self._store.newest_event()
        if newest - self.newest > _KEPT:
            # More than is kept, as when a relay catches up: whoever listens reads it from the store.
            self._latest.clear()
            self.newest = newest
        rows = await self._store.events_after(self.newest, _PAGE)
        self._latest.extend(Item(seq, event) for seq, event in rows)
        if rows:
            self.newest = rows[-1][0]
        return len(rows) == _PAGE

    async def _announce(self) -> None:
        async with self._turn:
            self._turn.notify_all()

    async def close(self) -> None:
        """Let all who wait go."""
        self.closed = True
        await self._announce()

    async def wait(self, seq: int, changes: int) -> None:
        """Wait until there is an event after ``seq``, or until more has changed than ``changes`` times."""
        async with self._turn:
            await self._turn.wait_for(lambda: self.closed or self.newest > seq or self.changes > changes)

    def keeps(self, seq: int) -> bool:
        """Tell whether everything after a place is kept here, and need not be read from the store."""
        return self.newest <= seq or (bool(self._latest) and self._latest[0].seq <= seq + 1)

    async def after(self, seq: int) -> Sequence[Item]:
        """Return the events after a place, a page of them. Raises StoreError."""
        if self.keeps(seq):
            return list(islice((each for each in self._latest if each.seq > seq), _PAGE))
        return [Item(*row) for row in await self._store.events_after(seq, _PAGE)]
