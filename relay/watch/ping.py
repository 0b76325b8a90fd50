"""The ping watcher: does each replica answer, and what does it say of itself?"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta

import structlog
from pydantic import Field

from relay.config import Duration
from relay.model.details import Ping as PingDetails
from relay.model.details import PingSlow
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition, CursorMove, Report
from relay.msr import MsrError, Ping, Replica, Unreachable
from relay.watch.base import Interval, Options, Place, Watcher
from relay.watch.latency import Latencies, Limits

_log = structlog.get_logger("relay.watch.ping")


_TICK = 0.001
"""Seconds; what is usual is never taken for less when something is divided by it."""
_LOOKS_TO_KEEP = 60
"""What is usual is written down once in so many looks: it changes slowly, and every time is a write."""


class PingOptions(Options):
    """Options of the ping watcher."""

    every: Interval = timedelta(seconds=10)
    """How long from one look to the next."""
    slow_factor: float = Field(default=5.0, gt=1.0, le=1000.0)
    """A replica is slow when its answers take so many times as long as they usually do …"""
    slow_least: Duration = timedelta(milliseconds=500)
    """… and at least so long."""


class PingWatcher(Watcher[PingOptions]):
    """Asks `/_ping` of every replica, and learns how long each usually takes to answer."""

    NAME = "ping"

    def __init__(self, place: Place, options: PingOptions) -> None:
        super().__init__(place, options)
        self._limits = Limits(options.slow_factor, options.slow_least.total_seconds())
        self._scope = f"{self.watch}/latencies"
        self._latencies: Latencies | None = None
        self._kept_slow: frozenset[str] = frozenset()
        self._since_kept = 0

    async def look(self) -> AsyncIterator[Report]:
        """Ask all replicas at once."""
        latencies = await self._known()
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
            else:
                latencies.of(replica.name).take(answer.seconds, self._limits)
        conditions += self._slow(latencies)
        self._since_kept += 1
        move = await self._move(latencies)
        yield self.report(self.sources, conditions, failures=failures, cursor=move)
        if move is not None:
            # It is asked to go on only when the report has been committed.
            self._kept_slow, self._since_kept = latencies.slow, 0

    async def _known(self) -> Latencies:
        if self._latencies is None:
            written = await self.place.read_cursor(self._scope)
            self._latencies = Latencies.read(written, self.sources)
            self._kept_slow = self._latencies.slow
        return self._latencies

    async def _move(self, latencies: Latencies) -> CursorMove | None:
        """Return the writing down of what is usual, from time to time and whenever somebody becomes slow or
        ceases to be: it has to last as long as the alert."""
        if self._since_kept < _LOOKS_TO_KEEP and latencies.slow == self._kept_slow:
            return None
        return CursorMove(self._scope, await self.place.read_cursor(self._scope), latencies.write())

    def _slow(self, latencies: Latencies) -> Iterator[Condition]:
        for replica in self.place.msr.replicas:
            latency = latencies.of(replica.name)
            if latency.slow is None:
                continue
            usual = latency.baseline
            yield Condition(
                type="ping.slow",
                identity=(replica.name,),
                subject=Subject(SubjectKind.REPLICA, replica.name),
                summary=f"Replica {replica.name} answers slowly: {_span(latency.slow)} "
                f"instead of the usual {_span(usual)}",
                details=PingSlow(
                    url=replica.url,
                    seconds=round(latency.slow, 3),
                    baseline_seconds=round(usual, 3),
                    factor=round(latency.slow / max(usual, _TICK), 1),
                ).plain(),
                source=replica.name,
            )

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


def _span(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
