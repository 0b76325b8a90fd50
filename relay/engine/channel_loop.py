"""The loop of one channel: it claims what is due, sends it, and records how it went."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from relay.engine.decisions import as_they_were, log_rewrite
from relay.engine.gate import Gate, Patience, disable
from relay.engine.limits import Window
from relay.engine.own import News
from relay.engine.recording import STORE_PAUSE, Recorder
from relay.engine.review import digest, review
from relay.engine.scene import Scene
from relay.engine.sending import Sender, Try
from relay.engine.verdict import Result
from relay.model.clock import Clock
from relay.model.delivery import ChannelHealth, Outcome
from relay.model.errors import StoreError
from relay.model.plan import Rewrite
from relay.model.steps import Reach, Step, pass_by
from relay.model.telemetry import Telemetry
from relay.store import Claim, Settlement, Store, Waiting

_log = structlog.get_logger("relay.dispatch")

_BATCH = 64
_FRESH = 0.5
"""Seconds for which the last look at a claim counts; what waits longer for its turn is looked at again."""


class ChannelLoop:
    """Sends everything that goes to one channel; no other channel feels how that goes."""

    def __init__(
        self,
        sender: Sender,
        store: Store,
        clock: Clock,
        source: random.Random,
        news: News,
        health: ChannelHealth | None = None,
        *,
        scene: Callable[[], Scene] = Scene,
        patience: Patience = Patience(),  # noqa: B008
        reach: Reach = pass_by,
        look_again: float = 60.0,
        telemetry: Telemetry = Telemetry(),  # noqa: B008
    ) -> None:
        """``look_again``: seconds after which it looks unasked: a command may have written to the store."""
        channel = sender.channel
        self.channel = channel
        self._sender = sender
        self._store = store
        self._clock = clock
        self._news = news
        self._scene = scene
        self._gate = Gate(health or ChannelHealth(channel.name), clock, patience)
        self._recorder = Recorder(
            channel,
            store,
            clock,
            source,
            news,
            self._gate,
            scene=scene,
            telemetry=telemetry,
            recorded=self._recorded,
            turned=self._turned,
        )
        self._reach = reach
        self._look_again = look_again
        self._telemetry = telemetry
        self._moved_at = clock.monotonic()
        self._woken = 0
        self._claimed = 0
        self._looked_at = 0.0
        self._dry = -1
        self._nothing_more: tuple[int, float] = (-1, 0.0)
        self._window = None if channel.rate is None else Window(channel.rate.count, channel.rate.seconds)
        self._awake = asyncio.Event()
        self._ready: deque[Claim] = deque()
        self._taken: set[int] = set()
        self._sending: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._over = asyncio.Event()

    @property
    def health(self) -> ChannelHealth:
        """How the channel is."""
        return self._gate.health

    def wake(self) -> None:
        """Look for something to send: there may be more, or what there is may have changed."""
        self._woken += 1
        self._awake.set()

    async def run(self) -> None:
        """Send until stopped."""
        recording = asyncio.create_task(self._recorder.run(), name=f"record {self.channel.name}")
        try:
            await self._send_on()
            await self._over.wait()
        finally:
            recording.cancel()
            await asyncio.gather(recording, return_exceptions=True)

    async def _send_on(self) -> None:
        while not self._stopping:
            self._awake.clear()
            try:
                pause = await self._send_what_may_go()
            except StoreError as error:
                self._news.store_failed(error)
                pause = STORE_PAUSE
            except Exception:
                # A bug must not silence a channel: it is logged each time, and the loop goes on.
                _log.exception("a channel's loop failed", channel=self.channel.name)
                pause = STORE_PAUSE
            await self._clock.wait(self._awake, pause)

    async def stop(self, grace: float) -> None:
        """Begin nothing more; let what is under way end within ``grace`` seconds, hand back the rest."""
        self._stopping = True
        self.wake()
        self._ready.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self._all_recorded()
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        self._over.set()

    async def _all_recorded(self) -> None:
        if self._sending:
            await asyncio.wait(self._sending)
        await self._recorder.finished()

    async def turn(self, health: ChannelHealth) -> None:
        """Take over a health that a user has set."""
        before, self._gate.health = self._gate.health, health
        try:
            # Known before it is saved, so that an attempt that ends meanwhile does not undo it.
            await self._store.save_health(health)
        except StoreError:
            self._gate.health = before
            raise
        self._give_back()
        await self._recorder.tell_health()
        self.wake()

    async def disable(self, by: str, reason: str) -> None:
        """Send nothing more until enabled; what waits is kept."""
        await self.turn(disable(self.health, self._clock.now(), by, reason))

    async def enable(self) -> None:
        """Try again at once."""
        await self._store.hasten(self.channel.name, self._clock.now())
        await self.turn(ChannelHealth(self.channel.name))

    @property
    def idle(self) -> float | None:
        """For how many seconds it has neither claimed anything nor ended an attempt, though it might have.

        None where there is a reason: it is disabled, its circuit is open or just being probed, the receiver
        asked to be left alone, or its rate is used up.
        """
        shut = self._gate.shut_for(self._clock.now())
        if shut is None or shut > 0 or self._gate.probing:
            return None
        now = self._clock.monotonic()
        if self._window is not None and self._window.wait(now) > 0:
            return None
        return now - self._moved_at

    async def _send_what_may_go(self) -> float | None:
        """Begin as many attempts as may be; return in how many seconds to look again, None when woken."""
        while not self._stopping:
            now = self._clock.now()
            shut = self._gate.shut_for(now)
            if shut is None or shut > 0:
                self._give_back()
                return shut
            if self._full:
                return None
            if not self._ready:
                if (rest := self._rest) > 0:
                    return rest
                if self._dry == self._woken:
                    # All that was due was claimed, and nobody has told of more.
                    self._dry = -1
                    if (rest := await self._until_due()) > 0:
                        return rest
                    continue
                if not await self._claim(now, 1 if self._most == 1 else _BATCH):
                    return await self._until_due()
                # Meanwhile the channel may have been stopped, disabled or refused.
                continue
            wait = self._window.wait(self._clock.monotonic()) if self._window else 0.0
            if wait > 0:
                return wait
            claim = self._ready.popleft()
            if await self._still_holds(claim, now):
                self._begin(claim)
        return None

    @property
    def _rest(self) -> float:
        """For how many seconds nothing more is due, as far as is known; 0: that has to be looked up."""
        woken, until = self._nothing_more
        return max(0.0, until - self._clock.monotonic()) if woken == self._woken else 0.0

    @property
    def _most(self) -> int:
        return 1 if self._gate.probing else self.channel.concurrency

    @property
    def _full(self) -> bool:
        """Whether as much is under way as may be; what is not recorded would be sent again after a crash."""
        most = self._most
        return len(self._sending) >= most or self._recorder.waiting >= most

    def _begin_next(self) -> bool:
        """Begin the next attempt at once, if there is one and nothing has to be looked at before."""
        if self._stopping or not self._ready or self._window is not None or self._full:
            return False
        claim = self._ready[0]
        fresh = self._clock.monotonic() - self._looked_at < _FRESH
        if claim.waiting is not None or not fresh or self._gate.shut_for(self._clock.now()) != 0.0:
            return False
        self._begin(self._ready.popleft())
        return True

    async def _still_holds(self, claim: Claim, now: datetime) -> bool:
        """Tell whether a claim that may have waited can be sent as it is; else see what becomes of it."""
        if claim.waiting is not None and self._claimed != self._woken:
            # What has come since may be about the same thing.
            self._taken.discard(claim.delivery.seq)
            self._turned()
            return False
        if self._clock.monotonic() - self._looked_at < _FRESH:
            return True
        rewrite = review(claim, self._scene(), now, self._sender.sizes)
        if rewrite is None:
            return True
        self._taken.discard(claim.delivery.seq)
        await self._rewrite(rewrite, [claim])
        # It may be due at another time than was known.
        self._turned()
        return False

    async def _rewrite(
        self, rewrite: Rewrite, claims: Collection[Claim], backlog: Waiting | None = None
    ) -> None:
        """Write what becomes of what waits, and tell it; ``claims`` or ``backlog`` have it as it was."""
        await self._store.rewrite(rewrite)
        before = as_they_were(claims, backlog)
        self._telemetry.rewritten(before, rewrite)
        log_rewrite(before, rewrite)

    async def _claim(self, now: datetime, limit: int) -> bool:
        """Take what is due, less what is not to be sent now; tell whether there was anything."""
        self._claimed, self._looked_at = self._woken, self._clock.monotonic()
        # A copy: what is settled while the store reads must still count as taken for what it has read.
        claims = await self._store.due(self.channel.name, now, limit, frozenset(self._taken))
        if not claims:
            return False
        self._dry = self._claimed if len(claims) < limit else -1
        self._moved_at = self._clock.monotonic()
        if await self._digest(claims, now):
            return True
        scene, threads, rewrites = self._scene(), set[str](), list[tuple[Rewrite, Claim]]()
        for claim in claims:
            if claim.delivery.thread in threads:
                # What is done about the first of a thread may concern this one too.
                continue
            threads.add(claim.delivery.thread)
            rewrite = review(claim, scene, now, self._sender.sizes)
            if rewrite is not None:
                rewrites.append((rewrite, claim))
                continue
            self._taken.add(claim.delivery.seq)
            self._ready.append(claim)
        await asyncio.gather(*(self._rewrite(rewrite, [claim]) for rewrite, claim in rewrites))
        if self._ready:
            self._reach(Step.CLAIMED)
        return True

    async def _digest(self, claims: Collection[Claim], now: datetime) -> bool:
        """Put a backlog together that an outage of the channel has left; tell whether there was one."""
        oldest = self.channel.digest_after
        if oldest is None or self._gate.probing:
            return False
        stale = (claim.delivery for claim in claims if now - claim.delivery.waiting_since > oldest)
        rules = {delivery.rule for delivery in stale if delivery.replay_of is None}
        done = False
        for rule in sorted(rules):
            waiting = await self._store.backlog(self.channel.name, rule, now)
            busy = {each.thread for each in waiting.deliveries if each.seq in self._taken}
            free = tuple(each for each in waiting.deliveries if each.thread not in busy)
            backlog = replace(waiting, deliveries=free)
            rewrite = digest(backlog, oldest, self._scene(), now, self._sender.sizes)
            if rewrite is not None:
                _log.info("a backlog is told together", channel=self.channel.name, rule=rule, count=len(free))
                await self._rewrite(rewrite, (), backlog)
                done = True
        return done

    async def _until_due(self) -> float:
        woken = self._woken
        due_at = await self._store.next_due(self.channel.name, frozenset(self._taken))
        wait = self._look_again if due_at is None else _seconds(due_at - self._clock.now())
        wait = min(wait, self._look_again)
        # What is taken may be due again later: whoever hands it back wakes.
        self._nothing_more = (woken, self._clock.monotonic() + wait)
        return wait

    def _give_back(self) -> None:
        if self._ready:
            self._taken.difference_update(claim.delivery.seq for claim in self._ready)
            self._ready.clear()
            self._woken += 1

    def _turned(self) -> None:
        """Look again at everything: what was known of what is due holds no longer."""
        self._give_back()
        self.wake()

    def _begin(self, claim: Claim) -> None:
        if self._window:
            self._window.take(self._clock.monotonic())
        task = asyncio.create_task(self._deliver(claim))
        self._sending.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._moved_at = self._clock.monotonic()
        if not task.cancelled() and task.exception() is not None:
            _log.error("a delivery loop failed", exc_info=task.exception())
        if not self._begin_next():
            self._awake.set()

    async def _deliver(self, claim: Claim) -> None:
        try:
            tried = await self._sender.attempt(claim) if claim.events else self._nothing_to_tell()
        except asyncio.CancelledError:
            self._taken.discard(claim.delivery.seq)
            raise
        self._recorder.note(claim, tried)

    def _recorded(self, claim: Claim, settlement: Settlement) -> None:
        self._taken.discard(claim.delivery.seq)
        over = settlement.delivery.finished_at is not None and not settlement.follow_ups
        if claim.waiting is not None or not over:
            # It comes again, or what comes next in its thread was not due before.
            self._woken += 1
        self._awake.set()

    def _nothing_to_tell(self) -> Try:
        error = "the events that it tells are no longer in the store"
        return Try(Result(Outcome.REJECTED, error=error, local=True), self._clock.now(), 0.0)


def _seconds(span: timedelta) -> float:
    return max(0.0, span.total_seconds())
