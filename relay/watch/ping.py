"""The ping watcher: does each replica answer, and what does it say of itself?"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import structlog

from relay.model.details import Ping as PingDetails
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition, Report
from relay.msr import MsrError, Ping, Replica, Unreachable
from relay.watch.base import Interval, Options, Watcher

_log = structlog.get_logger("relay.watch.ping")


class PingOptions(Options):
    """Options of the ping watcher."""

    every: Interval = timedelta(seconds=10)
    """How long from one look to the next."""


class PingWatcher(Watcher[PingOptions]):
    """Asks `/_ping` of every replica."""

    NAME = "ping"

    async def look(self) -> AsyncIterator[Report]:
        """Ask all replicas at once."""
        replicas = self.place.msr.replicas
        answers = await asyncio.gather(*(self._ask(replica) for replica in replicas))
        conditions, failures = [], []
        for replica, answer in zip(replicas, answers, strict=True):
            if isinstance(answer, MsrError):
                cause = str(answer)
                failures.append(replace(self.failure(replica.name, answer), dark=True, covered=True))
                reachable = not isinstance(answer, Unreachable)
                what = "answers with an error" if reachable else "cannot be reached"
                conditions.append(self._failing(replica, what, cause, reachable=reachable))
            elif not answer.healthy:
                what = f"is unhealthy: {answer.error or 'it does not say why'}"
                conditions.append(self._failing(replica, what, answer.error, reachable=True))
        yield self.report(self.sources, conditions, failures=failures)

    async def _ask(self, replica: Replica) -> Ping | MsrError:
        try:
            answer = await self.place.msr.ping(replica)
        except MsrError as error:
            return error
        _log.debug("pinged", cluster=self.place.cluster, replica=replica.name, seconds=answer.seconds)
        return answer

    def _failing(self, replica: Replica, what: str, error: str, *, reachable: bool) -> Condition:
        return Condition(
            type="ping.failing",
            identity=(replica.name,),
            subject=Subject(SubjectKind.REPLICA, replica.name),
            summary=f"Replica {replica.name} {what}",
            details=PingDetails(url=replica.url, error=error, reachable=reachable).plain(),
            source=replica.name,
            looks=self.place.failures,
        )
