"""The gate of a channel: whether it may be tried now. One place for circuit, hold and disabling."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.engine.verdict import Result
from relay.model.clock import Clock
from relay.model.delivery import ChannelHealth, ChannelState, Outcome


@dataclass(frozen=True, slots=True)
class Patience:
    """How a channel in trouble is tried again.

    ``failures`` in a row open the circuit, and so do two that are ``apart``: a burst of messages that
    fails in one blink is not an outage yet. A failing channel is probed after ``failing`` (doubling up
    to ``failing_most``), a held one, whose credentials or address are refused, after ``held``.
    """

    failures: int = 5
    apart: timedelta = timedelta(seconds=3)
    failing: timedelta = timedelta(seconds=15)
    failing_most: timedelta = timedelta(minutes=5)
    held: timedelta = timedelta(minutes=1)
    held_most: timedelta = timedelta(minutes=30)


def opens_at(health: ChannelHealth, now: datetime) -> datetime | None:
    """Return when the channel may be tried: now or earlier for at once, None for a disabled one."""
    if health.state is ChannelState.DISABLED:
        return None
    return health.probe_at or now


def probing(health: ChannelHealth) -> bool:
    """Tell whether only one message at a time may go, to find out."""
    return health.state in (ChannelState.FAILING, ChannelState.HELD)


def judge(
    health: ChannelHealth,
    outcome: Outcome,
    reason: str,
    now: datetime,
    retry_after: float | None,
    patience: Patience,
) -> ChannelHealth:
    """Return the channel's health after an attempt that ended so."""
    if health.state is ChannelState.DISABLED:
        return health
    if outcome in (Outcome.DELIVERED, Outcome.REJECTED):
        if health.state is ChannelState.WORKING and not health.failures:
            return health
        # What was already under way says nothing about a Retry-After that came meanwhile.
        asked_to_wait = health.probe_at if health.state is ChannelState.WORKING else None
        return ChannelHealth(health.channel, probe_at=asked_to_wait)
    failures = health.failures + 1
    if outcome is Outcome.GONE:
        return _turn(health, ChannelState.DISABLED, failures, reason, now, None)
    if outcome is Outcome.REFUSED:
        wait = _backoff(health, ChannelState.HELD, now, patience.held, patience.held_most)
        return _turn(health, ChannelState.HELD, failures, reason, now, now + wait)
    asked = None if retry_after is None else now + timedelta(seconds=retry_after)
    since = health.since or now
    if health.state is ChannelState.WORKING and failures < patience.failures and now - since < patience.apart:
        return replace(health, since=since, failures=failures, reason=reason, probe_at=asked)
    wait = _backoff(health, ChannelState.FAILING, now, patience.failing, patience.failing_most)
    probe_at = max(now + wait, asked or now)
    return _turn(health, ChannelState.FAILING, failures, reason, now, probe_at)


def _turn(
    health: ChannelHealth,
    state: ChannelState,
    failures: int,
    reason: str,
    now: datetime,
    probe_at: datetime | None,
) -> ChannelHealth:
    since = health.since if health.state is state else now
    return ChannelHealth(health.channel, state, since, failures, reason, probe_at)


def _backoff(
    health: ChannelHealth, state: ChannelState, now: datetime, first: timedelta, most: timedelta
) -> timedelta:
    """Return how long to wait: as long again as the state has lasted, which doubles the waits.

    Several attempts that were under way together so count as one.
    """
    lasted = now - health.since if health.state is state and health.since is not None else first
    return min(most, max(first, lasted))


def disable(health: ChannelHealth, now: datetime, by: str, reason: str) -> ChannelHealth:
    """Return the health of a channel that a user has disabled."""
    return ChannelHealth(health.channel, ChannelState.DISABLED, now, health.failures, reason, None, by)


class Gate:
    """The gate of one channel as it stands: the health that decides, and since when it is shut."""

    def __init__(self, health: ChannelHealth, clock: Clock, patience: Patience) -> None:
        self.health = health
        self._clock = clock
        self._patience = patience
        self._opens: tuple[ChannelHealth | None, float] = (None, 0.0)

    @property
    def probing(self) -> bool:
        """Whether only one message at a time may go, to find out."""
        return probing(self.health)

    def shut_for(self, now: datetime) -> float | None:
        """Return in how many seconds the channel may be tried, None if not before a user says so."""
        opens = opens_at(self.health, now)
        if opens is None:
            return None
        if opens is now:
            return 0.0
        since = self._clock.monotonic()
        if self._opens[0] is not self.health:
            # From here on without the wall clock: if it goes back a day, the channel is not shut for a day.
            self._opens = (self.health, since + max(0.0, (opens - now).total_seconds()))
        return max(0.0, self._opens[1] - since)

    def judge(self, result: Result, now: datetime) -> None:
        """Take in how an attempt ended."""
        if not result.local:
            self.health = judge(
                self.health, result.outcome, result.error or "", now, result.retry_after, self._patience
            )
