"""The cluster_status watcher: what the replicas say about the cluster, put together."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta

from relay.config import Duration
from relay.model.observation import Condition, CursorMove, Failure, Report
from relay.msr import ClusterStatus, MsrError, Replica
from relay.watch.base import Interval, Options, Place, Watcher
from relay.watch.roll import Roll
from relay.watch.views import issues, mentioned, missing, readonly, stale, unhealthy


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
