"""Letting requests to one replica share its connection, as long as they are quick."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relay.model.clock import Clock

_PATIENCE = 0.25
"""Seconds that a request waits for the one before it: a replica that is slow, or hangs, must not make the
others late."""


class Turns:
    """What is asked of one place at the same moment is asked one after the other, on one connection.

    A connection costs a TLS handshake and some hundred KiB, far more than what is asked on it. Whoever has
    waited for long enough goes ahead, on a connection of its own.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def take(self, place: str) -> AsyncIterator[None]:
        """Wait for one's turn, and have it until the block ends."""
        before, mine = self._last.get(place), asyncio.Event()
        self._last[place] = mine
        try:
            if before is not None:
                await self._clock.wait(before, _PATIENCE)
            yield
        finally:
            mine.set()
            # One that went ahead, or was given up, may have been the last, and has gone already.
            if self._last.get(place) is mine:
                del self._last[place]
