"""What the parts of the relay tell of what they do, for whoever measures or traces it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from relay.model.delivery import Delivery, Outcome
from relay.model.event import Event
from relay.model.observation import Failure, Watch
from relay.model.plan import Plan, Rewrite


class LookOutcome(StrEnum):
    """How a look ended.

    ``read``: every source could be read; ``partial``: some; ``unread``: none. ``store``: what it saw could
    not be committed, and is seen again. ``crashed``: the watcher itself failed.
    """

    READ = "read"
    PARTIAL = "partial"
    UNREAD = "unread"
    STORE = "store"
    CRASHED = "crashed"


class Cause(StrEnum):
    """Why a source could not be read, as far as it can be counted.

    ``unreachable``: no answer came. ``throttled``: it asks to be left alone for a while. ``refused``: it lets
    nobody in, or not this user. ``internal``: it answers that it has failed. ``unreadable``: what came back
    is no answer. ``other``: everything else.
    """

    UNREACHABLE = "unreachable"
    THROTTLED = "throttled"
    REFUSED = "refused"
    INTERNAL = "internal"
    UNREADABLE = "unreadable"
    OTHER = "other"


def cause_of(failure: Failure) -> Cause:
    """Return what sort of cause a failure has."""
    signs = (
        (failure.silent, Cause.UNREACHABLE),
        (failure.retry_after is not None, Cause.THROTTLED),
        (failure.at_once, Cause.REFUSED),
        (failure.internal, Cause.INTERNAL),
        (failure.dark, Cause.UNREADABLE),
    )
    return next((cause for shows, cause in signs if shows), Cause.OTHER)


@dataclass(frozen=True, slots=True)
class Looked:
    """One look of a watcher that has ended: how long it took in seconds, and what could not be read.

    ``replicas`` are the names of the cluster's replicas: sources that are none of them are repositories, of
    which there may be any number.
    """

    watch: Watch
    outcome: LookOutcome
    seconds: float
    failures: Sequence[Failure] = ()
    replicas: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Attempted:
    """One attempt that has ended and is recorded: when it began, and how long it took in seconds.

    ``delivery`` is what it made of the delivery, ``events`` are those that it tells. ``status`` and ``error``
    are the receiver's, redacted.
    """

    delivery: Delivery
    events: Sequence[Event]
    kind: str
    at: datetime
    seconds: float
    outcome: Outcome
    status: int | None = None
    error: str | None = None


STORING: Final[Mapping[str, str]] = {
    "commit": "a report",
    "settle": "attempts",
    "rewrite": "what waits",
    "write": "anything else",
    "read": "what the relay works with",
    "view": "what people look at",
}
"""The uses of the store that are told apart, and what each is of."""


class Telemetry:
    """Is told what happens. This one keeps nothing; those that do override what they want to know.

    All methods return at once and raise nothing. They are called on the event loop.
    """

    def looking(self, watch: Watch, at: datetime) -> None:
        """A watcher begins to look."""

    def looked(self, looked: Looked) -> None:
        """A watcher has looked."""

    def committed(self, watch: Watch | None, plan: Plan) -> None:
        """What a report made true is durable. ``watch`` is None where no look did."""

    def attempted(self, attempted: Attempted) -> None:
        """An attempt is recorded."""

    def rewritten(self, before: Mapping[str, Delivery], rewrite: Rewrite) -> None:
        """Waiting deliveries have become these; ``before`` has them by id as they were, where known."""

    def storing(self, operation: str) -> AbstractContextManager[None]:
        """Return what surrounds one use of the store; what that raises passes through it.

        ``operation`` is one of STORING.
        """
        del operation
        return nullcontext()

    def traceparent(self, delivery: Delivery) -> str | None:
        """Return the W3C ``traceparent`` of the delivery's next attempt, None if nothing is traced."""
        del delivery
        return None


@dataclass(frozen=True, slots=True)
class Several(Telemetry):
    """Tells several what it is told. None of them can do harm: their errors go to ``failed``."""

    members: Sequence[Telemetry]
    failed: Callable[[Exception], None]

    def looking(self, watch: Watch, at: datetime) -> None:
        """Tell each."""
        self._tell(lambda member: member.looking(watch, at))

    def looked(self, looked: Looked) -> None:
        """Tell each."""
        self._tell(lambda member: member.looked(looked))

    def committed(self, watch: Watch | None, plan: Plan) -> None:
        """Tell each."""
        self._tell(lambda member: member.committed(watch, plan))

    def attempted(self, attempted: Attempted) -> None:
        """Tell each."""
        self._tell(lambda member: member.attempted(attempted))

    def rewritten(self, before: Mapping[str, Delivery], rewrite: Rewrite) -> None:
        """Tell each."""
        self._tell(lambda member: member.rewritten(before, rewrite))

    def _tell(self, tell: Callable[[Telemetry], None]) -> None:
        for member in self.members:
            try:
                tell(member)
            except Exception as error:
                self.failed(error)

    @contextmanager
    def storing(self, operation: str) -> Iterator[None]:
        """Surround one use of the store by what each has for it."""
        entered: list[AbstractContextManager[None]] = []
        for member in self.members:
            try:
                found = member.storing(operation)
                found.__enter__()
            except Exception as error:
                self.failed(error)
            else:
                entered.append(found)
        raised: BaseException | None = None
        try:
            yield
        except BaseException as error:
            raised = error
            raise
        finally:
            for found in reversed(entered):
                try:
                    found.__exit__(type(raised) if raised else None, raised, None)
                except BaseException as error:
                    # What it was handed comes back from a generator as it is.
                    if error is not raised and isinstance(error, Exception):
                        self.failed(error)

    def traceparent(self, delivery: Delivery) -> str | None:
        """Return the first that one of them has."""
        for member in self.members:
            try:
                found = member.traceparent(delivery)
            except Exception as error:
                self.failed(error)
            else:
                if found is not None:
                    return found
        return None
