"""``/``: how everything stands, on one page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from aiohttp import web

from relay.channels import Channel
from relay.engine.scene import Scene
from relay.model.alert import Alert, AlertState
from relay.model.delivery import ChannelHealth, DeliveryState
from relay.model.event import SubjectKind
from relay.model.severity import Severity
from relay.server.api.documents import AlertDocument
from relay.server.api.resources.clusters import cluster_document
from relay.server.pages import charts
from relay.server.pages.base import Visitor, page
from relay.server.service import Running, Service, Watched
from relay.settings import ClusterSettings
from relay.store import Backlog, Count, EventQuery, Statistics

_FIRING: Final = 20
_EVENTS: Final = 10
_EVERY: Final = timedelta(minutes=2)
_SLOTS: Final = 30
_FRESH: Final = timedelta(seconds=15)
"""For so long a chart's figures are shown again: they cost more than all the rest."""
_STATUS: Final = "cluster_status"
"""The watcher that counts replicas."""
_RANK: Final = ("quorum.lost", "cluster.split_brain", "quorum.at_risk")


class Health(StrEnum):
    """How something stands. What cannot be read is never good."""

    GOOD = "good"
    UNKNOWN = "unknown"
    RISK = "at risk"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica as it is asked: why it cannot be read, None if it can; the alerts about it."""

    name: str
    health: Health
    says: str
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A cluster: how its quorum stands, in words too, its replicas and its watchers."""

    settings: ClusterSettings
    quorum: Health
    says: str
    replicas: tuple[ReplicaView, ...]
    watched: tuple[Watched, ...]
    open_alerts: int


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
            clusters=[cluster_view(each, running) for each in service.settings.clusters],
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


def cluster_view(cluster: ClusterSettings, running: Running) -> ClusterView:
    """Return how a cluster stands, by what its watchers could read and by what fires."""
    mine = [each for each in running.scene.alerts.values() if each.cluster == cluster.name]
    firing = [each for each in mine if each.state is AlertState.FIRING]
    watched = tuple(each for each in running.watched if each.look.watch.cluster == cluster.name)
    quorum, says = _quorum(firing, watched)
    return ClusterView(
        cluster,
        quorum,
        says,
        tuple(_replica(each.name, firing, watched) for each in cluster.members()),
        watched,
        cluster_document(cluster, running).open_alerts,
    )


def _quorum(firing: Sequence[Alert], watched: Sequence[Watched]) -> tuple[Health, str]:
    by_type = {each.type: each for each in firing}
    for name in _RANK:
        if name in by_type:
            health = Health.RISK if name == "quorum.at_risk" else Health.BAD
            return health, by_type[name].summary
    status = next((each for each in watched if each.look.watch.watcher == _STATUS), None)
    if status is None:
        return Health.UNKNOWN, f"The watcher {_STATUS} is off: nobody counts its replicas."
    look = status.look
    if look.at is None:
        return Health.UNKNOWN, "No watcher has looked yet."
    if status.late is not None:
        return Health.UNKNOWN, "The last look is too long ago to tell."
    unread = set(look.sources) & set(look.unread)
    if unread == set(look.sources):
        return Health.UNKNOWN, "None of its replicas can be read."
    if unread:
        few = f"{len(unread)} of {len(look.sources)} replicas cannot be read"
        return Health.UNKNOWN, f"{few}; what the others say is no lack of a quorum."
    trouble = max(filter(_is_its_own, firing), key=lambda each: each.severity.rank, default=None)
    if trouble is not None:
        return Health.RISK, f"It has a quorum, but: {trouble.summary}"
    return Health.GOOD, "It has a quorum."


def _is_its_own(alert: Alert) -> bool:
    """Tell whether an alert is about the cluster itself, not about what lies in it."""
    about_replica = alert.subject.kind is SubjectKind.REPLICA
    return about_replica or (
        alert.subject.kind in (SubjectKind.CLUSTER, SubjectKind.ISSUE) and alert.severity >= Severity.ERROR
    )


def _replica(name: str, firing: Sequence[Alert], watched: Sequence[Watched]) -> ReplicaView:
    about = tuple(
        each
        for each in firing
        if each.subject.kind is SubjectKind.REPLICA and name in (each.subject.name, *each.subject.replicas)
    )
    asked = [each for each in watched if name in each.look.sources and each.look.at is not None]
    unread = [each.look.unread[name] for each in asked if name in each.look.unread]
    if about:
        return ReplicaView(name, Health.BAD, about[0].summary, about)
    if unread:
        return ReplicaView(name, Health.UNKNOWN, unread[0], about)
    if not asked or any(each.late is not None for each in asked):
        return ReplicaView(name, Health.UNKNOWN, "not looked at lately", about)
    return ReplicaView(name, Health.GOOD, "answers", about)
