"""What users do to a relay: replay, enable, silence, acknowledge. All is written down with who and when."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from relay.engine.desk import Desk
from relay.engine.dispatch import Dispatcher
from relay.engine.gate import disable
from relay.engine.scene import Silences
from relay.model.alert import Alert
from relay.model.clock import Clock
from relay.model.delivery import ChannelHealth, Delivery, DeliveryState
from relay.model.errors import Exit, NotFoundError, RelayError
from relay.model.event import Event
from relay.model.ids import random_id
from relay.model.silence import Acknowledgement, Silence
from relay.store import Deed, DeliveryQuery, Store

REPLAYABLE = frozenset({DeliveryState.DELIVERED, DeliveryState.PARTIAL, DeliveryState.DEAD})
"""The states of what was sent, or refused for good: nothing of it will come by itself."""
_REPLAY_MOST = 10_000
_RANGE_MOST = 100_000
_REPLAY_PAGE = 500
"""Deliveries that are replayed in one transaction."""

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_SILENCE = timedelta(days=366)
_NOTE = 1000
"""Characters of a note or comment that are kept."""


class AmbiguousError(RelayError):
    """The beginning of an id fits several things."""


class OrderError(RelayError):
    """What was asked for cannot be meant."""

    exit = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many deliveries were replayed, and whether there may be more: then it is to be asked for again."""

    number: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Operator:
    """Carries out what users ask for.

    ``dispatcher`` and ``desk`` are None where no relay runs in this process.
    """

    store: Store
    clock: Clock
    source: random.Random
    dispatcher: Dispatcher | None = None
    desk: Desk | None = None

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
        """Send everything once more that a channel refused for good and that was not replayed yet.

        The earliest ones, if there are more than 10,000.
        """
        wanted = DeliveryQuery(channel=channel, states=[DeliveryState.DEAD])
        return [each async for page in self._replays(wanted, by, _REPLAY_MOST) for each in page]

    async def replay_range(
        self,
        state: DeliveryState,
        since: datetime,
        until: datetime,
        by: str,
        channel: str | None = None,
    ) -> Replayed:
        """Send once more what was made within a time, is in a state, and was not replayed yet.

        Each page of it is replayed as a whole or not at all; what is asked for again goes on behind what was.
        Raises OrderError.
        """
        if state not in REPLAYABLE:
            states = ", ".join(sorted(REPLAYABLE))
            raise OrderError(f"what is {state} cannot be replayed: give one of {states}")
        # What is replayed now is not replayed again, however long it takes.
        until = min(until, self.clock.now())
        if since >= until:
            raise OrderError("the time is over before it begins: since must be before until, and in the past")
        wanted = DeliveryQuery(channel=channel, states=[state], since=since, until=until)
        number = 0
        async for page in self._replays(wanted, by, _RANGE_MOST):
            number += len(page)
        return Replayed(number, more=number == _RANGE_MOST)

    async def _replays(self, wanted: DeliveryQuery, by: str, most: int) -> AsyncIterator[list[Delivery]]:
        after = 0
        while most > 0:
            page = await self.store.views.replayable(wanted, after, min(most, _REPLAY_PAGE))
            if not page:
                return
            after = page[-1].seq
            added = await self._replay(page, by, fresh=True)
            # What somebody else has replayed meanwhile does not count: there may be more behind it.
            most -= len(added)
            yield added

    async def _replay(self, originals: Sequence[Delivery], by: str, *, fresh: bool = False) -> list[Delivery]:
        now = self.clock.now()
        replays: list[tuple[Delivery, Deed]] = []
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
                ready_at=now,
                finished_at=None,
                gathered=False,
                merged_into=None,
                note=None,
            )
            replays.append((copy, Deed(now, by, "replay", original.id, copy.id)))
        added = await self.store.add_replays(replays, fresh=fresh)
        if self.dispatcher is not None:
            self.dispatcher.wake({copy.channel for copy in added})
        return added

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

    async def silence(
        self,
        matchers: Mapping[str, Any],
        starts_at: datetime,
        ends_at: datetime,
        by: str,
        comment: str,
        intervals: Sequence[Mapping[str, Any]] = (),
    ) -> Silence:
        """Keep what matches from being sent for a while. Raises OrderError, or StoreError."""
        now = self.clock.now()
        if not any(matchers.values()):
            raise OrderError("a silence has to match something: to silence everything write type: '*'")
        if ends_at <= max(starts_at, now):
            raise OrderError("the silence would be over before it begins: its end must be in the future")
        if ends_at - starts_at > _LONGEST_SILENCE:
            raise OrderError("a silence lasts a year at the most")
        silence = Silence(
            random_id("sil", self.source),
            dict(matchers),
            starts_at,
            ends_at,
            by,
            comment[:_NOTE],
            now,
            tuple(intervals),
        )
        try:
            Silences([silence])
        except ValidationError as error:
            raise OrderError(f"the silence cannot be used: {_first(error)}") from None
        await self._desk().silence(silence, Deed(now, by, "silence", silence.id, comment[:_NOTE]))
        return silence

    async def find_silence(self, prefix: str, *, ended: bool = False) -> Silence:
        """Return the silence, not yet over unless ``ended``, whose id begins so.

        Raises NotFoundError or AmbiguousError.
        """
        now = self.clock.now()
        known = await self.store.silences(_EVER if ended else now)
        found = [each for each in known if each.id.startswith(prefix)]
        found = [each for each in found if each.id == prefix] or found
        if not prefix.startswith("sil_") or not found:
            which, every = ("", " --all") if ended else (" that holds or will", "")
            raise NotFoundError(f"there is no silence {prefix}{which}: msr-relay silences{every} lists them")
        if len(found) > 1:
            raise AmbiguousError(f"several silences begin with {prefix}: give more of the id")
        return found[0]

    async def expire(self, prefix: str, by: str) -> Silence:
        """End a silence now: what it holds back and still counts is sent. Raises as ``find_silence``."""
        now = self.clock.now()
        silence = await self.find_silence(prefix)
        ended = replace(silence, starts_at=min(silence.starts_at, now), ends_at=now)
        await self._desk().silence(ended, Deed(now, by, "expire", silence.id))
        await self._look_again(DeliveryState.SILENCED)
        return ended

    async def find_alert(self, prefix: str) -> Alert:
        """Return the alert, open or ended, whose id begins so, or that such an event tells of.

        Raises NotFoundError or AmbiguousError.
        """
        found = await self.store.find_alerts(prefix) if prefix.startswith("alr_") else []
        if prefix.startswith("evt_"):
            told = {each.alert for each in await self.store.find_events(prefix) if each.alert is not None}
            found = [alert for id in sorted(told) for alert in await self.store.find_alerts(id)]
        found = [each for each in found if each.id == prefix] or found
        if not found:
            raise NotFoundError(f"there is no alert {prefix}: msr-relay alerts --all lists them")
        if len(found) > 1:
            raise AmbiguousError(f"several alerts begin with {prefix}: give more of the id")
        return found[0]

    async def find_thread(self, prefix: str) -> str:
        """Return the id of the open alert or the one-off event whose id begins so.

        Raises NotFoundError, AmbiguousError, or OrderError for an alert that has ended.
        """
        alerts = await self.store.find_alerts(prefix) if prefix.startswith("alr_") else []
        events = await self.store.find_events(prefix) if prefix.startswith("evt_") else []
        found: list[Alert | Event] = [*alerts, *events]
        exact = [each for each in found if each.id == prefix] or found
        if not exact:
            raise NotFoundError(
                f"there is no alert or event {prefix}: msr-relay alerts lists what is wrong now"
            )
        if len(exact) > 1:
            raise AmbiguousError(f"several begin with {prefix}: give more of the id")
        (about,) = exact
        if isinstance(about, Event) and about.alert is not None:
            return await self.find_thread(about.alert)
        if isinstance(about, Alert) and about.ends_at is not None:
            raise OrderError(f"{about.summary}: that ended at {about.ends_at:%Y-%m-%d %H:%M} UTC")
        return about.id

    async def acknowledge(
        self, prefix: str, by: str, note: str = "", until: datetime | None = None, via: str = "cli"
    ) -> Acknowledgement:
        """Note that somebody takes care of an alert, or has taken note of an event.

        Nothing of it is repeated or escalated until ``until`` (None: until it resolves). Raises as
        ``find_thread``, or OrderError.
        """
        now = self.clock.now()
        if until is not None and until <= now:
            raise OrderError("the acknowledgement would be over already: its end must be in the future")
        made = Acknowledgement(await self.find_thread(prefix), by, now, note[:_NOTE], until, via)
        await self._desk().acknowledge(made, Deed(now, by, "acknowledge", made.thread, note[:_NOTE]))
        return made

    async def unacknowledge(self, prefix: str, by: str) -> str:
        """Take an acknowledgement back: repeats and escalations go on. Raises as ``find_thread``."""
        thread = await self.find_thread(prefix)
        await self._desk().unacknowledge(thread, Deed(self.clock.now(), by, "unacknowledge", thread))
        await self._look_again(DeliveryState.ACKNOWLEDGED)
        return thread

    def _desk(self) -> Desk:
        return self.desk or Desk(self.store)

    async def _look_again(self, state: DeliveryState) -> None:
        await self.store.look_again(state, self.clock.now())
        if self.dispatcher is not None:
            self.dispatcher.wake(self.dispatcher.loops)


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
