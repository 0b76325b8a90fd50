"""What every watcher is: it asks MSR and reports what it saw. It decides nothing and writes nothing."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Generic, Protocol, TypeVar

from relay.config import Duration, Section, at_least
from relay.model.clock import Clock
from relay.model.observation import Condition, CursorMove, Fact, Failure, Report, Watch
from relay.model.trust import Kept
from relay.msr import BadAnswer, Msr, MsrError, NoAccess, PasswordRefused, Throttled, Unreachable, Unwell
from relay.store import WaitingTrust

Interval = Annotated[Duration, at_least(timedelta(milliseconds=100))]
"""How long from one look to the next: never so short that MSR is asked without pause."""


class Options(Section):
    """What can be set of every watcher."""

    every: Interval
    """How long from one look to the next."""


class TrustReads(Protocol):
    """What a watcher may read of what is kept of repositories' trust data. All methods raise StoreError."""

    async def waiting_trust(self, cluster: str, limit: int) -> list[WaitingTrust]:
        """Return repositories with events that wait to be examined, those first that have waited longest."""

    async def wanted_trust(self, cluster: str, now: datetime, limit: int) -> list[Kept]:
        """Return repositories that are to be examined by now, the longest wanted first."""

    async def unchecked_trust(self, cluster: str, before: datetime, limit: int) -> list[Kept]:
        """Return repositories that are not known to be gone and were last seen before a time."""

    async def expiring_trust(self, cluster: str, before: datetime, limit: int) -> list[Kept]:
        """Return repositories of which something expires before a time, the first to expire first."""

    async def invalid_trust(self, cluster: str, limit: int) -> list[Kept]:
        """Return repositories whose trust data does not verify."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a watcher is told of its cluster.

    ``failures`` is how many looks in a row must fail. ``each_replica`` tells that every URL is one
    replica's own; else there may be a load balancer behind it. ``horizon`` is how long the store
    remembers events. ``read_cursor`` returns how far a scope was read, None if never. ``trust`` is what is
    kept of repositories' trust data.
    """

    cluster: str
    msr: Msr
    clock: Clock
    read_cursor: Callable[[str], Awaitable[str | None]]
    trust: TrustReads
    repositories: Sequence[str] = ()
    failures: int = 3
    each_replica: bool = False
    horizon: timedelta = timedelta(days=30)


O = TypeVar("O", bound=Options)  # noqa: E741


class Watcher(ABC, Generic[O]):
    """Looks at one thing of one cluster."""

    NAME: ClassVar[str]

    def __init__(self, place: Place, options: O) -> None:
        self.place = place
        self.options = options
        self.watch = Watch(place.cluster, self.NAME)

    @property
    def replicas(self) -> tuple[str, ...]:
        """The names of the cluster's replicas."""
        return tuple(replica.name for replica in self.place.msr.replicas)

    @property
    def sources(self) -> tuple[str, ...]:
        """The parts of the watch that can fail by themselves: by default its replicas."""
        return self.replicas

    @abstractmethod
    def look(self) -> AsyncIterator[Report]:
        """Look once. Each report is committed before the next one is asked for."""

    def report(
        self,
        sources: tuple[str, ...],
        conditions: Sequence[Condition] = (),
        facts: Sequence[Fact] = (),
        failures: Sequence[Failure] = (),
        cursor: CursorMove | None = None,
        *,
        complete: bool = True,
        undecided: Collection[str] = (),
    ) -> Report:
        """Return a report of this watcher, of now."""
        return Report(
            self.watch,
            self.place.clock.now(),
            sources,
            tuple(conditions),
            tuple(facts),
            tuple(failures),
            cursor,
            complete,
            frozenset(undecided),
        )

    def failure(self, source: str, error: MsrError) -> Failure:
        """Return what an error means for a source."""
        return Failure(
            source,
            str(error),
            dark=isinstance(error, Unreachable | Unwell | BadAnswer),
            at_once=isinstance(error, NoAccess | PasswordRefused),
            retry_after=error.retry_after if isinstance(error, Throttled) else None,
            silent=isinstance(error, Unreachable),
            internal=isinstance(error, Unwell) and error.internal,
        )
