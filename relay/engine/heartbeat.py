"""Heartbeats: pings to a dead man's switch, and signs of life that people read."""

import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from pydantic import SecretStr

from relay import __version__
from relay.engine.own import News
from relay.engine.punctual import Punctual
from relay.engine.schedule import Schedule
from relay.http import Answer, Http, HttpError, Route
from relay.model import details as d
from relay.model.alert import Alert, AlertState
from relay.model.clock import Clock
from relay.model.delivery import DeliveryState
from relay.model.errors import StoreError
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Fact, Look, Report
from relay.store import Store

_log = structlog.get_logger("relay.heartbeat")

_TIMEOUT = 10.0
_TRIES = 3
_FAILED_INTERVALS = 3
"""So many intervals in a row without a ping that arrived open an alert."""
_ASK_AGAIN = 5.0
"""Seconds after which a relay that is not well is looked at again, so that pings resume soon."""
_ANSWER_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Switch:
    """A dead man's switch, which raises an alarm when no ping has come for some time."""

    name: str
    url: SecretStr
    method: str
    every: timedelta
    route: Route


@dataclass(frozen=True, slots=True)
class Greeting:
    """A sign of life for people: to one channel, on a schedule."""

    name: str
    channel: str
    schedule: Schedule


@dataclass(frozen=True, slots=True)
class State:
    """How the relay is, for a heartbeat to tell."""

    running_since: datetime
    clusters: Collection[str]
    looks: Collection[Look]
    alerts: Collection[Alert]
    troubles: Mapping[str, str]


def refusal(answer: Answer) -> str | None:
    """Return why an answer does not count as an arrived ping, None if it does."""
    if 200 <= answer.status < 300:
        return None
    if 300 <= answer.status < 400:
        return f"it answers with a redirect ({answer.status}), which is not followed: give the final URL"
    if answer.status in (401, 403, 404, 410):
        return f"it answers {answer.status}: check the URL"
    return f"it answers {answer.status}"


class Pinger:
    """Pings one switch while the relay is well; it falls silent when the relay is blind, as it should.

    ``health`` returns what is wrong with the relay, by part.
    """

    def __init__(
        self,
        switch: Switch,
        http: Http,
        clock: Clock,
        source: random.Random,
        health: Callable[[], Mapping[str, str]],
        news: News,
    ) -> None:
        self._switch = switch
        self._http = http
        self._clock = clock
        self._random = source
        self._health = health
        self._news = news
        self._withheld: Mapping[str, str] = {}
        self._failures = 0
        self._arrived_at: datetime | None = None

    async def run(self) -> None:
        """Ping until cancelled."""
        every = self._switch.every.total_seconds()
        while True:
            began = self._clock.monotonic()
            if self._is_well():
                await self._ping(every)
                await self._clock.sleep(began + every - self._clock.monotonic())
            else:
                await self._clock.sleep(min(_ASK_AGAIN, every))

    def _is_well(self) -> bool:
        reasons = dict(self._health())
        if reasons.keys() != self._withheld.keys():
            if reasons:
                _log.warning(
                    "no ping while the relay is not well", heartbeat=self._switch.name, **_said(reasons)
                )
            else:
                _log.info("the relay is well: pings resume", heartbeat=self._switch.name)
        self._withheld = reasons
        return not reasons

    async def _ping(self, every: float) -> None:
        reason: str | None = None
        for again in range(_TRIES):
            if again:
                await self._clock.sleep(every * self._random.uniform(0.05, 0.1))
                if not self._is_well():
                    return
            reason = await self._try(min(_TIMEOUT, every / (_TRIES + 1)))
            if reason is None:
                break
        if reason is None:
            self._failures, self._arrived_at = 0, self._clock.now()
            await self._tell("")
            return
        self._failures += 1
        _log.warning(
            "a ping did not arrive",
            heartbeat=self._switch.name,
            reason=reason,
            tries=_TRIES,
            intervals=self._failures,
        )
        if self._failures >= _FAILED_INTERVALS:
            await self._tell(reason)

    async def _tell(self, reason: str) -> None:
        await self._news.heartbeat_turned(self._switch.name, self._failures, reason, self._arrived_at)

    async def _try(self, timeout: float) -> str | None:
        """Ping once; return why it did not arrive, None if it did."""
        switch = self._switch
        try:
            answer = await self._http.send(
                switch.method,
                switch.url.get_secret_value(),
                route=switch.route,
                body=b"" if switch.method == "POST" else None,
                timeout=timeout,
                max_bytes=_ANSWER_BYTES,
                pool=("heartbeat", switch.name),
            )
        except HttpError as error:
            return str(error)
        except Exception as error:
            # A bug must not make the switch fall silent unexplained.
            _log.exception("a ping failed", heartbeat=switch.name)
            return f"internal error ({type(error).__name__}); please report it with the log"
        return refusal(answer)


def _said(reasons: Mapping[str, str]) -> dict[str, str]:
    return {"reasons": "; ".join(f"{part}: {reason}" for part, reason in reasons.items())}


def greeting(name: str, at: datetime, state: State, waiting: int) -> d.Heartbeat:
    """Return what a heartbeat tells: that the relay lives, and how it is."""
    return d.Heartbeat(
        heartbeat=name,
        scheduled_at=at,
        version=__version__,
        running_since=state.running_since,
        clusters=list(state.clusters),
        looks=[_looked(look) for look in state.looks],
        firing=sum(alert.state is AlertState.FIRING for alert in state.alerts),
        waiting=waiting,
        troubles=[f"{part}: {reason}" for part, reason in state.troubles.items()],
    )


def _looked(look: Look) -> d.Looked:
    return d.Looked(
        cluster=look.watch.cluster or "",
        watcher=look.watch.watcher,
        looked_at=look.at,
        unread=[d.Unread(source=source, cause=cause) for source, cause in sorted(look.unread.items())],
    )


def is_well(details: d.Heartbeat) -> bool:
    """Tell whether everything is seen and nothing is wrong with the relay."""
    blind = any(look.unread or look.looked_at is None for look in details.looks)
    return not (blind or details.troubles)


class Greeter(Punctual):
    """Tells one greeting at each time of its schedule, exactly once; after a downtime only the latest.

    ``state`` returns how the relay is.
    """

    def __init__(
        self,
        greeting: Greeting,
        store: Store,
        clock: Clock,
        take: Callable[[Report], Awaitable[None]],
        state: Callable[[], State],
        store_failed: Callable[[StoreError], None],
    ) -> None:
        super().__init__(f"heartbeat/{greeting.name}", greeting.schedule, store, clock, take, store_failed)
        self._greeting = greeting
        self._state = state

    async def fact(self, at: datetime) -> Fact:
        """Return how the relay is."""
        name = self._greeting.name
        counts = await self._store.count_deliveries()
        details = greeting(name, at, self._state(), counts.get(DeliveryState.PENDING, 0))
        return Fact(
            type="relay.heartbeat",
            identity=(name, at.isoformat()),
            subject=Subject(SubjectKind.RELAY, name),
            summary="The relay is alive"
            if is_well(details)
            else "The relay is alive, but does not see everything",
            happened_at=at,
            details=details.plain(),
            channels=(self._greeting.channel,),
        )
