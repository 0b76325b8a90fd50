"""Seeing that what should move moves: the store answers, and every channel's loop takes what is due."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from relay.engine.channel_loop import ChannelLoop
from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.store import Store

_EVERY = 15.0
_STILL = 300.0
"""Seconds for which a channel's loop may leave alone what is due: longer than any of its own waits."""
_SILENT = 30.0
"""Seconds for which the store may leave a small question unanswered."""


class Watchdog:
    """Asks the store and the channels' loops now and then. ``loops`` returns those that run."""

    def __init__(self, store: Store, clock: Clock, loops: Callable[[], Mapping[str, ChannelLoop]]) -> None:
        self._store = store
        self._clock = clock
        self._loops = loops
        self._asked: float | None = None
        self._failed: str | None = None
        self._stuck: dict[str, str] = {}

    @property
    def troubles(self) -> Mapping[str, str]:
        """What is wrong, by part."""
        found = dict(self._stuck)
        if self._failed is not None:
            found["store"] = self._failed
        waited = 0.0 if self._asked is None else self._clock.monotonic() - self._asked
        if waited > _SILENT:
            found["store"] = f"has not answered for {waited:.0f} seconds"
        return found

    async def run(self) -> None:
        """Look regularly, until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(_EVERY)

    async def look(self) -> None:
        """Look once."""
        self._asked = self._clock.monotonic()
        try:
            await self._store.last_beat()
            self._stuck = {
                f"channel {name}": reason
                for name, loop in self._loops().items()
                if (reason := await self._reason(loop)) is not None
            }
            self._failed = None
        except StoreError as error:
            self._failed = str(error)
        finally:
            self._asked = None

    async def _reason(self, loop: ChannelLoop) -> str | None:
        """Return why a loop does not move, None if it does or has nothing to do."""
        still = _STILL + loop.channel.timeout.total_seconds()
        idle = loop.idle
        if idle is None or idle < still:
            return None
        # The question that the loop asks itself: what waits behind something else is not due.
        due_at = await self._store.next_due(loop.channel.name, frozenset())
        if due_at is None or due_at > self._clock.now() - timedelta(seconds=still):
            return None
        return f"has left alone what is due for {idle:.0f} seconds"
