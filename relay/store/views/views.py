"""What people look at: every listing of the API and the pages."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from relay.model.alert import Alert
from relay.model.delivery import Delivery
from relay.store.views import happenings, outbox
from relay.store.views.happenings import AlertQuery, EventQuery, Start, Taken
from relay.store.views.outbox import Count, DeliveryQuery, DeliveryView
from relay.store.views.paging import Page

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

    async def count_states(self, channel: str | None = None) -> dict[str, Count]:
        """Return how many deliveries are in each state, of a channel or of all: up to a bounded number."""
        return await self._read(outbox.count_states, channel)
