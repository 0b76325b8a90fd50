"""The nginx_status watcher: are there too many connections, and were some dropped?"""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from pydantic import Field

from relay.model.details import Nginx
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition, Report
from relay.msr import MsrError, NginxStatus, Replica
from relay.watch.base import Interval, Options, Place, Watcher


class NginxOptions(Options):
    """Options of the nginx_status watcher."""

    every: Interval = timedelta(seconds=30)
    """How long from one look to the next."""
    active: int = Field(default=1000, ge=1)
    """More active connections than this are too many."""
    dropped: int = Field(default=1, ge=1)
    """So many dropped connections from one look to the next are too many; only where replicas are listed."""


class NginxWatcher(Watcher[NginxOptions]):
    """Asks `/nginx_status` of every replica. Dropped connections are accepts less handled."""

    NAME = "nginx_status"

    def __init__(self, place: Place, options: NginxOptions) -> None:
        super().__init__(place, options)
        self._before: dict[str, NginxStatus] = {}

    async def look(self) -> AsyncIterator[Report]:
        """Ask all replicas at once."""
        replicas = self.place.msr.replicas
        answers = await asyncio.gather(*(self._ask(replica) for replica in replicas))
        conditions, failures = [], []
        for replica, answer in zip(replicas, answers, strict=True):
            if isinstance(answer, MsrError):
                failures.append(self.failure(replica.name, answer))
            elif (condition := self._judge(replica, answer)) is not None:
                conditions.append(condition)
        yield self.report(self.sources, conditions, failures=failures)

    async def _ask(self, replica: Replica) -> NginxStatus | MsrError:
        try:
            return await self.place.msr.nginx_status(replica)
        except MsrError as error:
            return error

    def _judge(self, replica: Replica, now: NginxStatus) -> Condition | None:
        dropped = self._dropped(replica, now)
        crowded = now.active > self.options.active
        if not crowded and dropped < self.options.dropped:
            return None
        has = f"has {now.active} active connections" if crowded else f"dropped {dropped} connections"
        return Condition(
            type="nginx.saturated",
            identity=(replica.name,),
            subject=Subject(SubjectKind.REPLICA, replica.name),
            summary=f"nginx of {replica.name} {has}",
            details=Nginx(
                url=replica.url,
                active=now.active,
                limit=self.options.active if crowded else None,
                dropped=dropped or None,
            ).plain(),
            source=replica.name,
        )

    def _dropped(self, replica: Replica, now: NginxStatus) -> int:
        """Return how many connections were dropped since the last look at the same nginx."""
        before = self._before.get(replica.name)
        self._before[replica.name] = now
        if before is None or not self.place.each_replica:
            # Behind a load balancer the two counters may be those of two replicas.
            return 0
        if now.accepts < before.accepts or now.handled < before.handled or now.requests < before.requests:
            # A counter that went down has been restarted.
            return 0
        return max(0, (now.accepts - now.handled) - (before.accepts - before.handled))
