"""Clusters: what each watcher saw last, and when it looks next."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from pydantic import AwareDatetime, Field

from relay.config import format_duration
from relay.model.access import Scope
from relay.model.alert import Alert, AlertState
from relay.model.errors import NotFoundError
from relay.server.api.operation import Call, Document, Nothing, Operation
from relay.server.service import Running, Service, Watched
from relay.settings import ClusterSettings

TAG: Final = "clusters"


class SourceDocument(Document):
    """One thing that a watcher asks: a replica, a repository's feed."""

    source: str
    unread: str | None = Field(description="why it could not be read at the last look; null: it could")


class WatcherDocument(Document):
    """A watcher of a cluster."""

    watcher: str
    every: str
    looked_at: AwareDatetime | None = Field(description="when its last look ended; null: there was none")
    due_at: AwareDatetime | None = Field(description="when it looks next; null: it is looking")
    late_seconds: float | None = Field(description="for how long it has not looked, if that is too long")
    lag_seconds: float | None = Field(
        description="how long ago the last look began that could read everything; without one, since it runs"
    )
    sources: list[SourceDocument]


class ClusterDocument(Document):
    """An installation of MSR that is watched."""

    name: str
    url: str
    replicas: list[str] = Field(description="the URLs that are asked each by itself")
    labels: dict[str, str]
    watchers: list[WatcherDocument]
    firing: int = Field(description="how many alerts of it fire; pending ones do not count")
    readable: bool | None = Field(
        description="false: nothing of it can be read; null: no watcher has looked yet, or all are late"
    )


class Clusters(Document):
    """All clusters, in the order of the configuration."""

    items: list[ClusterDocument]


async def list_clusters(call: Call[Nothing, None]) -> Clusters:
    """List the clusters with what each watcher saw last."""
    running = call.service.running()
    return Clusters(items=[cluster_document(each, running) for each in call.service.settings.clusters])


async def show_cluster(call: Call[Nothing, None]) -> ClusterDocument:
    """Show one cluster."""
    name = call.path["cluster"]
    found = next((each for each in call.service.settings.clusters if each.name == name), None)
    if found is None:
        raise NotFoundError(f"there is no cluster {name}; configured: {_names(call.service)}")
    return cluster_document(found, call.service.running())


def _names(service: Service) -> str:
    return ", ".join(each.name for each in service.settings.clusters) or "none"


def cluster_document(cluster: ClusterSettings, running: Running) -> ClusterDocument:
    """Return what is known of a cluster now."""
    mine = [each for each in running.watched if each.look.watch.cluster == cluster.name]
    return ClusterDocument(
        name=cluster.name,
        url=cluster.url or next(iter(cluster.replicas), ""),
        replicas=list(cluster.replicas),
        labels=dict(cluster.labels),
        watchers=[_watcher(each) for each in mine],
        firing=len(firing(running, cluster.name)),
        readable=_readable(mine),
    )


def firing(running: Running, cluster: str) -> list[Alert]:
    """Return the alerts of a cluster that fire."""
    alerts = running.scene.alerts.values()
    return [each for each in alerts if each.cluster == cluster and each.state is AlertState.FIRING]


def _watcher(watched: Watched) -> WatcherDocument:
    look = watched.look
    return WatcherDocument(
        watcher=look.watch.watcher,
        every=format_duration(watched.every),
        looked_at=look.at,
        due_at=watched.due_at,
        late_seconds=watched.late,
        lag_seconds=watched.behind,
        sources=[SourceDocument(source=each, unread=look.unread.get(each)) for each in look.sources],
    )


def _readable(watched: Sequence[Watched]) -> bool | None:
    # What a watcher that hangs saw last says nothing of now.
    looks = [
        each.look for each in watched if each.late is None and each.look.at is not None and each.look.sources
    ]
    if not looks:
        return None
    return any(set(look.sources) - set(look.unread) for look in looks)


_NAME: Final = {"cluster": "the cluster's name"}

OPERATIONS: Final = (
    Operation("GET", "/clusters", list_clusters, Clusters, Scope.READ, TAG),
    Operation(
        "GET", "/clusters/{cluster}", show_cluster, ClusterDocument, Scope.READ, TAG,
        refusals=(HTTPStatus.NOT_FOUND,), path_texts=_NAME,
    ),
)  # fmt: skip
"""What can be asked of clusters."""
