"""Has the cluster a quorum, and how many more replicas may it lose? Pure."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.model.details import Quorum
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition
from relay.model.quorum import quorum
from relay.watch.roll import Roll
from relay.watch.views import Views, callers, last_reports

_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Tally:
    """How the replicas of a cluster stand, by id. One replica can be in two of the lists."""

    present: tuple[str, ...]
    """The mentioned ones, healthy or not."""
    unhealthy: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Had, no longer mentioned, and not yet forgotten: they count, for nobody has said that they are gone."""
    stale: tuple[str, ...] = ()

    @property
    def lost(self) -> tuple[str, ...]:
        """The replicas that are not healthy, in order, each once."""
        return tuple(sorted({*self.unhealthy, *self.missing, *self.stale}))

    @property
    def replicas(self) -> int:
        """How many replicas the cluster has."""
        return len(self.present) + len(self.missing)

    @property
    def healthy(self) -> int:
        """How many of them are healthy."""
        return self.replicas - len(self.lost)

    @property
    def needed(self) -> int:
        """How many have to be."""
        return quorum(self.replicas)

    @property
    def spare(self) -> int:
        """How many more can be lost; negative: how many are lacking."""
        return self.healthy - self.needed

    @property
    def lacks_only_missing(self) -> bool:
        """Whether the replicas that are still mentioned are a quorum among themselves."""
        here = [replica for replica in self.present if replica not in self.lost]
        return bool(self.missing) and len(here) >= quorum(len(self.present))


def tally(views: Views, roll: Roll, now: datetime, limit: timedelta) -> Tally:
    """Count: healthy is who every view that mentions it calls so, and whose last report is in time.

    Where *no* report is in time, a clock is wrong or all views are old: a cluster whose replicas are all gone
    would not answer. Then the reports do not count.
    """
    reported = last_reports(views)
    late = tuple(sorted(replica for replica, at in reported.items() if now - at > limit))
    return Tally(
        present=tuple(sorted(roll.present)),
        unhealthy=tuple(sorted(replica for replica in roll.present if callers(views, replica))),
        missing=tuple(sorted(roll.absent)),
        stale=late if len(late) < len(reported) else (),
    )


def at_stake(
    found: Tally, cluster: str, seen_by: Sequence[str], unread: Collection[str]
) -> Iterator[Condition]:
    """Return the condition of a quorum that is lost, or that one more loss would break.

    ``seen_by`` are the replicas by whose answers it was counted, ``unread`` those that could not be read.
    """
    if not found.lost or found.spare > 0:
        return
    lost = found.spare < 0
    yield Condition(
        type="quorum.lost" if lost else "quorum.at_risk",
        identity=(),
        subject=Subject(SubjectKind.CLUSTER, cluster, replicas=found.lost),
        summary=_lost(found, cluster, seen_by, unread)
        if lost
        else f"One more lost replica breaks the quorum of cluster {cluster}{_by(seen_by, unread)}: "
        f"{found.healthy} of {found.replicas} are healthy",
        details=Quorum(
            replicas=found.replicas,
            healthy=found.healthy,
            needed=found.needed,
            spare=found.spare,
            unhealthy=list(found.unhealthy),
            missing=list(found.missing),
            stale=list(found.stale),
            seen_by=list(seen_by),
            unread=list(unread),
        ).plain(),
    )


def _lost(found: Tally, cluster: str, seen_by: Sequence[str], unread: Collection[str]) -> str:
    # A replica that is no longer mentioned may have been removed: that is no proof of a lost quorum.
    what = "may have lost its quorum" if found.lacks_only_missing else "has no quorum"
    are = "is" if found.healthy == 1 else "are"
    return (
        f"Cluster {cluster} {what}{_by(seen_by, unread)}: {found.healthy} of {found.replicas} {are} healthy"
    )


def _by(seen_by: Sequence[str], unread: Collection[str]) -> str:
    """Say by whose answers, where not all could be read."""
    if not unread:
        return ""
    names = ", ".join(seen_by[:_MOST_NAMES])
    more = len(seen_by) - _MOST_NAMES
    who = f"{names} and {more} more" if more > 0 else names
    return f" by what {who} {'says' if len(seen_by) == 1 else 'say'}"
