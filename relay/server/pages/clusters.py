"""How a cluster stands, for the overview: never better than what was really seen. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.model.alert import Alert, AlertState
from relay.model.event import SubjectKind
from relay.model.quorum import quorum
from relay.model.severity import Severity
from relay.server.service import Running, Watched
from relay.settings import ClusterSettings
from relay.watch.roll import Roll

STATUS: Final = "cluster_status"
"""The watcher that counts replicas."""
_RANK: Final = ("quorum.lost", "cluster.split_brain", "quorum.at_risk")


class Health(StrEnum):
    """How something stands. What cannot be read is never good."""

    GOOD = "good"
    UNKNOWN = "unknown"
    RISK = "at risk"
    BAD = "bad"


_OF_REPLICAS: Final = {
    "replica.readonly": Health.RISK,
    "replica.stale": Health.BAD,
    "replica.unhealthy": Health.BAD,
    "replica.missing": Health.BAD,
}
"""What alerts say of a replica, the worst last: it has the last word."""


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica, by its id or as it is asked: how it stands, in words too, and the alerts about it."""

    name: str
    health: Health
    says: str
    alerts: tuple[Alert, ...]


@dataclass(frozen=True, slots=True)
class ClusterView:
    """A cluster: how its quorum stands, in words too, its replicas and its watchers.

    ``members`` are its replicas by their ids, as its status tells of them, ``replicas`` those that are asked.
    """

    settings: ClusterSettings
    quorum: Health
    says: str
    members: tuple[ReplicaView, ...]
    replicas: tuple[ReplicaView, ...]
    watched: tuple[Watched, ...]
    firing: int


def cluster_view(cluster: ClusterSettings, running: Running, roll: Roll) -> ClusterView:
    """Return how a cluster stands, by what its watchers could read and by what is wrong.

    ``roll`` has the replicas that it was last seen to have.
    """
    mine = [each for each in running.scene.alerts.values() if each.cluster == cluster.name]
    firing = [each for each in mine if each.state is AlertState.FIRING]
    watched = tuple(each for each in running.watched if each.look.watch.cluster == cluster.name)
    members = _members(mine, roll, seen=_seen(watched))
    health, says = _quorum(firing, watched, members)
    return ClusterView(
        cluster,
        health,
        says,
        members,
        tuple(_replica(each.name, firing, watched) for each in cluster.members()),
        watched,
        len(firing),
    )


def _quorum(
    firing: Sequence[Alert], watched: Sequence[Watched], members: Sequence[ReplicaView]
) -> tuple[Health, str]:
    by_type = {each.type: each for each in firing}
    for name in _RANK:
        if name in by_type:
            health = Health.RISK if name == "quorum.at_risk" else Health.BAD
            return health, by_type[name].summary
    status = next((each for each in watched if each.look.watch.watcher == STATUS), None)
    if status is None:
        return Health.UNKNOWN, f"The watcher {STATUS} is off: nobody counts its replicas."
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
    healthy = sum(each.health is not Health.BAD for each in members)
    counted = f"{healthy} of {len(members)} replicas healthy, it needs {quorum(len(members))}"
    if members and healthy < quorum(len(members)):
        # Before the alert that says so fires: what it waits for may pass, but it is not good meanwhile.
        return Health.BAD, f"Too few replicas: {counted}."
    if healthy < len(members):
        return Health.RISK, f"It has a quorum: {counted}."
    trouble = max(filter(_is_its_own, firing), key=lambda each: each.severity.rank, default=None)
    if trouble is not None:
        return Health.RISK, f"It has a quorum, but: {trouble.summary}"
    return Health.GOOD, f"It has a quorum: {counted}." if members else "It has a quorum."


def _seen(watched: Sequence[Watched]) -> bool:
    """Tell whether the cluster's status was read lately, by any of its replicas."""
    status = [each for each in watched if each.look.watch.watcher == STATUS]
    return any(
        each.look.at is not None and each.late is None and set(each.look.sources) - set(each.look.unread)
        for each in status
    )


def _members(alerts: Sequence[Alert], roll: Roll, *, seen: bool) -> tuple[ReplicaView, ...]:
    """Return the replicas by their ids. An alert counts as soon as it is pending."""
    start = (Health.GOOD, "healthy") if seen else (Health.UNKNOWN, "not looked at lately")
    found = {name: ReplicaView(name, *start, ()) for name in (*roll.present, *roll.absent)}
    for name in roll.absent:
        found[name] = ReplicaView(name, Health.BAD, "missing", ())
    for type_, health in _OF_REPLICAS.items():
        for each in (alert for alert in alerts if alert.type == type_):
            name = str(each.details.get("replica") or each.subject.name)
            found[name] = ReplicaView(name, health, each.summary, (each,))
    return tuple(found[name] for name in sorted(found))


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
