"""The watcher of trust data: examines what changed, so that it is known what is lost when it is deleted.

It reads by hash, and `root.json`: neither ever makes the server write. What it found is kept in the store; a
deletion is told with it. Now and then it asks whether the server still has what it should have: a crash
between a deletion and its record leaves none (RethinkDB).
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from relay.config import Duration, at_least, off_is_none
from relay.model.event import Event
from relay.model.observation import Condition, CursorMove, Report
from relay.model.patterns import Patterns, check_glob
from relay.model.trust import INVENTORY_DONE, Kept, inventory_scope, unexamined
from relay.msr import BadAnswer, MsrError, NoAccess, Unwell
from relay.trust.examine import MEDIUM
from relay.watch.abreast import abreast
from relay.watch.base import Interval, Options, Place, Watcher
from relay.watch.examination import Budget, Examination, later
from relay.watch.inventory import Inventory
from relay.watch.trust_conditions import WarnOptions, expiring, invalid
from relay.watch.trust_facts import vanished

SOURCE = "trust data"
"""The one part of this watch."""

_AT_ONCE = 4
"""How many repositories are examined at the same time."""
_FILES = 5
"""Requests that a repository takes which is new: a token, timestamp, snapshot, root, targets."""
_ROOT = 2
"""Requests that asking for the root takes, with the token for it."""
_MOST_SHOWN = 5000
_JUDGED_EVERY = 60.0
_STOCK_PAGES = 2
_SURE_AFTER = timedelta(minutes=2)
"""So long something must be missing: RethinkDB shows a record only after a minute."""
_LONGEST = 60.0
"""Seconds that one repository may take: slow ones must not keep the others waiting."""
_HOPELESS = 3
"""So many unusable answers in a row are no accident."""


class TrustOptions(Options):
    """Options of the watcher of trust data."""

    every: Interval = timedelta(seconds=5)
    """How long from one look to the next."""
    keep: list[Annotated[str, AfterValidator(check_glob)]] = Field(default_factory=lambda: ["**"])
    """Globs of the repositories that are examined; `!` excludes."""
    rate: Annotated[int, Field(ge=1, le=1000)] = 10
    """How many requests a second it makes at the most, on average."""
    patience: Annotated[Duration, at_least(timedelta(seconds=1))] = timedelta(minutes=1)
    """How long an update may wait to be examined; then it is told without."""
    inventory: bool = True
    """Whether the feed is read backwards once, for the repositories that were there before."""
    reconcile: Annotated[
        Annotated[Duration, at_least(timedelta(minutes=5))] | None,
        BeforeValidator(off_is_none, json_schema_input_type=Duration | Literal["off"] | None),
    ] = timedelta(days=1)
    """How often it asks whether the server still has each repository's trust data; `off` for never."""
    warn: WarnOptions = Field(default_factory=WarnOptions)
    """How long before something expires that is told."""


class TrustWatcher(Watcher[TrustOptions]):
    """Examines repositories' trust data."""

    NAME = "trust"

    def __init__(self, place: Place, options: TrustOptions) -> None:
        super().__init__(place, options)
        self._wanted = Patterns(options.keep, "/")
        self._inventory = Inventory(place.cluster, place.msr, place.repositories, self._wanted)
        self._judged: float | None = None
        self._owed = 0
        self._reads = False
        """Whether it could read anything at all so far: else what is refused concerns more than one."""

    @property
    def sources(self) -> tuple[str, ...]:
        """One: what is wrong with a single repository is told of that."""
        return (SOURCE,)

    async def look(self) -> AsyncIterator[Report]:
        """Examine what waits and what is wanted, take stock, see what is missing, and judge."""
        # What one look asked too much, because what is begun is finished, the next one asks less.
        most = math.ceil(self.options.rate * max(1.0, self.options.every.total_seconds())) - self._owed
        budget, found = Budget(most), False
        for stage in (self._waiting, self._catch_up, self._take_stock, self._reconcile):
            if budget.spent:
                break
            async with aclosing(stage(budget)) as reports:
                async for report in reports:
                    found = True
                    yield report
        self._owed = max(0, -budget.left)
        idle = budget.left == most and budget.error is None
        self._reads = self._reads or budget.answered
        error = budget.error or (None if self._reads else budget.refused)
        failures = [] if error is None else [self.failure(SOURCE, error)]
        if not failures and self._may_judge(found):
            conditions, undecided = await self._conditions()
            yield replace(self.report((SOURCE,), conditions, undecided=undecided), idle=idle)
        else:
            undecided = ("trust.invalid", "trust.expiring")
            yield replace(self.report((SOURCE,), failures=failures, undecided=undecided), idle=idle)

    def _may_judge(self, found: bool) -> bool:
        now = self.place.clock.monotonic()
        due = found or self._judged is None or now - self._judged >= _JUDGED_EVERY
        if due:
            self._judged = now
        return due

    async def _conditions(self) -> tuple[list[Condition], Sequence[str]]:
        trust, cluster, now = self.place.trust, self.place.cluster, self.place.clock.now()
        warn = self.options.warn
        soon = await trust.expiring_trust(cluster, now + warn.longest, _MOST_SHOWN)
        broken = await trust.invalid_trust(cluster, _MOST_SHOWN)
        # Of what was cut off nothing may be said.
        cut = [
            name
            for name, rows in (("trust.expiring", soon), ("trust.invalid", broken))
            if len(rows) == _MOST_SHOWN
        ]
        shown = [*invalid(broken), *(each for kept in soon for each in expiring(kept, warn, now))]
        return shown, cut

    async def _waiting(self, budget: Budget) -> AsyncGenerator[Report, None]:
        waiting = await self.place.trust.waiting_trust(self.place.cluster, budget.left)
        now = self.place.clock.now()
        due = [each for each in waiting if not each.kept.tries or (each.kept.wanted_at or now) <= now]
        streams = [self._examine(each.kept, each.events, budget) for each in due]
        async with aclosing(abreast(streams, _AT_ONCE)) as reports:
            async for report in reports:
                yield report

    async def _catch_up(self, budget: Budget) -> AsyncGenerator[Report, None]:
        """Examine what nothing waits for: what was there before, and what could not be examined in time."""
        trust, now = self.place.trust, self.place.clock.now()
        wanted = await trust.wanted_trust(self.place.cluster, now, max(1, budget.left // _FILES))
        streams = [self._examine(kept, (), budget) for kept in wanted]
        async with aclosing(abreast(streams, _AT_ONCE)) as reports:
            async for report in reports:
                yield report

    async def _examine(
        self, kept: Kept, events: Sequence[Event], budget: Budget
    ) -> AsyncGenerator[Report, None]:
        """Examine one repository, for the events that wait for it."""
        if budget.spent:
            return
        if not self._wanted.match(kept.head.repository) or kept.head.deleted:
            why = "it has been deleted" if kept.head.deleted else "the watcher does not keep it"
            left = tuple(unexamined(event, why) for event in events)
            yield self._partial(replace(kept, wanted_at=None, tries=0), events=left)
            return
        # For the token that it may take.
        budget.left -= 1
        work = Examination(kept, self.place.msr, self.place.clock, budget)
        try:
            async with asyncio.timeout(_LONGEST):
                await work.run(events)
        except (MsrError, TimeoutError) as failed:
            error = failed if isinstance(failed, MsrError) else _slow(kept)
            report = self._gave_up(kept, error, budget)
            if report is not None:
                yield report
            return
        yield self._partial(work.kept, facts=work.facts, events=work.told, snapshots=work.snapshots)

    def _gave_up(self, kept: Kept, error: MsrError, budget: Budget) -> Report | None:
        """Return what is kept of a repository that could not be examined now; None: nothing is known."""
        if not self._single(error):
            budget.error = error
            return None
        if isinstance(error, NoAccess):
            budget.refused = error
        tries = kept.tries + 1
        # An answer that cannot be used may be an accident, or a server that was tampered with.
        broken = isinstance(error, BadAnswer) and tries >= _HOPELESS
        problem = str(error) if broken else kept.problem
        return self._partial(
            replace(kept, tries=tries, wanted_at=later(self.place.clock.now(), tries), problem=problem)
        )

    def _single(self, error: MsrError) -> bool:
        """Tell whether an error concerns one repository only, as far as can be told."""
        return isinstance(error, NoAccess | BadAnswer) or (isinstance(error, Unwell) and error.internal)

    def _partial(self, kept: Kept, **more: object) -> Report:
        report = self.report((), complete=False)
        return replace(report, kept=(kept,), **more)  # type: ignore[arg-type]

    async def _take_stock(self, budget: Budget) -> AsyncGenerator[Report, None]:
        if not self.options.inventory:
            return
        scope = inventory_scope(self.place.cluster)
        for _ in range(_STOCK_PAGES):
            written = await self.place.read_cursor(scope)
            if written == INVENTORY_DONE or budget.spent:
                return
            try:
                heads, after = await self._inventory.page(written)
            except MsrError as error:
                budget.error = error
                return
            budget.left -= 1
            move = CursorMove(scope, written, after)
            yield replace(self.report((), cursor=move, complete=False), inventory=heads)

    async def _reconcile(self, budget: Budget) -> AsyncGenerator[Report, None]:
        """Ask whether the server still has what was not looked at for long."""
        every = self.options.reconcile
        if every is None:
            return
        now = self.place.clock.now()
        most = max(1, budget.left // _ROOT)
        for kept in await self.place.trust.unchecked_trust(self.place.cluster, now - every, most):
            if budget.spent:
                return
            budget.left -= _ROOT
            try:
                root = await self.place.msr.newest_root(kept.head.gun, MEDIUM)
            except MsrError as error:
                if not self._single(error):
                    budget.error = error
                    return
                # Nothing is known; it comes again in turn.
                yield self._partial(replace(kept, checked_at=now))
                continue
            if root is not None:
                yield self._partial(replace(kept, checked_at=now, missing_since=None))
            elif kept.missing_since is None or now - kept.missing_since < _SURE_AFTER:
                since = kept.missing_since or now
                again = now - every + _SURE_AFTER
                yield self._partial(replace(kept, checked_at=again, missing_since=since))
            else:
                yield self._partial(replace(kept, checked_at=now), facts=(vanished(kept, now),))


def _slow(kept: Kept) -> BadAnswer:
    return BadAnswer(f"the trust data of {kept.head.repository} took longer than {_LONGEST:.0f} seconds")
