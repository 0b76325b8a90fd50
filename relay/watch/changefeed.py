"""The changefeed watcher: what happened to the repositories' trust data.

The feed is append-only but not honest about its order: a record can become visible behind one that was
already read (on SQL, ids are taken before commit; on RethinkDB the order is the clock of several servers).
So an overlap is read again, and what was taken is known by its identity. Every look also begins before the
last record that was read, to see that it is still there: a restored or rebuilt notary database answers an
old cursor with nothing at all, for ever (SQL), or with an error (RethinkDB). Source: notary 0.7.0.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from relay.config import Duration
from relay.model.details import FeedReset
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition, CursorMove, Fact, Failure, Report
from relay.msr import BadAnswer, CursorRefused, MsrError, Page, Unwell
from relay.watch.abreast import abreast
from relay.watch.base import Interval, Options, Place, Watcher
from relay.watch.position import BEGINNING, Position
from relay.watch.reading import Key, Keyed, LostError, Reading, fact_of
from relay.watch.start import Start, locate

ALL = "all repositories"
"""The source that stands for the feed of the whole cluster."""

_AT_ONCE = 4
"""How many feeds are read at the same time."""
_STRIKES = 3
"""So many looks in a row must miss the last record before the feed counts as another one."""
_SEARCHED = 50
"""Pages in which the last record is looked for: only records that came late stand before it."""
_SWEEP_SECONDS = 30.0
_SWEEP_SHARE = 4
"""After a sweep, at least so many times its duration passes before the next one."""
_REMEMBERED = 20_000
_LARGEST_PAGE = 20_000


class ChangefeedOptions(Options):
    """Options of the changefeed watcher."""

    every: Interval = timedelta(seconds=15)
    """How long from one look to the next."""
    start: Start = "newest"
    """Where the first look begins: newest, beginning, {time: ...} or {id: ...}."""
    page: Annotated[int, Field(ge=2, le=10_000)] = 1000
    """How many records are asked for at once."""
    overlap: Annotated[Duration, Field(ge=timedelta(seconds=1))] = timedelta(minutes=5)
    """How much is read again, for records that show late."""


@dataclass(slots=True)
class _Feed:
    """What is remembered of a feed between looks; losing it costs a few requests, nothing else.

    ``short`` tells that the overlap fits into one page, so that it is read at every look; else it is
    swept now and then, from ``sweep_from`` on, where the overlap of the last sweep's time began.
    """

    source: str
    repository: str | None
    seen: dict[Key, None] = field(default_factory=dict)
    strikes: int = 0
    short: bool = True
    sweep_from: str | None = None
    sweep_after: float | None = None

    def remember(self, keys: Sequence[Key]) -> None:
        self.seen.update(dict.fromkeys(keys))
        while len(self.seen) > _REMEMBERED:
            del self.seen[next(iter(self.seen))]

    def begin_anew(self) -> None:
        self.strikes, self.short, self.sweep_from, self.sweep_after = 0, True, None, None


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
        async with aclosing(abreast([self._look_at(feed) for feed in self._feeds], _AT_ONCE)) as reports:
            async for report in reports:
                yield report

    async def _look_at(self, feed: _Feed) -> AsyncGenerator[Report, None]:
        scope = f"{self.watch}/{feed.source}"
        written = await self.place.read_cursor(scope)
        try:
            if written is None:
                first = await self._locate(feed)
                yield self.report((feed.source,), cursor=CursorMove(scope, None, first.write()))
                return
            async with aclosing(self._read(feed, scope, written)) as reports:
                async for report in reports:
                    yield report
        except LostError as error:
            feed.strikes += 1
            if feed.strikes < _STRIKES:
                yield self.report((feed.source,), failures=[Failure(feed.source, str(error))])
            else:
                yield await self._restart(feed, scope, str(error))
        except CursorRefused as error:
            if written is None:
                yield self.report((feed.source,), failures=[self.failure(feed.source, error)])
            else:
                yield await self._restart(feed, scope, "the feed cannot read the id of its own record")
        except MsrError as error:
            yield self.report((feed.source,), failures=[self.failure(feed.source, error)])

    async def _locate(self, feed: _Feed) -> Position:
        options = self.options
        return await locate(self.place.msr, options.start, feed.repository, options.page, options.overlap)

    async def _read(self, feed: _Feed, scope: str, written: str) -> AsyncGenerator[Report, None]:
        """Read a feed to its end, from its overlap if that is short, else from its head; then sweep."""
        position = Position.read(written)
        reading = Reading(position, self._from(feed, position))
        again = False
        async with aclosing(self._pages(feed, reading.change_id)) as pages:
            asked = 0
            async for page, last in pages:
                asked += 1
                told = reading.take(page)
                if not reading.found:
                    if last or asked == _SEARCHED:
                        raise LostError("the last record that was read is no longer in the feed")
                    # Of a page that may be another feed's nothing is told; a sweep does, once it is known.
                    if feed.short:
                        feed.short, again = False, True
                        break
                    continue
                position = position.passed(reading.fresh(), self.options.overlap, self.place.clock.now())
                if last and position.reset is not None:
                    position = position.recovered()
                text = position.write()
                move = None if text == written else CursorMove(scope, written, text)
                conditions = [self._resetting(feed, position)] if position.reset is not None else []
                facts, keys = self._facts(feed, told)
                yield self.report((), conditions, facts, cursor=move, complete=False)
                feed.remember(keys)
                written = text
        if again:
            async with aclosing(self._read(feed, scope, written)) as reports:
                async for report in reports:
                    yield report
            return
        if not feed.short and self.place.clock.monotonic() >= (feed.sweep_after or 0.0):
            async with aclosing(self._sweep(feed, position)) as reports:
                async for report in reports:
                    yield report
        feed.strikes = 0
        yield self.report((feed.source,))

    def _from(self, feed: _Feed, position: Position) -> str:
        if position.head is None:
            return position.floor
        return position.anchor(self.options.overlap) if feed.short else position.behind

    async def _sweep(self, feed: _Feed, position: Position) -> AsyncGenerator[Report, None]:
        """Read the overlap of a busy feed again, up to the head."""
        began = self.place.clock.monotonic()
        anchor = position.anchor(self.options.overlap)
        reading = Reading(position, feed.sweep_from or anchor)
        asked = 0
        async with aclosing(self._pages(feed, reading.change_id)) as pages:
            async for page, last in pages:
                asked += 1
                facts, keys = self._facts(feed, reading.take(page))
                if facts:
                    yield self.report((), facts=facts, complete=False)
                feed.remember(keys)
                if reading.found:
                    break
                if last:
                    raise LostError("the feed changed while it was being read")
        now = self.place.clock.monotonic()
        feed.sweep_from, feed.short = anchor, asked == 1
        feed.sweep_after = now + max(_SWEEP_SECONDS, _SWEEP_SHARE * (now - began))

    async def _pages(self, feed: _Feed, change_id: str) -> AsyncGenerator[tuple[Page, bool], None]:
        """Yield the pages behind a change_id, each with whether it is the last one.

        While one is being taken in the next one is fetched: it changes nothing before it is asked for.
        """
        size = self.options.page
        page = await self._page(feed, change_id, size)
        while len(page.records) >= size:
            latest = next((record.id for record in reversed(page.records) if record.id is not None), None)
            if latest is not None and latest != change_id:
                change_id, size = latest, self.options.page
            elif latest is None and size < _LARGEST_PAGE:
                # Nothing to go on from: ask for more, until there is.
                size *= 2
            else:
                yield page, False
                raise BadAnswer(f"the changefeed does not go on behind its record {change_id}")
            ahead = asyncio.create_task(self._page(feed, change_id, size))
            try:
                yield page, False
                page = await ahead
            finally:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
        yield page, True

    async def _page(self, feed: _Feed, change_id: str, size: int) -> Page:
        try:
            return await self.place.msr.changefeed(change_id, size, feed.repository)
        except Unwell:
            # RethinkDB answers an unknown record with an error; so does a server that is simply unwell.
            if change_id == BEGINNING:
                raise
            try:
                await self.place.msr.newest(feed.repository)
            except MsrError:
                pass
            else:
                raise LostError("the feed answers, but not behind a record that was read") from None
            raise

    def _facts(self, feed: _Feed, told: Sequence[Keyed]) -> tuple[list[Fact], list[Key]]:
        """Return the facts of records that are new as far as is remembered, and their keys."""
        host, now = self.place.msr.registry_host, self.place.clock.now()
        new = {key: record for key, record in told if key not in feed.seen}
        return [fact_of(record, feed.source, host, now) for record in new.values()], [key for key, _ in told]

    async def _restart(self, feed: _Feed, scope: str, reason: str) -> Report:
        """Go back to the beginning of a feed that is another one than before; the next look reads it."""
        written = await self.place.read_cursor(scope)
        assert written is not None, "only a feed that has been read can turn out to be another one"
        feed.begin_anew()
        after = Position.read(written).restarted(reason, self.place.clock.now() - self.place.horizon)
        move = CursorMove(scope, written, after.write())
        return self.report((feed.source,), [self._resetting(feed, after)], cursor=move)

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
