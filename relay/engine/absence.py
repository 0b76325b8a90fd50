"""The relay's own absence: noticed by its last sign of life, kept until it is told, told once."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from pydantic import TypeAdapter, ValidationError

from relay.model import details as d
from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.model.event import Event, Subject, SubjectKind
from relay.model.observation import CursorMove, Fact, Look, Report, Watch
from relay.render.filters import duration
from relay.store import CursorMovedError, Store

_log = structlog.get_logger("relay.absence")

SCOPE = "relay/absence"
"""The cursor that keeps an absence from when it is noticed until it is told; empty when there is none."""
NOT_RUNNING = "not running"
ASLEEP = "asleep"
_WATCH = Watch(None, "absence")
_BEAT_EVERY = 60.0
_PATIENCE = 300.0
"""Seconds after which it is told though not every watcher has seen anything yet."""
_LOOK_AGAIN = 1.0
_STORE_PAUSE = 1.0
_FIRST = 5
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment by both clocks."""

    at: datetime
    monotonic: float


@dataclass(frozen=True, slots=True)
class Absence:
    """The relay was away from its last sign of life until its next one.

    ``seen_from`` is from when on what was seen may be what was missed: it is before ``until`` where a second
    absence came before the first was told, and both are told as one.
    """

    since: datetime
    until: datetime
    seen_from: datetime
    why: tuple[str, ...]

    def joined(self, later: "Absence") -> "Absence":
        """Return both as one."""
        until = max(self.until, later.until)
        return Absence(self.since, until, self.seen_from, tuple(dict.fromkeys(self.why + later.why)))

    def write(self) -> str:
        """Return it as a JSON text."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def read(cls, text: str | None) -> "Absence | None":
        """Return what ``write`` wrote, None for nothing, or for what cannot be read."""
        if not text:
            return None
        try:
            return _ADAPTER.validate_json(text)
        except ValidationError:
            _log.error("what was noted of an absence cannot be read", text=text[:200])
            return None


_ADAPTER = TypeAdapter(Absence)


def stopped(last: datetime | None, now: datetime, limit: timedelta | None) -> Absence | None:
    """Return the absence between the last sign of life of an earlier process and the start of this one."""
    if last is None or limit is None or now - last <= limit:
        return None
    return Absence(last, now, now, (NOT_RUNNING,))


def slept(before: Tick, after: Tick, busy: float, limit: timedelta | None) -> Absence | None:
    """Return the absence between two beats of one process, of which it was ``busy`` for so many seconds.

    While a machine is suspended its monotonic clock stands still and its wall clock goes on; a process that
    is stopped, or a virtual machine that is frozen, may find both far ahead.
    """
    away = max((after.at - before.at).total_seconds(), after.monotonic - before.monotonic) - busy
    if limit is None or away - _BEAT_EVERY <= limit.total_seconds():
        return None
    since = min(before.at, after.at - timedelta(seconds=away))
    return Absence(since, after.at, after.at, (ASLEEP,))


@dataclass(slots=True)
class Missed:
    """What happened during an absence, as far as it has been seen since: counted, and the gravest of it."""

    since: datetime
    until: datetime
    counts: Counter[str] = field(default_factory=Counter)
    first: list[Event] = field(default_factory=list)

    def add(self, events: Iterable[Event]) -> None:
        """Take those of the events that happened meanwhile."""
        found = [event for event in events if self.since <= event.happened_at <= self.until]
        self.counts.update(event.type for event in found)
        self.first = sorted([*self.first, *found], key=_gravest_first)[:_FIRST]


def _gravest_first(event: Event) -> tuple[int, datetime, str]:
    return -event.severity.rank, event.happened_at, event.id


def resumed(absence: Absence, missed: Missed, unread: Iterable[str]) -> Fact:
    """Return the fact that tells of an absence."""
    span, total, why = absence.until - absence.since, missed.counts.total(), " and ".join(absence.why)
    events = "1 event" if total == 1 else f"{total or 'no'} events"
    details = d.Resumed(
        since=absence.since,
        until=absence.until,
        seconds=span.total_seconds(),
        why=why,
        total=total,
        counts=dict(sorted(missed.counts.items())),
        first=[_missed(event) for event in missed.first],
        unread=list(unread),
    )
    return Fact(
        type="relay.resumed",
        identity=(absence.since.isoformat(), absence.until.isoformat()),
        subject=Subject(SubjectKind.RELAY, "relay"),
        summary=f"The relay was away for {duration(span)} ({why}); {events} of that time so far",
        happened_at=absence.until,
        details=details.plain(),
    )


def _missed(event: Event) -> d.Missed:
    return d.Missed(
        type=event.type,
        severity=event.severity.value,
        cluster=event.cluster or "",
        summary=event.summary,
        happened_at=event.happened_at,
    )


class Presence:
    """Keeps the sign of life, and tells how long there was none.

    An absence is noted in the transaction that writes the next sign of life over its evidence, and struck out
    in the one that makes the event: whenever the process dies, it is told once.

    ``looks`` are the last looks of all watchers; ``limit`` is how long an absence may be without being told,
    None for never to tell.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        take: Callable[[Report], Awaitable[None]],
        looks: Callable[[], Collection[Look]],
        limit: Callable[[], timedelta | None],
        store_failed: Callable[[StoreError], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._take = take
        self._looks = looks
        self._limit = limit
        self._store_failed = store_failed
        self._tick = self._now()
        self._busy = 0.0
        self._found: Absence | None = None
        self._noticed = self._tick.monotonic
        self._to_tell = asyncio.Event()

    async def start(self) -> None:
        """Look for how long there was no relay, and give the first sign of life. Raises StoreError."""
        self._tick = self._now()
        self._found = stopped(await self._store.last_beat(), self._tick.at, self._limit())
        await self._write(self._tick.at)
        # An earlier process may have noted one and not told it.
        self._to_tell.set()

    async def beat(self) -> None:
        """Give a sign of life every minute, until cancelled."""
        while True:
            await self._clock.sleep(_BEAT_EVERY)
            before, self._tick = self._tick, self._now()
            found = slept(before, self._tick, self._busy, self._limit())
            if found is not None:
                _log.warning(
                    "the relay was asleep, or its clock was set forward", since=found.since.isoformat()
                )
                self._found = found if self._found is None else self._found.joined(found)
            try:
                await self._write(self._tick.at)
            except StoreError as error:
                self._store_failed(error)
            # A store that takes its time is not sleep, and tells its own story.
            self._busy = self._clock.monotonic() - self._tick.monotonic

    async def tell(self) -> None:
        """Tell each absence once the watchers have looked again, until cancelled."""
        while True:
            await self._to_tell.wait()
            self._to_tell.clear()
            try:
                await self._wait_until_seen()
                await self._tell()
            except StoreError as error:
                if not isinstance(error, CursorMovedError):
                    self._store_failed(error)
                self._to_tell.set()
                await self._clock.sleep(_STORE_PAUSE)

    def _now(self) -> Tick:
        return Tick(self._clock.now(), self._clock.monotonic())

    async def _write(self, at: datetime) -> None:
        while self._found is not None:
            found, noted = self._found, await self._store.cursor(SCOPE)
            earlier = Absence.read(noted)
            whole = found if earlier is None else earlier.joined(found)
            try:
                await self._store.beat(at, CursorMove(SCOPE, noted, whole.write()))
            except CursorMovedError:
                # The earlier one has just been told.
                continue
            self._found = None
            self._noticed = self._clock.monotonic()
            self._to_tell.set()
            return
        await self._store.beat(at)

    async def _wait_until_seen(self) -> None:
        while self._clock.monotonic() < self._noticed + _PATIENCE and self._unseen():
            await self._clock.sleep(_LOOK_AGAIN)

    def _unseen(self) -> bool:
        return not all(look.saw_since(self._noticed) for look in self._looks())

    async def _tell(self) -> None:
        noted = await self._store.cursor(SCOPE)
        absence = Absence.read(noted)
        if absence is None:
            return
        facts: tuple[Fact, ...] = ()
        if self._limit() is not None:
            unread = [
                str(look.watch) for look in self._looks() if look.unread or not look.saw_since(self._noticed)
            ]
            facts = (resumed(absence, await self._missed(absence), unread),)
        move = CursorMove(SCOPE, noted, "")
        await self._take(Report(_WATCH, self._clock.now(), (), facts=facts, cursor=move, complete=False))

    async def _missed(self, absence: Absence) -> Missed:
        missed, after = Missed(absence.since, absence.until), None
        while page := await self._store.seen_since(absence.seen_from, after, _PAGE):
            missed.add(event for _, event in page)
            seq, last = page[-1]
            after = last.seen_at, seq
        return missed
