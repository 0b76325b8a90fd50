"""Examining one repository: for the events that wait, or for what is kept of it."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.model.clock import Clock
from relay.model.event import Event
from relay.model.observation import Fact
from relay.model.trust import Head, Kept, Snapshot, unexamined
from relay.msr import Msr, MsrError, TooLong
from relay.trust import GoneError, InvalidError, State, examine
from relay.watch.trust_facts import Finding, facts_of, told

_MOST_UPDATES = 10
"""So many waiting updates of one repository are examined one by one; of more, the newest."""
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(slots=True)
class Budget:
    """How many more requests this look may make, and what ended it before that."""

    left: int
    error: MsrError | None = None
    refused: MsrError | None = None
    answered: bool = False

    @property
    def spent(self) -> bool:
        """Whether the look is over."""
        return self.left <= 0 or self.error is not None


def later(now: datetime, tries: int) -> datetime:
    """Return when to try again after so many tries in vain."""
    pause: timedelta = min(_FIRST_PAUSE * 2 ** min(tries - 1, 10), _LONGEST_PAUSE)
    return now + pause


class Examination:
    """Examining one repository: what is kept of it, and what is to be told, afterwards."""

    def __init__(self, kept: Kept, msr: Msr, clock: Clock, budget: Budget) -> None:
        self.kept = replace(kept, wanted_at=None, tries=0)
        self.facts: tuple[Fact, ...] = ()
        self.told: tuple[Event, ...] = ()
        self.snapshots: tuple[Snapshot, ...] = ()
        self._tried = kept.tries
        self._clock = clock
        self._source = _Files(msr, kept.head.gun, budget)

    async def run(self, events: Sequence[Event]) -> None:
        """Examine what waits, one after the other, else the newest. Raises MsrError."""
        skipped, queue = events[:-_MOST_UPDATES], events[-_MOST_UPDATES:]
        self.told += tuple(unexamined(each, "there were many updates at once") for each in skipped)
        head = self.kept.head
        for event in queue:
            newest = event.id == head.event
            if not newest and self._older(event):
                self.told += (unexamined(event, "a newer version has been examined already"),)
            else:
                await self._step(event, event.details["sha256"], event.happened_at)
        if not any(event.id == head.event for event in queue) and self.kept.state_sha256 != head.sha256:
            await self._step(None, head.sha256, head.at)

    def _older(self, event: Event) -> bool:
        at = self.kept.state_at
        return at is not None and self.kept.lost_at is None and event.happened_at <= at

    async def _step(self, event: Event | None, digest: str, at: datetime) -> None:
        kept = self.kept
        head = _head(kept.head, event)
        before = None if kept.state is None else State.read(kept.state)
        try:
            examined = await examine(self._source, digest, before, gun=kept.head.gun)
        except InvalidError as error:
            self._failed(event, f"it does not verify ({error})", str(error), digest)
            self.snapshots += (Snapshot(self._clock.now(), head, None, str(error)),)
            return
        except GoneError as error:
            self._failed(event, f"the server has it no longer ({error})", None, digest)
            return
        finding = Finding(head, examined, before, kept.lost_at)
        self.facts += tuple(facts_of(finding))
        if event is not None:
            self.told += (told(event, finding),)
        written = examined.state.write()
        now = self._clock.now()
        self.snapshots += (Snapshot(now, head, written),)
        self.kept = replace(
            kept,
            state=written,
            state_sha256=digest,
            state_at=at,
            problem=None,
            expires_at=min(when for role, when in examined.state.expires.items() if role != "timestamp"),
            checked_at=now,
            missing_since=None,
            lost_at=None,
        )

    def _failed(self, event: Event | None, why: str, problem: str | None, digest: str) -> None:
        if event is not None:
            self.told += (unexamined(event, why),)
        if digest == self.kept.head.sha256:
            tries = self._tried + 1
            # What is missing may have been deleted: the server is asked soon.
            self.kept = replace(
                self.kept,
                problem=problem,
                tries=tries,
                wanted_at=later(self._clock.now(), tries),
                checked_at=None if problem is None else self.kept.checked_at,
            )


def _head(head: Head, event: Event | None) -> Head:
    """Return the record that an event is, None for the newest."""
    if event is None:
        return head
    details = event.details
    return replace(
        head,
        record=details["record_id"],
        event=event.id,
        at=event.happened_at,
        version=details["version"],
        sha256=details["sha256"],
    )


class _Files:
    """The files of one repository. Counts the requests."""

    def __init__(self, msr: Msr, gun: str, budget: Budget) -> None:
        self._msr = msr
        self._gun = gun
        self._budget = budget

    async def file(self, role: str, digest: str, most: int) -> bytes:
        """Return the file with a hash. Raises GoneError and MsrError."""
        self._budget.left -= 1
        return await self._read(role, self._msr.trust_file(self._gun, role, sha256=digest, most=most))

    async def root(self, version: int, most: int) -> bytes:
        """Return the root of a version. Raises GoneError and MsrError."""
        self._budget.left -= 1
        return await self._read("root", self._msr.trust_file(self._gun, "root", version=version, most=most))

    async def _read(self, role: str, asked: Awaitable[bytes | None]) -> bytes:
        try:
            raw = await asked
        except TooLong as error:
            raise InvalidError(role, f"it is longer than it may be ({error})") from None
        self._budget.answered = True
        if raw is None:
            raise GoneError(role)
        return raw
