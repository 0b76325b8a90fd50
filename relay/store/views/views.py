"""What people look at: every listing of the API and the pages."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from relay.model.alert import Alert
from relay.model.delivery import Delivery, DeliveryState
from relay.model.event import Event
from relay.model.evidence import Entry
from relay.model.trust import Kept
from relay.store import reads, trust
from relay.store.deeds import Deed
from relay.store.evidence import Stretch
from relay.store.views import happenings, outbox, proofs, repositories, statistics
from relay.store.views.happenings import AlertQuery, EventQuery, Start, Taken
from relay.store.views.outbox import Count, DeliveryQuery, DeliveryView
from relay.store.views.paging import Page
from relay.store.views.proofs import DeedQuery
from relay.store.views.repositories import Name, RepositoryQuery
from relay.store.views.statistics import Backlog, Statistics

T = TypeVar("T")


class _Read(Protocol):
    """Runs a function of a connection on the thread for what people look at."""

    async def __call__(self, reader: Callable[..., T], *arguments: Any) -> T:
        """Return what the function returns. Raises StoreError."""


class Views:
    """Listings, page by page, the newest first. All methods raise StoreError if the database fails."""

    def __init__(self, read: _Read) -> None:
        self._read = read

    async def events(self, wanted: EventQuery) -> Page[Taken, int]:
        """Return a page of events."""
        return await self._read(happenings.list_events, wanted)

    async def event(self, id: str) -> Taken | None:
        """Return an event by its whole id, None if there is none."""
        return await self._read(happenings.one_event, id)

    async def told(self, ids: Collection[str]) -> dict[str, Event]:
        """Return the events by their ids; those that are gone are left out."""
        return await self._read(reads.read_events, ids)

    async def alerts(self, wanted: AlertQuery) -> Page[Alert, Start]:
        """Return a page of alerts."""
        return await self._read(happenings.list_alerts, wanted)

    async def alert(self, id: str) -> Alert | None:
        """Return an alert by its whole id, None if there is none."""
        return await self._read(happenings.one_alert, id)

    async def deliveries(self, wanted: DeliveryQuery) -> Page[Delivery, int]:
        """Return a page of deliveries."""
        return await self._read(outbox.list_deliveries, wanted)

    async def delivery(self, id: str) -> DeliveryView | None:
        """Return a delivery by its whole id with what belongs to it, None if there is none."""
        return await self._read(outbox.one_delivery, id)

    async def replayable(self, wanted: DeliveryQuery, after: int = 0, limit: int = 500) -> list[Delivery]:
        """Return deliveries that were not replayed yet, the earliest behind a ``seq`` first."""
        return await self._read(outbox.replayable, wanted, after, limit)

    async def count_states(
        self, channel: str | None = None, states: Collection[DeliveryState] = tuple(DeliveryState)
    ) -> dict[str, Count]:
        """Return how many deliveries are in each of these states, of a channel or of all, as far as counted.

        States without any are left out.
        """
        return await self._read(outbox.count_states, channel, outbox.COUNTED, states)

    async def backlogs(self, channels: Collection[str], now: datetime) -> dict[str, Backlog]:
        """Return what waits in each of these channels."""
        return await self._read(statistics.backlogs, channels, now)

    async def statistics(self, now: datetime, every: timedelta, slots: int) -> Statistics:
        """Return what finished in so many slots of time, each ``every`` long; the last one holds ``now``."""
        return await self._read(statistics.statistics, now, every, slots)

    async def deeds(self, wanted: DeedQuery) -> Page[Deed, int]:
        """Return a page of what users did."""
        return await self._read(proofs.list_deeds, wanted)

    async def evidence(self, wanted: Stretch, limit: int = 50) -> Page[Entry, int]:
        """Return a page of the evidence, the latest entries first."""
        return await self._read(proofs.list_evidence, wanted, limit)

    async def entry(self, seq: int) -> Entry | None:
        """Return an entry of the evidence by its number, None if there is none."""
        return await self._read(proofs.one_entry, seq)

    async def repositories(self, wanted: RepositoryQuery) -> Page[Kept, Name]:
        """Return a page of repositories, in the order of their names."""
        return await self._read(repositories.list_repositories, wanted)

    async def repository(self, key: str) -> Kept | None:
        """Return what is kept of a repository by its key (see ``trust_key``), None if nothing is."""
        return (await self._read(trust.kept, [key])).get(key)
