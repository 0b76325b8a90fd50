"""The cluster_status watcher: what the replicas say about the cluster, put together."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import timedelta

from relay.config import Duration
from relay.model.observation import Condition, CursorMove, Failure, Report
from relay.msr import ClusterStatus, MsrError, Replica
from relay.watch.agreement import old, split, undecided
from relay.watch.base import Interval, Options, Place, Watcher
from relay.watch.quorum import at_stake, tally
from relay.watch.roll import Roll, roll_scope
from relay.watch.views import Views, held, issues, mentioned, missing, readonly, stale, unhealthy


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
        scope = roll_scope(self.watch)
        written = await self.place.read_cursor(scope)
        before = Roll.read(written)
        views: dict[str, ClusterStatus] = {}
        failures: list[Failure] = []
        whole = True
        for replica, answer in zip(replicas, answers, strict=True):
            if isinstance(answer, MsrError):
                failures.append(self.failure(replica.name, answer))
                continue
            if before.present and not mentioned({replica.name: answer}):
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
        present = {*mentioned(views), *(() if whole else before.present)}
        roll = before.call(present, now, self.options.forget)
        after = roll.write()
        # Behind a load balancer a view is anybody's: then there is nothing to compare.
        each = views if self.place.each_replica else {}
        conditions = [
            *issues(views),
            *self._counted(views, roll),
            *readonly(views),
            *self._steady([*stale(views, now, self.options.stale), *old(each, self.options.stale)]),
            *missing(roll),
            *held(views),
            *split(each, self.place.cluster, self.place.failures),
        ]
        move = None if after == written else CursorMove(scope, written, after)
        yield self.report(
            self.sources,
            conditions,
            failures=failures,
            cursor=move,
            # What a replica says only in part may be just what still shows something: then nothing ends.
            complete=whole,
            undecided=undecided(each, len(replicas)) if self.place.each_replica else (),
        )

    def _counted(self, views: Views, roll: Roll) -> Iterator[Condition]:
        """Return who is unhealthy and what that means for the quorum, by one count."""
        found = tally(views, roll, self.place.clock.now(), self.options.stale)
        yield from unhealthy(views, found.healthy, found.replicas)
        unread = [name for name in self.sources if name not in views]
        yield from at_stake(found, self.place.cluster, list(views), unread)

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
