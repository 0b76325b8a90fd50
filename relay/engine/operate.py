"""What users do to a relay: replay, enable, disable. Everything is written down with who and when."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from relay.engine.dispatch import Dispatcher
from relay.engine.gate import disable
from relay.model.clock import Clock
from relay.model.delivery import ChannelHealth, Delivery, DeliveryState
from relay.model.errors import NotFoundError, RelayError
from relay.model.ids import random_id
from relay.store import Deed, Filter, Store

_REPLAY_MOST = 10_000


class AmbiguousError(RelayError):
    """The beginning of an id fits several things."""


@dataclass(frozen=True, slots=True)
class Operator:
    """Carries out what users ask for; ``dispatcher`` is None where no relay runs in this process."""

    store: Store
    clock: Clock
    source: random.Random
    dispatcher: Dispatcher | None = None

    async def find(self, prefix: str) -> Delivery:
        """Return the delivery whose id begins so. Raises NotFoundError or AmbiguousError."""
        if not prefix.startswith("dlv_"):
            raise NotFoundError(f"{prefix or 'nothing'} is no delivery's id: those begin with dlv_")
        found = await self.store.find_deliveries(prefix)
        exact = [delivery for delivery in found if delivery.id == prefix]
        if len(exact or found) > 1:
            raise AmbiguousError(f"several deliveries begin with {prefix}: give more of the id")
        if not found:
            raise NotFoundError(f"there is no delivery {prefix}: msr-relay deliveries lists them")
        return (exact or found)[0]

    async def replay(self, ids: Sequence[str], by: str) -> list[Delivery]:
        """Send deliveries once more, under new ids. Raises NotFoundError or AmbiguousError."""
        return await self._replay([await self.find(id) for id in ids], by)

    async def replay_dead(self, channel: str, by: str) -> list[Delivery]:
        """Send everything once more that a channel refused for good and that was not replayed yet."""
        wanted = Filter(channel=channel, state=DeliveryState.DEAD, limit=_REPLAY_MOST)
        dead = await self.store.list_deliveries(wanted)
        again = await self.store.replayed([delivery.id for delivery in dead])
        return await self._replay([each for each in reversed(dead) if each.id not in again], by)

    async def _replay(self, originals: Sequence[Delivery], by: str) -> list[Delivery]:
        now = self.clock.now()
        copies = []
        for original in originals:
            copy = replace(
                original,
                id=random_id("dlv", self.source),
                state=self._state(original.channel),
                created_at=now,
                due_at=now,
                attempts=0,
                settled=(),
                delivered_to=(),
                receipt=None,
                replay_of=original.id,
                last_error=None,
            )
            await self.store.add_replay(copy, Deed(now, by, "replay", original.id, copy.id))
            copies.append(copy)
        if self.dispatcher is not None:
            self.dispatcher.wake({copy.channel for copy in copies})
        return copies

    def _state(self, channel: str) -> DeliveryState:
        """Return the state of a new delivery: for a channel that is not configured it waits until that is."""
        unknown = self.dispatcher is not None and channel not in self.dispatcher.loops
        return DeliveryState.HELD if unknown else DeliveryState.PENDING

    async def disable(self, channel: str, by: str, reason: str) -> None:
        """Send nothing more to a channel until it is enabled; what waits for it is kept."""
        await self.store.record(Deed(self.clock.now(), by, "disable", channel, reason))
        loop = self.dispatcher.loops.get(channel) if self.dispatcher else None
        if loop is not None:
            await loop.disable(by, reason)
            return
        health = (await self.store.healths()).get(channel, ChannelHealth(channel))
        await self.store.save_health(disable(health, self.clock.now(), by, reason))

    async def enable(self, channel: str, by: str) -> None:
        """Send to a channel again, at once."""
        await self.store.record(Deed(self.clock.now(), by, "enable", channel))
        loop = self.dispatcher.loops.get(channel) if self.dispatcher else None
        if loop is not None:
            await loop.enable()
            return
        await self.store.hasten(channel, self.clock.now())
        await self.store.save_health(ChannelHealth(channel))
