"""``/``: how everything stands, on one page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web

from relay.channels import Channel
from relay.engine.scene import Scene
from relay.model.alert import Alert, AlertState
from relay.model.delivery import ChannelHealth, DeliveryState
from relay.model.observation import Watch
from relay.server.api.documents import AlertDocument
from relay.server.pages import charts
from relay.server.pages.base import Visitor, page
from relay.server.pages.clusters import STATUS, ClusterView, cluster_view
from relay.server.service import Running, Service
from relay.store import Backlog, Count, EventQuery, Statistics
from relay.watch.roll import Roll, roll_scope

_FIRING: Final = 20
_EVENTS: Final = 10
_EVERY: Final = timedelta(minutes=2)
_SLOTS: Final = 30
_FRESH: Final = timedelta(seconds=15)
"""For so long a chart's figures are shown again: they cost more than all the rest."""


@dataclass(frozen=True, slots=True)
class ChannelView:
    """A channel, what waits in it, and how much of it is dead, or held until it is configured again."""

    health: ChannelHealth
    kind: str | None
    backlog: Backlog
    dead: Count
    held: Count


class Overview:
    """The page."""

    def __init__(self, service: Callable[[], Service]) -> None:
        self._service = service
        self._statistics: Statistics | None = None
        self._counted_at: datetime | None = None

    def routes(self) -> list[web.RouteDef]:
        """Return what is to be routed here."""
        return [web.get("/", page(self._service, self.show))]

    async def show(self, visitor: Visitor) -> web.Response:
        """Show how everything stands. Raises StoreError."""
        service = visitor.service
        running, store, now = service.running(), service.operator.store, service.operator.clock.now()
        firing = firing_alerts(running.scene)
        taken = await store.views.events(EventQuery(limit=_EVENTS))
        statistics = await self._lately(service, now)
        rows = charts.rows_of(statistics)
        return visitor.page(
            "overview",
            troubles=running.troubles,
            since=running.since,
            now=now,
            firing=[AlertDocument.of(each, running.scene, now) for each in firing[:_FIRING]],
            more=max(0, len(firing) - _FIRING),
            clusters=await _cluster_views(service, running),
            channels=await channel_views(service, now),
            events=[each.event for each in taken.rows],
            statistics=statistics,
            rows=rows,
            rate=charts.rate(rows),
            latency=charts.latency(rows),
            width=charts.WIDTH,
            height=charts.HEIGHT,
        )

    async def _lately(self, service: Service, now: datetime) -> Statistics:
        fresh = self._counted_at is not None and timedelta(0) <= now - self._counted_at < _FRESH
        if self._statistics is None or not fresh:
            self._statistics = await service.operator.store.views.statistics(now, _EVERY, _SLOTS)
            self._counted_at = now
        return self._statistics


async def _cluster_views(service: Service, running: Running) -> list[ClusterView]:
    found = []
    for cluster in service.settings.clusters:
        written = await service.operator.store.cursor(roll_scope(Watch(cluster.name, STATUS)))
        found.append(cluster_view(cluster, running, Roll.read(written)))
    return found


def firing_alerts(scene: Scene) -> list[Alert]:
    """Return what fires, the worst first, of equals the latest first."""
    firing = [each for each in scene.alerts.values() if each.state is AlertState.FIRING]
    return sorted(firing, key=lambda each: (-each.severity.rank, -each.starts_at.timestamp(), each.id))


async def channel_views(service: Service, now: datetime, only: str | None = None) -> list[ChannelView]:
    """Return the channels, the configured ones first; ``only`` one of them, none if there is none.

    Raises StoreError.
    """
    store = service.operator.store
    configured: Mapping[str, Channel] = {each.name: each for each in service.settings.destinations}
    healths = await store.healths()
    names = [*configured, *sorted(set(healths) - set(configured))]
    names = [each for each in names if only in (None, each)]
    backlogs = await store.views.backlogs(names, now)
    found = []
    for name in names:
        counts = await store.views.count_states(name, (DeliveryState.DEAD, DeliveryState.HELD))
        kind = configured[name].kind if name in configured else None
        dead, held = (counts.get(each, Count(0)) for each in (DeliveryState.DEAD, DeliveryState.HELD))
        found.append(ChannelView(healths.get(name, ChannelHealth(name)), kind, backlogs[name], dead, held))
    return found
