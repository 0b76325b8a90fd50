"""Time, handed in: nothing in the product reads a clock that it was not given."""

import asyncio
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Final, Protocol

EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)
"""The first and the last moment that the wall clocks of all zones can tell."""


def tellable(at: datetime) -> datetime:
    """Return an aware time. Raises ValueError for one that not all zones can tell."""
    # Compared as they are: what is beyond the calendar in UTC cannot be brought there.
    if not EARLIEST <= at <= LATEST:
        raise ValueError(f"must lie between {EARLIEST.date()} and {LATEST.date()}")
    return at


class Clock(Protocol):
    """A source of time. Tests hand in one that they move by hand."""

    def now(self) -> datetime:
        """The wall clock, aware and in UTC. It may jump."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock (at once for zero or less)."""

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Wait for an event, at most that many seconds (None: for ever); tell whether it was set."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The machine's wall clock in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The machine's monotonic clock, in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(max(0.0, seconds))

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        """Wait on the running event loop."""
        waiting: Awaitable[object] = event.wait()
        try:
            async with asyncio.timeout(seconds):
                await waiting
        except TimeoutError:
            return False
        return True
