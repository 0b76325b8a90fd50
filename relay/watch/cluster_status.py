"""The cluster_status watcher: what the replicas say about the cluster, put together."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from relay.config import Duration
from relay.model.details import Issue as IssueDetails
from relay.model.details import ReplicaHealth, ReplicaMissing, ReplicaReadonly, ReplicaStale
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition, CursorMove, Failure, Report
from relay.model.severity import Severity
from relay.msr import ClusterStatus, Issue, MsrError, Replica
from relay.watch.base import Interval, Options, Place, Watcher

_REPLICA_ID = re.compile(r"dtr_rethinkdb_([0-9a-f]{12})")
_NUMBERS = re.compile(r"(?<![0-9a-z])(?:[0-9a-f]{12}|[0-9]+)(?![0-9a-z])")
_GOOD = "OK"

Views = Mapping[str, ClusterStatus]
"""What each replica that could be read says, by its name."""


class ClusterStatusOptions(Options):
    """Options of the cluster_status watcher."""

    every: Interval = timedelta(seconds=15)
    """How long from one look to the next."""
    stale: Duration = timedelta(minutes=5)
    """A replica whose last report is older than this is stale."""
    forget: Duration = timedelta(hours=24)
    """A replica that has been missing for this long is taken for removed."""


class ClusterStatusWatcher(Watcher[ClusterStatusOptions]):
    """Asks `cluster_status` of every replica: two replicas may see the cluster differently."""

    NAME = "cluster_status"

    def __init__(self, place: Place, options: ClusterStatusOptions) -> None:
        super().__init__(place, options)
        self._stale: dict[str, Condition] = {}

    async def look(self) -> AsyncIterator[Report]:
        """Ask all replicas at once."""
        replicas = self.place.msr.replicas
        answers = await asyncio.gather(*(self._ask(replica) for replica in replicas))
        scope = f"{self.watch}/replicas"
        written = await self.place.read_cursor(scope)
        before = Roll.read(written)
        views: dict[str, ClusterStatus] = {}
        failures: list[Failure] = []
        whole = True
        for replica, answer in zip(replicas, answers, strict=True):
            if isinstance(answer, MsrError):
                failures.append(self.failure(replica.name, answer))
                continue
            if before.present and not _mentioned({replica.name: answer}):
                failures.append(Failure(replica.name, "cluster_status mentions no replica at all"))
                continue
            views[replica.name] = answer
            if answer.quirks:
                whole = False
                cause = f"cluster_status can be read only in part: {'; '.join(answer.quirks[:5])}"
                failures.append(Failure(replica.name, cause))
        if not views:
            yield self.report(self.sources, failures=failures)
            return
        now = self.place.clock.now()
        mentioned = {*_mentioned(views), *(() if whole else before.present)}
        roll = before.call(mentioned, now, self.options.forget)
        after = roll.write()
        conditions = [
            *issues(views),
            *unhealthy(views),
            *readonly(views),
            *self._steady(stale(views, now, self.options.stale)),
            *missing(roll),
        ]
        move = None if after == written else CursorMove(scope, written, after)
        # What a replica says only in part may be just what still shows something: then nothing ends.
        yield self.report(self.sources, conditions, failures=failures, cursor=move, complete=whole)

    def _steady(self, found: Iterable[Condition]) -> list[Condition]:
        """Return the conditions as first shown: an age that grows would be a change at every look."""
        known, self._stale = self._stale, {}
        for condition in found:
            first = known.get(condition.summary, condition)
            self._stale[condition.summary] = first
        return list(self._stale.values())

    async def _ask(self, replica: Replica) -> ClusterStatus | MsrError:
        try:
            return await self.place.msr.cluster_status(replica)
        except MsrError as error:
            return error


class Roll:
    """Which replicas the cluster had, and since when some are missing."""

    def __init__(self, present: Iterable[str] = (), absent: Mapping[str, datetime] | None = None) -> None:
        self.present = frozenset(present)
        self.absent = dict(absent or {})

    @classmethod
    def read(cls, text: str | None) -> "Roll":
        """Return the roll that ``write`` wrote; an empty one for None."""
        if text is None:
            return cls()
        data = json.loads(text)
        absent = {name: datetime.fromisoformat(since) for name, since in data["absent"].items()}
        return cls(data["present"], absent)

    def write(self) -> str:
        """Return the roll as a text."""
        absent = {name: since.isoformat() for name, since in sorted(self.absent.items())}
        return json.dumps({"present": sorted(self.present), "absent": absent})

    def call(self, mentioned: Iterable[str], now: datetime, forget: timedelta) -> "Roll":
        """Return the roll after the cluster has mentioned these replicas."""
        present = frozenset(mentioned)
        absent = dict.fromkeys(self.present - present, now)
        absent.update(
            (name, since)
            for name, since in self.absent.items()
            if name not in present and now - since < forget
        )
        return Roll(present, absent)


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


def unhealthy(views: Views) -> Iterator[Condition]:
    """Return a condition for each replica that any view calls unhealthy."""
    everybody = _mentioned(views)
    bad = {replica: _viewers(views, replica) for replica in everybody}
    healthy = sum(not viewers for viewers in bad.values())
    for replica, viewers in bad.items():
        if not viewers:
            continue
        text = views[viewers[0]].replica_health[replica]
        yield Condition(
            type="replica.unhealthy",
            identity=(replica,),
            subject=Subject(SubjectKind.REPLICA, replica, replicas=(replica,)),
            summary=f"Replica {replica} is unhealthy: {text}",
            details=ReplicaHealth(
                replica=replica, health=text, seen_by=viewers, healthy=healthy, replicas=len(everybody)
            ).plain(),
        )


def _viewers(views: Views, replica: str) -> list[str]:
    return [name for name, view in views.items() if view.replica_health.get(replica, _GOOD) != _GOOD]


def readonly(views: Views) -> Iterator[Condition]:
    """Return a condition for each replica that any view calls read-only."""
    for replica in _mentioned(views):
        viewers = [name for name, view in views.items() if view.replica_readonly.get(replica)]
        if viewers:
            yield Condition(
                type="replica.readonly",
                identity=(replica,),
                subject=Subject(SubjectKind.REPLICA, replica, replicas=(replica,)),
                summary=f"Replica {replica} is read-only",
                details=ReplicaReadonly(replica=replica, seen_by=viewers).plain(),
            )


def stale(views: Views, now: datetime, limit: timedelta) -> Iterator[Condition]:
    """Return a condition for each replica whose latest report, by any view, is too old."""
    reported: dict[str, datetime] = {}
    for view in views.values():
        for replica, at in view.replica_timestamp.items():
            reported[replica] = max(at, reported.get(replica, at))
    for replica, at in reported.items():
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


def _mentioned(views: Views) -> list[str]:
    """Return the ids of all replicas that any view mentions, sorted."""
    return sorted(
        {
            replica
            for view in views.values()
            for part in (view.replica_health, view.replica_timestamp, view.replica_readonly)
            for replica in part
        }
    )
