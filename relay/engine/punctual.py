"""What is told on a schedule: at each time once, across restarts and reloads."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, ValidationError

from relay.engine.schedule import Schedule
from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.model.observation import CursorMove, Fact, Report, Watch
from relay.store import CursorMovedError, Store

_LONGEST_SLEEP = 60.0
"""Seconds: the wall clock may jump, or the machine sleep, and a sleep would not notice."""
_AHEAD = timedelta(hours=1)
_STORE_PAUSE = 1.0


class Told(BaseModel):
    """How far a greeting has come: the last time of its schedule that needs no telling any more."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: datetime
    schedule: str
    zone: str


def told_until(text: str | None, schedule: Schedule, now: datetime) -> datetime | None:
    """Return up to which time a schedule has been told, None where that has to begin anew.

    It begins anew with a new schedule, whose past times were nobody's, and when what was told last lies in
    the future: a clock that went wrong and was corrected must not silence it until then.
    """
    try:
        told = Told.model_validate_json(text or "")
    except ValidationError:
        return None
    if (told.schedule, told.zone) != (schedule.text, schedule.zone) or told.at - now > _AHEAD:
        return None
    return told.at


class Punctual(ABC):
    """Tells something at each time of a schedule, exactly once; after a downtime only the latest.

    How far it has come is kept under ``scope``, and committed with what it tells.
    """

    def __init__(
        self,
        scope: str,
        schedule: Schedule,
        store: Store,
        clock: Clock,
        take: Callable[[Report], Awaitable[None]],
        store_failed: Callable[[StoreError], None],
    ) -> None:
        self._scope = scope
        self._watch = Watch(None, scope.partition("/")[0])
        self._schedule = schedule
        self._store = store
        self._clock = clock
        self._take = take
        self._store_failed = store_failed

    @abstractmethod
    async def fact(self, at: datetime) -> Fact | None:
        """Return what is told at a time of the schedule, None for nothing. Raises StoreError."""

    async def run(self) -> None:
        """Tell until cancelled."""
        moved = False
        while True:
            try:
                pause = await self._step()
                moved = False
            except CursorMovedError:
                # What a reload has cancelled may have been committed all the same. What moves on all the
                # time, as the evidence does while a long feed is read, is left some room.
                pause, moved = (_STORE_PAUSE if moved else 0.0), True
            except StoreError as error:
                self._store_failed(error)
                pause = _STORE_PAUSE
            await self._clock.sleep(pause)

    async def _step(self) -> float:
        """Tell what is due; return after how many seconds to look again."""
        schedule, now = self._schedule, self._clock.now()
        written = await self._store.cursor(self._scope)
        told = told_until(written, schedule, now)
        if told is None:
            await self._move(written, now)
            return 0.0
        due = schedule.latest(told, now)
        if due is not None:
            fact = await self.fact(due)
            await self._move(written, due, *([] if fact is None else [fact]))
            return 0.0
        coming = schedule.after(now)
        left = _LONGEST_SLEEP if coming is None else (coming - now).total_seconds()
        return min(left, _LONGEST_SLEEP)

    async def _move(self, written: str | None, at: datetime, *facts: Fact) -> None:
        schedule = self._schedule
        after = Told(at=at, schedule=schedule.text, zone=schedule.zone).model_dump_json()
        move = CursorMove(self._scope, written, after)
        await self._take(Report(self._watch, self._clock.now(), (), facts=facts, cursor=move, complete=False))
