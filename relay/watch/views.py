"""What each replica says about the cluster, put together: pure findings, one kind of alert each."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from relay.model.details import GcHeld, ReplicaHealth, ReplicaMissing, ReplicaReadonly, ReplicaStale
from relay.model.details import Issue as IssueDetails
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition
from relay.model.severity import Severity
from relay.msr import ClusterStatus, Issue
from relay.watch.roll import Roll

_REPLICA_ID = re.compile(r"dtr_rethinkdb_([0-9a-f]{12})")
_NUMBERS = re.compile(r"(?<![0-9a-z])(?:[0-9a-f]{12}|[0-9]+)(?![0-9a-z])")
GOOD = "OK"
"""What `replica_health` says of a healthy replica."""

Views = Mapping[str, ClusterStatus]
"""What each replica that could be read says, by its name."""


def issues(views: Views) -> Iterator[Condition]:
    """Return one condition per issue, whoever shows it."""
    shown: dict[tuple[str, ...], tuple[Issue, list[str]]] = {}
    for viewer, view in views.items():
        for issue in view.issues:
            known, viewers = shown.setdefault(identity(issue), (issue, []))
            viewers.append(viewer)
            if issue.critical and not known.critical:
                shown[identity(issue)] = (issue, viewers)
    for key, (issue, viewers) in shown.items():
        what = issue.type or "unnamed"
        yield Condition(
            type="cluster.issue",
            identity=key,
            subject=Subject(
                SubjectKind.ISSUE,
                what,
                replicas=tuple(dict.fromkeys(_REPLICA_ID.findall(issue.description))),
            ),
            summary=f"{'Critical issue' if issue.critical else 'Issue'} in the cluster: {what}",
            details=IssueDetails(
                issue_id=issue.id,
                issue_type=issue.type,
                critical=issue.critical,
                description=issue.description,
                seen_by=list(dict.fromkeys(viewers)),
                identity="weak" if key[0] == "text" else key[0],
            ).plain(),
            severity=Severity.CRITICAL if issue.critical else None,
        )


def identity(issue: Issue) -> tuple[str, ...]:
    """Return what makes an issue this one: its id, else the ids in its info, else its normalised text."""
    if issue.id:
        return ("id", issue.id)
    ids = sorted(set(_ids(issue.info)))
    if ids:
        return ("info", issue.type, *ids)
    text = _NUMBERS.sub("#", " ".join(issue.description.split()).lower())
    return ("text", issue.type, text)


def _ids(value: object, key: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _ids(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _ids(item, key)
    elif isinstance(value, str) and (key == "id" or key.endswith(("_id", "_ids", "ids"))):
        yield value


def unhealthy(views: Views, healthy: int, replicas: int) -> Iterator[Condition]:
    """Return a condition for each replica that any view calls unhealthy.

    ``healthy`` of so many ``replicas`` are healthy, as the quorum counts them.
    """
    for replica in mentioned(views):
        viewers = callers(views, replica)
        if not viewers:
            continue
        text = views[viewers[0]].replica_health[replica]
        yield Condition(
            type="replica.unhealthy",
            identity=(replica,),
            subject=Subject(SubjectKind.REPLICA, replica, replicas=(replica,)),
            summary=f"Replica {replica} is unhealthy: {text}",
            details=ReplicaHealth(
                replica=replica, health=text, seen_by=viewers, healthy=healthy, replicas=replicas
            ).plain(),
        )


def callers(views: Views, replica: str) -> list[str]:
    """Return who calls a replica anything but healthy."""
    return [name for name, view in views.items() if view.replica_health.get(replica, GOOD) != GOOD]


def readonly(views: Views) -> Iterator[Condition]:
    """Return a condition for each replica that any view calls read-only."""
    for replica in mentioned(views):
        viewers = [name for name, view in views.items() if view.replica_readonly.get(replica)]
        if viewers:
            yield Condition(
                type="replica.readonly",
                identity=(replica,),
                subject=Subject(SubjectKind.REPLICA, replica, replicas=(replica,)),
                summary=f"Replica {replica} is read-only",
                details=ReplicaReadonly(replica=replica, seen_by=viewers).plain(),
            )


def last_reports(views: Views) -> dict[str, datetime]:
    """Return when each replica last reported, by any view."""
    reported: dict[str, datetime] = {}
    for view in views.values():
        for replica, at in view.replica_timestamp.items():
            reported[replica] = max(at, reported.get(replica, at))
    return reported


def stale(views: Views, now: datetime, limit: timedelta) -> Iterator[Condition]:
    """Return a condition for each replica whose latest report, by any view, is too old."""
    for replica, at in last_reports(views).items():
        if now - at > limit:
            yield Condition(
                type="replica.stale",
                identity=(replica,),
                subject=Subject(SubjectKind.REPLICA, replica, replicas=(replica,)),
                summary=f"Replica {replica} has not reported since {at:%Y-%m-%d %H:%M:%S} UTC",
                details=ReplicaStale(
                    replica=replica,
                    reported_at=at,
                    age_seconds=(now - at).total_seconds(),
                    limit_seconds=limit.total_seconds(),
                ).plain(),
            )


def missing(roll: Roll) -> Iterator[Condition]:
    """Return a condition for each replica that the cluster had and no longer mentions."""
    for replica, since in roll.absent.items():
        yield Condition(
            type="replica.missing",
            identity=(replica,),
            subject=Subject(SubjectKind.REPLICA, replica, replicas=(replica,)),
            summary=f"Replica {replica} is missing: the cluster no longer mentions it",
            details=ReplicaMissing(replica=replica, last_seen_at=since, replicas=len(roll.present)).plain(),
        )


def held(views: Views) -> Iterator[Condition]:
    """Return a condition for each replica that holds the lock of garbage collection.

    There is nothing bad in holding it: the alert waits, as the catalogue says, until that takes too long.
    """
    shown: dict[str, list[str]] = {}
    for viewer, view in views.items():
        if view.gc_lock_holder:
            shown.setdefault(view.gc_lock_holder, []).append(viewer)
    for holder, viewers in shown.items():
        yield Condition(
            type="gc.held",
            identity=(holder,),
            subject=Subject(SubjectKind.REPLICA, holder, replicas=(holder,)),
            summary=f"Replica {holder} keeps the lock of garbage collection",
            details=GcHeld(holder=holder, seen_by=viewers).plain(),
        )


def mentioned(views: Views) -> list[str]:
    """Return the ids of all replicas that any view mentions, sorted."""
    return sorted(
        {
            replica
            for view in views.values()
            for part in (view.replica_health, view.replica_timestamp, view.replica_readonly)
            for replica in part
        }
    )
