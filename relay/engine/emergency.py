"""When the store fails: the one message that cannot go through the outbox."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime

import structlog

from relay.engine.sending import Sender
from relay.model import details as d
from relay.model.catalogue import CATALOGUE
from relay.model.clock import Clock
from relay.model.delivery import Delivery, Outcome
from relay.model.errors import StoreError
from relay.model.event import Event, Status, Subject, SubjectKind
from relay.model.ids import stable_id
from relay.render import nothing
from relay.store import Claim, Store

_log = structlog.get_logger("relay.emergency")

_PATIENCE = 5.0
_AGAIN = 15.0
_QUIET = 60.0
_CHRONIC = 3
"""So many failures, each within ``_QUIET`` seconds of the one before, are one outage that lasts."""


class Emergency:
    """Tells every channel directly that the store fails, once, and when it works again.

    Nothing of this is durable; that is the point. Watchers keep their cursors meanwhile, so that what
    could not be committed is read again.
    """

    def __init__(self, store: Store, clock: Clock, senders: Callable[[], Collection[Sender]]) -> None:
        self._store = store
        self._clock = clock
        self._senders = senders
        self._failed = asyncio.Event()
        self._error = ""
        self._last = -_QUIET
        self._again = 0

    @property
    def error(self) -> str | None:
        """Why the store cannot be written, None while it can."""
        return self._error if self._failed.is_set() else None

    def store_failed(self, error: StoreError) -> None:
        """Take note that the store has failed."""
        now = self._clock.monotonic()
        if not self._failed.is_set():
            _log.error("the store cannot be used", error=str(error))
            self._again = self._again + 1 if now - self._last < _QUIET else 0
        self._last = now
        self._error = str(error)
        self._failed.set()

    async def run(self) -> None:
        """Tell of each outage of the store that lasts, until cancelled."""
        while True:
            await self._failed.wait()
            since = self._clock.now()
            await self._clock.sleep(_PATIENCE)
            told: set[str] = set()
            done: set[str] = set()
            while not await self._works():
                told |= await self._tell(self._event(since, None), done)
                await self._clock.sleep(_AGAIN)
            self._failed.clear()
            _log.info("the store works again", since=since.isoformat())
            if told:
                everybody = {sender.channel.name for sender in self._senders()}
                await self._tell(self._event(since, self._clock.now()), everybody - told)

    async def _works(self) -> bool:
        try:
            await self._store.probe(self._clock.now())
        except StoreError as error:
            self._error = str(error)
            return False
        # A store that takes this little write but fails at others, again and again, does not work.
        return self._again < _CHRONIC or self._clock.monotonic() - self._last >= _QUIET

    async def _tell(self, event: Event, done: set[str]) -> set[str]:
        """Tell all but those who are done, add whom trying again cannot help, return who has it."""
        senders = [sender for sender in self._senders() if sender.channel.name not in done]
        # It could not be noted that somebody takes care of this.
        able = [replace(sender, acknowledge_url=nothing) for sender in senders]
        tries = await asyncio.gather(*(sender.attempt(_claim(event, sender)) for sender in able))
        told: set[str] = set()
        for sender, tried in zip(senders, tries, strict=True):
            result = tried.result
            # Those of a channel's targets who have it must not get it again for the sake of the others.
            if Outcome.DELIVERED in (result.outcome, *(each.outcome for each in result.sent.targets)):
                told.add(sender.channel.name)
            elif result.outcome is not Outcome.RETRY:
                done.add(sender.channel.name)
        done |= told
        return told

    def _event(self, since: datetime, until: datetime | None) -> Event:
        status = Status.FIRING if until is None else Status.RESOLVED
        alert = stable_id("alr", "store.failing", since.isoformat())
        return Event(
            id=stable_id("evt", alert, status),
            type="store.failing",
            status=status,
            cluster=None,
            severity=CATALOGUE["store.failing"].severity,
            subject=Subject(SubjectKind.STORE, "store"),
            summary="The relay's store cannot be written"
            if until is None
            else "The relay's store works again",
            happened_at=until or since,
            seen_at=self._clock.now(),
            alert=alert,
            starts_at=since,
            ends_at=until,
            details=d.StoreTrouble(error=self._error).plain(),
        )


def _claim(event: Event, sender: Sender) -> Claim:
    delivery = Delivery(
        id=stable_id("dlv", event.id, sender.channel.name),
        channel=sender.channel.name,
        rule="relay",
        thread=event.thread,
        events=(event.id,),
        created_at=event.seen_at,
        due_at=event.seen_at,
    )
    return Claim(delivery, (event,))
