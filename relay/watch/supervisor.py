"""Keeping a watcher looking: in time, on the grid of its cluster, and again after a crash."""

import math
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import structlog

from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.model.observation import Failure, Look, Report
from relay.model.telemetry import Looked, LookOutcome, Telemetry
from relay.store import CursorMovedError
from relay.watch.base import Watcher

_log = structlog.get_logger("relay.watch")

_APART = 0.04
"""Seconds between the first looks of two clusters, so that many of them are not asked at once."""
_SPAN = 3600.0
"""Seconds over which the origins of grids are spread: longer than nearly every interval."""
_LEAST = 0.05
"""The part of an interval that lies between two looks at least: else the grid's next place is skipped."""
_PAUSE = 1.0
_LONGEST_PAUSE = 300.0
_LONGEST_ASKED = 3600.0
"""Seconds for which a server that asks to be left alone (429) is left alone at the most."""


@dataclass(frozen=True, slots=True)
class Grid:
    """When a cluster is looked at: the ``first`` time so many seconds after the start, and from then on
    whenever a whole number of intervals has passed since its ``origin`` (monotonic seconds).

    All watchers of a cluster have one grid: those that look at the same moment share a connection to each
    replica. Each cluster has another, so that not all of them are asked at the same moment.
    """

    first: float
    origin: float

    def after(self, began: float, every: float) -> float:
        """Return when to look after a look that ``began`` then, so many seconds ``every`` time."""
        return self.origin + every * (math.floor((began - self.origin) / every + _LEAST) + 1)


def grids(clusters: Sequence[str], now: float, source: random.Random) -> dict[str, Grid]:
    """Return a grid for each cluster; the clusters' first looks come one after the other."""
    return {
        cluster: Grid(number * _APART, now + source.uniform(0, _SPAN))
        for number, cluster in enumerate(clusters)
    }


class Supervisor:
    """Runs one watcher, on the ``grid`` of its cluster.

    ``take`` commits a report; it may raise StoreError, which ``store_failed`` is told. ``read_at`` is when
    the last look began that could read everything (monotonic seconds), None before there was one: what MSR
    showed by then has been seen.
    """

    def __init__(
        self,
        watcher: Watcher[Any],
        take: Callable[[Report], Awaitable[None]],
        clock: Clock,
        grid: Grid,
        store_failed: Callable[[StoreError], None],
        telemetry: Telemetry = Telemetry(),  # noqa: B008
    ) -> None:
        self.watcher = watcher
        self._take = take
        self._clock = clock
        self._grid = grid
        self._store_failed = store_failed
        self._telemetry = telemetry
        self.crashes = 0
        self.looked_at: float | None = None
        self.read_at: float | None = None
        self._started = clock.monotonic()
        self._asked = 0.0
        self.last = Look(watcher.watch, watcher.sources)
        self.due: float | None = None
        """When it looks next, in monotonic seconds; None while it looks."""

    async def run(self) -> None:
        """Look until cancelled."""
        every = self.watcher.options.every.total_seconds()
        await self._clock.sleep(min(self._grid.first, every))
        in_a_row = 0
        while True:
            began, self.due = self._clock.monotonic(), None
            if await self._look():
                in_a_row = 0
                pause = self._grid.after(began, every) - began
            else:
                in_a_row += 1
                pause = min(_PAUSE * 2 ** min(in_a_row - 1, 10), _LONGEST_PAUSE)
            self.looked_at = self._clock.monotonic()
            pause = max(pause, min(self._asked, _LONGEST_ASKED))
            self.due = began + pause
            await self._clock.sleep(began + pause - self._clock.monotonic())

    def late(self, now: float, times: int, least: float) -> float | None:
        """Return how many seconds ago the last look ended, if that is too long ago, None otherwise.

        Too long is so many ``times`` the interval, and at ``least`` so many seconds.
        """
        every, age = self.watcher.options.every.total_seconds(), self.age(now)
        return age if age > max(times * every, least) else None

    def age(self, now: float) -> float:
        """Return how many seconds ago the last look ended, or since it runs."""
        return now - (self._started if self.looked_at is None else self.looked_at)

    def behind(self, now: float) -> float:
        """Return how many seconds ago the last look began that could read everything, or since it runs."""
        return now - (self._started if self.read_at is None else self.read_at)

    async def _look(self) -> bool:
        """Look once; tell whether the watcher itself works."""
        self._asked = 0.0
        began = self._clock.monotonic()
        failed: list[Failure] = []
        self._telemetry.looking(self.watcher.watch, self._clock.now())
        try:
            reports = cast(AsyncGenerator[Report, None], self.watcher.look())
            async with aclosing(reports):
                async for report in reports:
                    asked = (failure.retry_after or 0.0 for failure in report.failures)
                    self._asked = max(self._asked, *asked, 0.0)
                    await self._take(report)
                    failed.extend(report.failures)
        except CursorMovedError as error:
            _log.warning(
                "read again from where the cursor is now", watch=str(self.watcher.watch), reason=str(error)
            )
            self._note(
                began, self._all("it is read again from where the cursor is now"), LookOutcome.STORE, failed
            )
        except StoreError as error:
            # Nothing was taken: the next look tells the same again.
            self._store_failed(error)
            self._note(began, self._all(str(error)), LookOutcome.STORE, failed)
        except Exception as error:
            self.crashes += 1
            _log.exception("a watcher crashed", watch=str(self.watcher.watch), crashes=self.crashes)
            self._note(
                began, self._all(f"internal error ({type(error).__name__})"), LookOutcome.CRASHED, failed
            )
            await self._report_crash(error)
            return False
        else:
            unread = {failure.source: failure.cause for failure in failed}
            outcome = self._outcome(unread)
            if outcome is LookOutcome.READ:
                self.read_at = began
            self._note(began, unread, outcome, failed)
        return True

    def _outcome(self, unread: Mapping[str, str]) -> LookOutcome:
        if not unread:
            return LookOutcome.READ
        blind = all(source in unread for source in self.watcher.sources)
        return LookOutcome.UNREAD if blind else LookOutcome.PARTIAL

    def _all(self, cause: str) -> dict[str, str]:
        return dict.fromkeys(self.watcher.sources, cause)

    def _note(
        self, began: float, unread: Mapping[str, str], outcome: LookOutcome, failed: Sequence[Failure]
    ) -> None:
        self.last = Look(self.watcher.watch, self.watcher.sources, began, self._clock.now(), unread)
        seconds = self._clock.monotonic() - began
        self._telemetry.looked(Looked(self.watcher.watch, outcome, seconds, failed, self.watcher.replicas))

    async def _report_crash(self, error: Exception) -> None:
        # The error's text may hold anything; its type says enough for a bug report, the log has the rest.
        cause = f"internal error ({type(error).__name__}) in the watcher; please report it with the log"
        failures = [Failure(source, cause, at_once=True) for source in self.watcher.sources]
        try:
            await self._take(self.watcher.report(self.watcher.sources, failures=failures))
        except StoreError as failed:
            self._store_failed(failed)
        except Exception:
            # Whatever takes reports is broken; looking goes on, for that may pass.
            _log.exception("a crash could not be reported", watch=str(self.watcher.watch))
