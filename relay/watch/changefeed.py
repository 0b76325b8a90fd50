"""The changefeed watcher: what happened to the repositories' trust data.

The feed is append-only but not honest about its order: a record can become visible behind one that was
already read (on SQL, ids are taken before commit; on RethinkDB the order is the clock of several servers).
So an overlap is read again, and what was taken is known by its identity. Reading the overlap also shows
whether the feed is still the same: a restored or rebuilt notary database answers an old cursor with
nothing at all, for ever (SQL), or with an error (RethinkDB). Source: notary 0.7.0.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Literal

import structlog
from pydantic import AwareDatetime, Field

from relay.config import Duration, Section
from relay.model.details import FeedReset, TrustRecord, UnreadableRecord
from relay.model.event import Subject, SubjectKind
from relay.model.ids import stable_id
from relay.model.observation import Condition, CursorMove, Fact, Report
from relay.msr import Category, CursorRefused, MsrError, Page, Record, Unreadable, Unwell, split
from relay.watch.base import Options, Place, Watcher
from relay.watch.position import BEGINNING, Mark, Position

_log = structlog.get_logger("relay.watch.changefeed")

ALL = "all repositories"
"""The source that stands for the feed of the whole cluster."""

_BACK_PAGES = 1000
_SWEEP_SECONDS = 30.0
_STRIKES = 3
_REMEMBERED = 20_000
_YEAR_ONE = 1


class FromTime(Section):
    """Begin with the first record at or after a time."""

    time: AwareDatetime
    """RFC 3339, as in 2026-11-23T20:58:11Z."""


class FromRecord(Section):
    """Begin behind a record."""

    id: str
    """notary's ID of the record."""


class ChangefeedOptions(Options):
    """Options of the changefeed watcher."""

    every: Duration = timedelta(seconds=15)
    """How long from one look to the next."""
    start: Literal["newest", "beginning"] | FromTime | FromRecord = "newest"
    """Where the first look begins: newest, beginning, {time: ...} or {id: ...}."""
    page: Annotated[int, Field(ge=2, le=10_000)] = 1000
    """How many records are asked for at once."""
    overlap: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)
    """How much is read again, for records that show late."""


@dataclass(slots=True)
class _Feed:
    """What is remembered of a feed between looks; losing it costs a few requests, nothing else."""

    source: str
    repository: str | None
    seen: dict[tuple[str, ...], None] = field(default_factory=dict)
    swept_at: float | None = None
    sweep_is_cheap: bool = True
    strikes: int = 0

    def remember(self, keys: Sequence[tuple[str, ...]]) -> None:
        self.seen.update(dict.fromkeys(keys))
        while len(self.seen) > _REMEMBERED:
            del self.seen[next(iter(self.seen))]


class _ResetError(Exception):
    """The feed is another one than before."""


class ChangefeedWatcher(Watcher[ChangefeedOptions]):
    """Reads the feed of all repositories, or that of each one that is listed."""

    NAME = "changefeed"

    def __init__(self, place: Place, options: ChangefeedOptions) -> None:
        super().__init__(place, options)
        self._feeds = [_Feed(name, name) for name in place.repositories] or [_Feed(ALL, None)]

    @property
    def sources(self) -> tuple[str, ...]:
        """The feeds."""
        return tuple(feed.source for feed in self._feeds)

    async def look(self) -> AsyncIterator[Report]:
        """Read every feed up to its end."""
        for feed in self._feeds:
            scope = f"{self.watch}/{feed.source}"
            written = await self.place.read_cursor(scope)
            try:
                if written is None:
                    yield self._move(feed, scope, None, await self._locate(feed))
                    continue
                async for report in self._read(feed, scope, written):
                    yield report
                feed.strikes = 0
            except _ResetError as error:
                yield await self._restart(feed, scope, str(error))
            except MsrError as error:
                yield self.report((feed.source,), failures=(self.failure(feed.source, error),))

    async def _read(self, feed: _Feed, scope: str, written: str) -> AsyncIterator[Report]:
        """Read a feed from its overlap (or, if that is long and was read lately, its head) to its end."""
        position = Position.read(written)
        sweeping = position.head is None or self._must_sweep(feed)
        change_id = position.anchor(self.options.overlap) if sweeping else _id(position.head)
        reading = _Reading(
            position,
            found=position.head is None or change_id == position.head.id,
            started=position.start is None or change_id != position.floor,
        )
        pages = 0
        while True:
            page = await self._page(feed, change_id)
            pages += 1
            last = len(page.records) < self.options.page
            facts, keys = self._take(feed, reading, page)
            if last and not reading.found:
                raise _ResetError("the last record that was read is no longer in the feed")
            after = reading.position.passed(reading.fresh, self.options.overlap)
            if last and after.reset is not None:
                after = after.recovered()
            conditions = [self._resetting(feed, after)] if after.reset is not None else []
            text = after.write()
            move = None if text == written else CursorMove(scope, written, text)
            yield self.report((feed.source,), conditions, facts, cursor=move, complete=last)
            feed.remember(keys)
            written, reading.position, reading.fresh = text, after, []
            change_id = next((r.id for r in reversed(page.records) if r.id is not None), change_id)
            if last:
                break
        if sweeping:
            feed.swept_at = self.place.clock.monotonic()
            feed.sweep_is_cheap = pages == 1

    def _must_sweep(self, feed: _Feed) -> bool:
        if feed.sweep_is_cheap or feed.swept_at is None:
            return True
        pause = min(_SWEEP_SECONDS, self.options.overlap.total_seconds() / 2)
        return self.place.clock.monotonic() - feed.swept_at >= pause

    async def _page(self, feed: _Feed, change_id: str) -> Page:
        try:
            return await self.place.msr.changefeed(change_id, self.options.page, feed.repository)
        except CursorRefused as error:
            raise _ResetError(f"the feed cannot read its own record's id any more: {error}") from None
        except Unwell:
            # RethinkDB answers an unknown cursor with an error; so does a server that is simply unwell.
            feed.strikes += 1
            if feed.strikes < _STRIKES or change_id == BEGINNING:
                raise
            await self.place.msr.newest(feed.repository)
            raise _ResetError("the feed answers, but no longer knows the record that was read last") from None

    def _take(self, feed: _Feed, reading: "_Reading", page: Page) -> tuple[list[Fact], list[tuple[str, ...]]]:
        """Return the facts of a page that are new as far as is remembered, and the keys of its records."""
        facts, keys = [], []
        for record in page.records:
            tell = reading.step(record)
            key = _key(record)
            keys.append(key)
            if tell and key not in feed.seen:
                facts.append(self._fact(feed, record, key))
        return facts, keys

    def _fact(self, feed: _Feed, record: Record | Unreadable, key: tuple[str, ...]) -> Fact:
        now = self.place.clock.now()
        name = split(record.gun, self.place.msr.registry_host).repository
        subject = Subject(SubjectKind.REPOSITORY, name, gun=record.gun)
        if isinstance(record, Unreadable):
            return Fact(
                type="trust.unreadable",
                identity=key,
                subject=subject,
                summary=f"A record of the changefeed{f' about {name}' if name else ''} cannot be read",
                happened_at=now,
                details=UnreadableRecord(reason=record.reason, excerpt=record.raw, feed=feed.source).plain(),
            )
        deleted = record.category is Category.DELETION
        what = "was deleted" if deleted else f"was updated to version {record.version}"
        return Fact(
            type="trust.deleted" if deleted else "trust.updated",
            identity=key,
            subject=subject,
            summary=f"Trust data of {name or 'a repository without a name'} {what}",
            happened_at=now if record.created_at.year == _YEAR_ONE else record.created_at,
            details=TrustRecord(
                record_id=record.id, version=record.version, sha256=record.sha256, feed=feed.source
            ).plain(),
        )

    def _move(self, feed: _Feed, scope: str, before: str | None, after: Position) -> Report:
        return self.report((feed.source,), cursor=CursorMove(scope, before, after.write()))

    async def _restart(self, feed: _Feed, scope: str, reason: str) -> Report:
        """Go back to the beginning of a feed that is another one than before; the next look reads it."""
        written = await self.place.read_cursor(scope)
        assert written is not None, "only a feed that has been read can turn out to be another one"
        horizon = self.place.clock.now() - self.place.horizon
        after = Position.read(written).restarted(reason, horizon)
        move = CursorMove(scope, written, after.write())
        return self.report((feed.source,), (self._resetting(feed, after),), cursor=move)

    def _resetting(self, feed: _Feed, position: Position) -> Condition:
        where = "" if feed.repository is None else f" of {feed.repository}"
        return Condition(
            type="changefeed.reset",
            identity=(feed.source,),
            subject=Subject(SubjectKind.FEED, feed.source),
            summary=f"The changefeed{where} of cluster {self.place.cluster} was rebuilt or restored",
            details=FeedReset(
                feed=feed.source,
                reason=position.reset or "",
                last_record=position.lost,
                reread=position.reread,
            ).plain(),
            source=feed.source,
        )

    async def _locate(self, feed: _Feed) -> Position:
        """Return where a first look begins."""
        msr, start = self.place.msr, self.options.start
        if start == "beginning":
            return Position()
        if isinstance(start, FromRecord):
            before = (await msr.changefeed(start.id, -1, feed.repository)).records
            floor = (before[-1].id if before else None) or BEGINNING
            found = (await msr.changefeed(floor, 1, feed.repository)).records
            if not found or found[0].id != start.id:
                raise MsrError(f"the changefeed has no record {start.id}: correct changefeed.start.id")
            return Position.behind([*before, *found])
        newest = await msr.newest(feed.repository)
        if newest is None or newest.id is None:
            return Position()
        until = start.time if isinstance(start, FromTime) else None
        return await self._before(feed, newest, until)

    async def _before(self, feed: _Feed, newest: Record | Unreadable, until: datetime | None) -> Position:
        """Return the position behind the newest record, or behind the last one before a time."""
        known: list[Record | Unreadable] = [newest]
        size = 1 if until is None else self.options.page
        for _ in range(_BACK_PAGES):
            first = next(record.id for record in known if record.id is not None)
            earlier = (await self.place.msr.changefeed(first, -size, feed.repository)).records
            known = [*earlier, *known]
            if until is None:
                return Position.behind(known)
            old = [record for record in known if _is_before(record, until)]
            if len(old) > 1 or len(earlier) < size:
                return Position.behind(old[-2:])
            known = known[: size + 1]
        _log.warning("the changefeed is too long to find its start by time", feed=feed.source, start=until)
        return Position.behind(known[:2])


@dataclass(slots=True)
class _Reading:
    """One reading through a feed: what of it lies behind the head, and what is to be told."""

    position: Position
    found: bool
    started: bool
    fresh: list[Mark] = field(default_factory=list)

    def step(self, record: Record | Unreadable) -> bool:
        """Take the next record, in the feed's order; tell whether it may be told."""
        mark = Mark.of(record)
        tell = self.started and not self._is_old(record)
        if mark is not None and not self.started and mark == self.position.start:
            self.started = True
        if self.found:
            if mark is not None:
                self.fresh.append(mark)
        elif mark is not None and mark == self.position.head:
            self.found = True
        return tell

    def _is_old(self, record: Record | Unreadable) -> bool:
        since = self.position.since
        return since is not None and _is_before(record, since)


def _is_before(record: Record | Unreadable, time: datetime) -> bool:
    """Tell whether a record is older; one whose time is not known is not."""
    return isinstance(record, Record) and record.created_at.year != _YEAR_ONE and record.created_at < time


def _key(record: Record | Unreadable) -> tuple[str, ...]:
    """Return what makes a record this one: a rebuilt feed uses ids again, so the id is not enough."""
    if isinstance(record, Unreadable):
        return ("unreadable", record.id or "", stable_id("raw", record.raw))
    return (record.id, record.created_at.isoformat(), record.gun)


def _id(mark: Mark | None) -> str:
    return BEGINNING if mark is None else mark.id
