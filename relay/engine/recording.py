"""Recording how attempts ended: what has queued goes into the store together, then it is told."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from relay.channels import Channel
from relay.engine.decisions import log_attempt
from relay.engine.gate import Gate
from relay.engine.own import News
from relay.engine.reminders import follow_ups
from relay.engine.scene import Scene
from relay.engine.sending import Try
from relay.engine.verdict import Result, next_state
from relay.model.clock import Clock
from relay.model.delivery import Attempt, ChannelHealth, ChannelState, DeliveryState, Outcome
from relay.model.errors import StoreError
from relay.model.telemetry import Attempted, Telemetry
from relay.store import Claim, Settlement, Store

_log = structlog.get_logger("relay.recording")

STORE_PAUSE = 1.0
"""Seconds after which a store that has failed is tried again."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """An attempt that has ended, what it made of its delivery, and the channel's health before and after."""

    claim: Claim
    tried: Try
    settlement: Settlement
    before: ChannelHealth
    after: ChannelHealth


class Recorder:
    """Records the attempts of one channel; sending goes on meanwhile.

    ``recorded`` is called with what was claimed and what the store has of it by then, ``turned`` when the
    channel's state has changed, and again when what was tried in vain is due by that.
    """

    def __init__(
        self,
        channel: Channel,
        store: Store,
        clock: Clock,
        source: random.Random,
        news: News,
        gate: Gate,
        *,
        scene: Callable[[], Scene],
        telemetry: Telemetry,
        recorded: Callable[[Claim, Settlement], None],
        turned: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._store = store
        self._clock = clock
        self._random = source
        self._news = news
        self._gate = gate
        self._scene = scene
        self._telemetry = telemetry
        self._recorded = recorded
        self._turned = turned
        self._queue: list[_Ended] = []
        self._noted = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.waiting = 0
        """Attempts that have ended and are not recorded yet."""

    def note(self, claim: Claim, tried: Try) -> None:
        """Judge an attempt that has ended, and have it recorded."""
        try:
            ended = self._judge(claim, tried)
        except Exception as error:
            ended = self._judge(claim, self._not_recorded(error, tried))
        self._queue.append(ended)
        self.waiting += 1
        self._idle.clear()
        self._noted.set()
        if ended.before.state is not ended.after.state:
            self._turned()

    async def run(self) -> None:
        """Record until cancelled."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            queue, self._queue = self._queue, []
            if queue:
                await self._record(queue)

    async def finished(self) -> None:
        """Return when everything that was noted is recorded."""
        await self._idle.wait()

    def _judge(self, claim: Claim, tried: Try) -> _Ended:
        now = self._clock.now()
        before, result, retry = self._gate.health, tried.result, self._channel.retry
        self._gate.judge(result, now)
        after = self._gate.health
        delivery = next_state(claim.delivery, result, after, retry.schedule, retry.jitter, now, self._random)
        attempt = Attempt(
            delivery=delivery.id,
            number=delivery.attempts,
            at=tried.at,
            seconds=tried.seconds,
            outcome=result.outcome,
            status=result.sent.status,
            error=result.error,
            answer=result.sent.answer,
            targets=result.sent.targets,
            body=tried.body,
            plain=tried.broken is not None,
        )
        settlement = Settlement(delivery, attempt, follow_ups(delivery, self._scene(), now))
        return _Ended(claim, tried, settlement, before, after)

    def _not_recorded(self, error: Exception, tried: Try) -> Try:
        # Claimed anew at once it would be sent without end.
        _log.error("an outcome could not be recorded", channel=self._channel.name, exc_info=error)
        reason = f"the outcome could not be recorded ({type(error).__name__})"
        return Try(Result(Outcome.RETRY, error=reason), tried.at, tried.seconds)

    async def _record(self, queue: Sequence[_Ended]) -> None:
        try:
            await self._settle(queue)
        except Exception:
            # One by one: the others must not suffer for one.
            queue = [await self._settle_alone(each) for each in queue]
        try:
            await self._save_health(queue)
        finally:
            for each in queue:
                self._recorded(each.claim, each.settlement)
            self.waiting -= len(queue)
        for each in queue:
            await self._tell(each)
        if not self.waiting:
            self._idle.set()

    async def _settle(self, queue: Sequence[_Ended]) -> None:
        settlements = [each.settlement for each in queue]
        await self._keep_trying(lambda: self._store.settle(*settlements))

    async def _settle_alone(self, ended: _Ended) -> _Ended:
        try:
            await self._settle([ended])
        except Exception as error:
            ended = self._judge(ended.claim, self._not_recorded(error, ended.tried))
            await self._settle([ended])
        return ended

    async def _save_health(self, queue: Sequence[_Ended]) -> None:
        if all(each.before.state is each.after.state for each in queue):
            return
        # What holds by now: a user may have turned the channel since.
        await self._keep_trying(lambda: self._store.save_health(self._gate.health))
        if self._gate.health.state is ChannelState.WORKING:
            # What was tried in vain goes now, together if it is old, not whenever its turn would come.
            await self._keep_trying(lambda: self._store.hasten(self._channel.name, self._clock.now()))
            self._turned()

    async def _tell(self, ended: _Ended) -> None:
        claim, tried, after = ended.claim, ended.tried, ended.settlement.delivery
        result, kind, working = tried.result, self._channel.kind, ChannelState.WORKING
        attempted = Attempted(
            after,
            claim.events,
            kind,
            tried.at,
            tried.seconds,
            result.outcome,
            result.sent.status,
            result.error,
        )
        self._telemetry.attempted(attempted)
        log_attempt(attempted)
        if self._gate.health.state is not working or ended.before.state is not working:
            await self.tell_health()
        if after.state is DeliveryState.DEAD:
            await self._news.delivery_dead(claim.delivery, claim.events, result.error or "")
        if claim.events:
            used = f"{kind}/{claim.delivery.template or claim.events[-1].type}"
            await self._news.template_used(used, tried.broken)

    async def tell_health(self) -> None:
        """Tell how the channel is."""
        await self._news.channel_turned(self._channel, self._gate.health, await self._count_waiting())

    async def _count_waiting(self) -> int:
        try:
            return await self._store.count_waiting(self._channel.name)
        except StoreError:
            return 0

    async def _keep_trying(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write an outcome, however long the store takes to work again: forgetting it would send twice."""
        while True:
            try:
                return await write()
            except StoreError as error:
                self._news.store_failed(error)
                await self._clock.sleep(STORE_PAUSE)
