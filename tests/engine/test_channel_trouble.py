"""A channel's loop in odd moments: clocks that jump, orders at a bad time, outcomes not writable."""

import asyncio
from collections.abc import Mapping
from typing import Any

from pydantic import PrivateAttr

from relay.channels import Refused, Retryable
from relay.engine.own import News
from relay.http import Http
from relay.model.delivery import ChannelState, DeliveryState, Message, Sent
from relay.model.errors import StoreError
from relay.model.observation import Report
from tests.engine.test_dispatch import PATIENCE_SECONDS, Bench, Scripted, bench, channel
from tests.support.clock import ManualClock

__all__ = ["bench"]


async def test_a_clock_that_goes_back_does_not_silence_a_channel_in_trouble(bench: Bench) -> None:
    a = channel()
    a.answer(Refused("401", status=401))
    await bench.run(a)
    await bench.add()
    await a.sent()
    await bench.settle()
    await bench.asleep()
    bench.clock.jump(-86_400)
    later = await bench.add()
    await bench.clock.advance(61)
    assert (await a.sent()).id == later.id


class Unwritable(Scripted):
    """Its receipts cannot be stored."""

    _orders: int = PrivateAttr(default=0)

    async def send(self, message: Message, body: str, http: Http) -> Sent:
        await super().send(message, body, http)
        receipt: Mapping[str, Any] = {"oops": object()}
        return Sent(200, "ok", receipt=receipt)


async def test_an_outcome_that_cannot_be_written_floods_nobody(bench: Bench) -> None:
    a = Unwritable(name="a")
    await bench.run(a)
    delivery = await bench.add()
    await a.sent()
    await bench.settle()
    await bench.asleep()
    assert a.quiet
    found = await bench.state(delivery)
    assert (found.state, found.attempts) == (DeliveryState.PENDING, 1)
    assert "could not be recorded" in (found.last_error or "")


class Interrupted(Scripted):
    """A user disables it just when it is refused."""

    _orders: list[asyncio.Task[None]] = PrivateAttr(default_factory=list)
    _bench: Bench | None = PrivateAttr(default=None)

    async def send(self, message: Message, body: str, http: Http) -> Sent:
        assert self._bench is not None
        self._orders.append(asyncio.create_task(self._bench.loop().disable("ann", "noise")))
        raise Refused("401", status=401)


async def test_a_channel_disabled_during_a_refusal_is_disabled_after_a_restart_too(bench: Bench) -> None:
    a = Interrupted(name="a")
    a._bench = bench
    await bench.run(a)
    await bench.add()
    await bench.settle()
    await asyncio.gather(*a._orders)
    await bench.dispatcher.stop(PATIENCE_SECONDS)
    assert bench.loop().health.state is ChannelState.DISABLED
    assert (await bench.store.healths())["a"].state is ChannelState.DISABLED


async def test_news_outlasts_a_store_that_fails() -> None:
    """A channel that is gone is disabled for good: news of it that is lost is never told."""
    clock, taken, failures = ManualClock(), list[Report](), [StoreError("full"), StoreError("full")]

    async def take(report: Report) -> None:
        if failures:
            raise failures.pop()
        taken.append(report)

    seen: list[StoreError] = []
    telling = asyncio.create_task(News(take, clock, seen.append).config_rejected("relay.yaml", ["bad"]))
    await clock.advance(10)
    await telling
    assert (len(taken), len(seen)) == (1, 2)


async def test_what_was_tried_in_vain_goes_at_once_when_the_channel_works_again(bench: Bench) -> None:
    a = channel(retry={"schedule": ["1h"]}, digest_after=None)
    a.answer(*(Retryable("503") for _ in range(5)))
    await bench.run(a)
    for _ in range(5):
        await bench.add()
        await a.sent()
        await bench.settle()
    await bench.asleep()
    assert bench.loop().health.state is ChannelState.FAILING
    await bench.clock.advance(16)
    assert (await a.sent()).id == "dlv_5", "the one by which it is found out"
    for _ in range(4):
        await a.sent()
    await bench.settle(5)
    assert await bench.store.count_deliveries() == {"delivered": 5}
