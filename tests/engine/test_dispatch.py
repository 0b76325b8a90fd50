"""The dispatcher on a real store, with a channel whose answers the test writes."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import PrivateAttr

from relay.channels import BadBody, Channel, Gone, Refused, Rejected, Retryable
from relay.engine.channel_loop import ChannelLoop
from relay.engine.dispatch import Dispatcher
from relay.engine.own import News
from relay.engine.sending import Sender
from relay.http import Http
from relay.model.delivery import ChannelState, Delivery, DeliveryState, Message, Sent
from relay.model.event import Event, Status
from relay.model.observation import Report
from relay.model.plan import Plan
from relay.model.samples import sample
from relay.model.steps import Step
from relay.render import Renderer
from relay.store import Filter, Store
from tests.support.clock import ManualClock, settle

PATIENCE_SECONDS = 10


class Scripted(Channel):
    """A channel that does what the test says, message by message; without a word, it delivers."""

    PARTS: ClassVar[tuple[str, ...]] = ("txt",)
    kind: Literal["console"] = "console"
    _sent: asyncio.Queue[Message] = PrivateAttr(default_factory=asyncio.Queue)
    _script: list[Exception | asyncio.Event] = PrivateAttr(default_factory=list)

    def compose(self, message: Message) -> str:
        return message.parts["txt"]

    async def send(self, message: Message, body: str, http: Http) -> Sent:
        await self._sent.put(message)
        act = self._script.pop(0) if self._script else None
        if isinstance(act, Exception):
            raise act
        if act is not None:
            await act.wait()
        return Sent(200, "ok", receipt={"first": message.id})

    def plain(self, title: str, text: str, payload: Mapping[str, Any]) -> dict[str, str]:
        return {"txt": f"plain: {title}"}

    def answer(self, *acts: Exception | asyncio.Event) -> None:
        self._script.extend(acts)

    async def sent(self) -> Message:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._sent.get()

    @property
    def quiet(self) -> bool:
        return self._sent.empty()


@dataclass
class Bench:
    """Everything around one or more channel loops."""

    store: Store
    clock: ManualClock
    http: Http
    tmp_path: Path
    settled: asyncio.Queue[Step] = field(default_factory=asyncio.Queue)
    reports: asyncio.Queue[Report] = field(default_factory=asyncio.Queue)
    dispatcher: Dispatcher = field(default_factory=Dispatcher)
    number: int = 0

    async def run(self, *channels: Channel, templates: Path | None = None) -> None:
        loop = asyncio.get_running_loop()

        def reach(step: Step) -> None:
            if step is Step.SETTLED:
                loop.call_soon(self.settled.put_nowait, step)

        renderer = Renderer([] if templates is None else [templates], clock=self.clock)
        news = News(self.reports.put, self.clock, lambda error: pytest.fail(str(error)))
        healths = await self.store.healths()
        self.dispatcher = Dispatcher(
            [
                ChannelLoop(
                    Sender(channel, renderer, self.http, self.clock),
                    self.store,
                    self.clock,
                    random.Random(1),
                    news,
                    healths.get(channel.name),
                    reach=reach,
                )
                for channel in channels
            ]
        )
        self.store._reach = reach
        self.dispatcher.start()

    async def add(self, event: Event | None = None, channel: str = "a", **fields: Any) -> Delivery:
        self.number += 1
        told = event or replace(sample("trust.deleted"), id=f"evt_{self.number}")
        now = self.clock.now()
        delivery = Delivery(
            id=f"dlv_{self.number}",
            channel=channel,
            rule="r",
            thread=told.thread,
            events=(told.id,),
            created_at=now,
            due_at=now,
        )
        delivery = replace(delivery, **fields)
        await self.store.commit(Plan(events=(told,), deliveries=(delivery,)))
        self.dispatcher.wake([channel])
        return delivery

    async def settle(self, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for _ in range(times):
                await self.settled.get()

    async def report(self, wanted: Callable[[Report], bool]) -> Report:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                report = await self.reports.get()
                if wanted(report):
                    return report

    async def state(self, delivery: Delivery) -> Delivery:
        (found,) = await self.store.find_deliveries(delivery.id)
        return found

    def loop(self, name: str = "a") -> ChannelLoop:
        return self.dispatcher.loops[name]

    async def asleep(self) -> None:
        """Wait until the loops have nothing to do before some time has passed."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.clock.sleepers < len(self.dispatcher.loops):
                await asyncio.sleep(0.001)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock()
    async with AsyncExitStack() as stack:
        store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
        stack.callback(store.close)
        http = Http(clock)
        stack.push_async_callback(http.close)
        made = Bench(store, clock, http, tmp_path)
        yield made
        await made.dispatcher.stop(1)


def channel(name: str = "a", **fields: Any) -> Scripted:
    return Scripted(name=name, **fields)


async def test_a_delivery_is_sent_and_recorded(bench: Bench) -> None:
    a = channel()
    await bench.run(a)
    delivery = await bench.add()
    message = await a.sent()
    await bench.settle()
    assert (message.id, message.type, message.attempt) == (delivery.id, "trust.deleted", 1)
    assert (await bench.state(delivery)).state is DeliveryState.DELIVERED
    (attempt,) = await bench.store.list_attempts(delivery.id)
    assert (attempt.number, attempt.status, attempt.answer) == (1, 200, "ok")
    assert "prod/app" in attempt.body


async def test_a_retry_has_the_same_id_and_waits_its_turn(bench: Bench) -> None:
    a = channel()
    a.answer(Retryable("503", status=503))
    await bench.run(a)
    delivery = await bench.add()
    first = await a.sent()
    await bench.settle()
    await bench.asleep()
    assert a.quiet
    await bench.clock.advance(6)
    second = await a.sent()
    await bench.settle()
    assert (first.id, second.id, second.attempt) == (delivery.id, delivery.id, 2)
    assert [each.error for each in await bench.store.list_attempts(delivery.id)] == ["503", None]


async def test_an_unexpected_error_counts_as_retryable(bench: Bench) -> None:
    a = channel()
    a.answer(ZeroDivisionError("a bug"))
    await bench.run(a)
    delivery = await bench.add()
    await bench.settle()
    found = await bench.state(delivery)
    assert found.state is DeliveryState.PENDING
    assert "ZeroDivisionError" in (found.last_error or "")


class Unable(Scripted):
    """A channel with a bug: it can make no message at all."""

    def compose(self, message: Message) -> str:
        raise ZeroDivisionError("a bug")


async def test_a_bug_before_sending_waits_its_turn_and_stops_no_channel(bench: Bench) -> None:
    await bench.run(Unable(name="a"))
    first, second = await bench.add(), await bench.add()
    await bench.settle(2)
    await bench.asleep()
    for delivery in (first, second):
        found = await bench.state(delivery)
        assert (found.state, found.attempts) == (DeliveryState.PENDING, 1)
        assert "ZeroDivisionError" in (found.last_error or "")
    assert bench.loop().health.state is ChannelState.WORKING


async def test_an_answer_that_never_comes_ends_with_the_time_out(bench: Bench) -> None:
    a = channel(timeout="50ms")
    a.answer(asyncio.Event())
    await bench.run(a)
    delivery = await bench.add()
    await bench.settle()
    assert (await bench.state(delivery)).last_error == "no answer within 0.05 seconds"


async def test_rejected_is_dead_and_told(bench: Bench) -> None:
    a = channel()
    a.answer(Rejected("400 Bad Request", status=400))
    await bench.run(a)
    delivery = await bench.add()
    report = await bench.report(lambda each: bool(each.facts))
    assert (await bench.state(delivery)).state is DeliveryState.DEAD
    (fact,) = report.facts
    assert fact.type == "delivery.dead"
    assert "prod/app" in fact.details["about"]
    assert fact.details["reason"] == "400 Bad Request"


async def test_the_relays_own_dead_messages_are_not_told_again(bench: Bench) -> None:
    a = channel()
    a.answer(Rejected("400"), Rejected("400"))
    await bench.run(a)
    await bench.add(replace(sample("channel.failing"), id="evt_own"))
    await bench.add()
    report = await bench.report(lambda each: bool(each.facts))
    assert [fact.details["about_type"] for fact in report.facts] == ["trust.deleted"]


async def test_refused_holds_the_channel_and_loses_nothing(bench: Bench) -> None:
    a = channel()
    a.answer(Refused("401", status=401))
    await bench.run(a)
    delivery = await bench.add()
    report = await bench.report(lambda each: bool(each.conditions))
    assert report.conditions[0].details["state"] == "held"
    await a.sent()
    other = await bench.add()
    await bench.settle()
    await bench.asleep()
    assert a.quiet
    await bench.clock.advance(61)
    await bench.settle(2)
    states = {(await bench.state(each)).state for each in (delivery, other)}
    assert states == {DeliveryState.DELIVERED}
    assert bench.loop().health.state is ChannelState.WORKING


async def test_enabling_does_not_wait_for_the_next_probe(bench: Bench) -> None:
    a = channel()
    a.answer(Refused("401", status=401))
    await bench.run(a)
    delivery = await bench.add()
    await bench.report(lambda each: bool(each.conditions))
    await bench.loop().enable()
    await bench.settle(2)
    assert (await bench.state(delivery)).state is DeliveryState.DELIVERED


async def test_a_disabled_channel_has_not_recovered(bench: Bench) -> None:
    a = channel()
    a.answer(Refused("401", status=401))
    await bench.run(a)
    await bench.add()
    await bench.report(lambda each: bool(each.conditions))
    await bench.loop().disable("alice", "noise")
    disabled = await bench.report(lambda each: bool(each.conditions))
    assert disabled.conditions[0].type == "channel.disabled"
    assert not disabled.complete, "channel.failing is not told as over"
    await bench.loop().enable()
    assert (await bench.report(lambda each: not each.conditions)).complete


async def test_gone_disables_until_enabled(bench: Bench) -> None:
    a = channel()
    a.answer(Gone("410", status=410))
    await bench.run(a)
    delivery = await bench.add()
    report = await bench.report(lambda each: bool(each.conditions))
    assert report.conditions[0].type == "channel.disabled"
    await bench.clock.advance(10**6)
    assert (await bench.state(delivery)).state is DeliveryState.PENDING
    await bench.loop().enable()
    await bench.settle(2)
    assert (await bench.state(delivery)).state is DeliveryState.DELIVERED


async def test_a_channel_that_is_held_back_is_remembered_across_restarts(bench: Bench) -> None:
    a = channel()
    await bench.run(a)
    await bench.loop().disable("alice", "noise")
    await bench.dispatcher.stop(1)
    await bench.run(channel())
    assert (bench.loop().health.state, bench.loop().health.by) == (ChannelState.DISABLED, "alice")


async def test_a_resolve_never_overtakes_its_firing(bench: Bench) -> None:
    a = channel(concurrency=8)
    a.answer(Retryable("503"))
    await bench.run(a)
    firing = await bench.add(sample("cluster.issue"))
    await bench.settle()
    resolved = await bench.add(sample("cluster.issue", Status.RESOLVED))
    other = await bench.add()
    assert (await a.sent()).id == firing.id
    assert (await a.sent()).id == other.id
    await bench.settle()
    await bench.asleep()
    await bench.clock.advance(6)
    both = await a.sent()
    assert (both.status, both.follows) == ("resolved", False)
    for each in (firing, resolved):
        state = await bench.state(each)
        assert (state.state, state.merged_into) == (DeliveryState.GROUPED, both.id)


async def test_the_end_follows_the_beginning_that_was_told(bench: Bench) -> None:
    a = channel(concurrency=8)
    held = asyncio.Event()
    a.answer(held)
    await bench.run(a)
    firing = await bench.add(sample("cluster.issue"))
    assert (await a.sent()).id == firing.id
    resolved = await bench.add(sample("cluster.issue", Status.RESOLVED))
    other = await bench.add()
    assert (await a.sent()).id == other.id
    held.set()
    last = await a.sent()
    assert (last.id, last.follows) == (resolved.id, True)
    assert last.previous == {"first": firing.id}


async def test_one_hanging_channel_does_not_delay_another(bench: Bench) -> None:
    slow, fast = channel("slow"), channel("fast")
    slow.answer(asyncio.Event())
    await bench.run(slow, fast)
    await bench.add(channel="slow")
    await slow.sent()
    for _ in range(5):
        await bench.add(channel="fast")
    await bench.settle(5)


async def test_no_more_at_once_than_allowed(bench: Bench) -> None:
    a = channel(concurrency=2)
    gate = asyncio.Event()
    a.answer(gate, gate, gate, gate)
    await bench.run(a)
    for _ in range(4):
        await bench.add()
    await a.sent()
    await a.sent()
    await asyncio.sleep(0)
    assert a.quiet
    gate.set()
    await bench.settle(4)


async def test_no_more_in_a_time_than_allowed(bench: Bench) -> None:
    a = channel(concurrency=8, rate="2/10s")
    await bench.run(a)
    for _ in range(3):
        await bench.add()
    await bench.settle(2)
    await bench.asleep()
    assert a._sent.qsize() == 2
    await bench.clock.advance(10)
    await bench.settle(1)


async def test_a_graceful_stop_lets_what_is_under_way_end(bench: Bench) -> None:
    a = channel()
    gate = asyncio.Event()
    a.answer(gate)
    await bench.run(a)
    first, second = await bench.add(), await bench.add()
    await a.sent()
    stopping = asyncio.create_task(bench.dispatcher.stop(PATIENCE_SECONDS))
    await asyncio.sleep(0)
    gate.set()
    await stopping
    assert (await bench.state(first)).state is DeliveryState.DELIVERED
    assert (await bench.state(second)).state is DeliveryState.PENDING


async def test_stopped_while_it_looks_for_work_it_begins_none(bench: Bench) -> None:
    a = channel()
    delivery = await bench.add()
    await bench.run(a)
    await asyncio.sleep(0)
    await bench.dispatcher.stop(1)
    await settle()
    assert a.quiet
    assert (await bench.state(delivery)).state is DeliveryState.PENDING


async def test_what_does_not_end_in_time_is_handed_back(bench: Bench) -> None:
    a = channel()
    a.answer(asyncio.Event())
    await bench.run(a)
    delivery = await bench.add()
    await a.sent()
    await bench.dispatcher.stop(0.01)
    handed = await bench.state(delivery)
    assert (handed.state, handed.attempts) == (DeliveryState.PENDING, 0)


class TestBrokenTemplates:
    """A template that fails never loses the message: it goes out in a plain form that says so."""

    def broken(self, bench: Bench, text: str) -> Path:
        folder = bench.tmp_path / "templates" / "console"
        folder.mkdir(parents=True)
        (folder / "trust.deleted.txt.j2").write_text(text)
        return folder.parent

    async def test_the_plain_form_goes_out_and_the_template_is_told_once(self, bench: Bench) -> None:
        a = channel()
        await bench.run(a, templates=self.broken(bench, "{{ evnt.summary }}"))
        delivery = await bench.add()
        await bench.add()
        await bench.settle(2)
        assert (await a.sent()).parts["txt"].startswith("plain: ")
        report = await bench.report(lambda each: each.watch.watcher == "templates")
        assert "evnt" in report.conditions[0].details["error"]
        (attempt,) = await bench.store.list_attempts(delivery.id)
        assert attempt.plain
        assert bench.reports.empty(), "told once, not for every message"

    async def test_it_is_told_when_it_works_again(self, bench: Bench) -> None:
        folder = self.broken(bench, "{{ evnt.summary }}")
        await bench.run(channel(), templates=folder)
        await bench.add()
        await bench.report(lambda each: bool(each.conditions))
        news = bench.loop()._news
        await news.template_used("console/trust.deleted", None)
        report = await bench.report(lambda each: each.watch.watcher == "templates")
        assert report.conditions == ()

    async def test_a_body_that_the_channel_cannot_take_goes_out_plain_too(self, bench: Bench) -> None:
        a = channel()
        a.answer(BadBody("no valid JSON"))
        await bench.run(a)
        delivery = await bench.add()
        await a.sent()
        assert (await a.sent()).parts["txt"].startswith("plain: ")
        await bench.settle()
        assert (await bench.state(delivery)).state is DeliveryState.DELIVERED


async def test_a_delivery_whose_events_are_gone_is_dead_and_says_so(bench: Bench) -> None:
    await bench.run(channel())
    delivery = await bench.add(events=("evt_gone",))
    await bench.settle()
    found = await bench.state(delivery)
    assert found.state is DeliveryState.DEAD
    assert "no longer in the store" in (found.last_error or "")


async def test_what_waits_is_found_after_a_restart(bench: Bench) -> None:
    delivery = await bench.add()
    a = channel()
    await bench.run(a)
    assert (await a.sent()).id == delivery.id


async def test_a_thousand_in_a_row(bench: Bench) -> None:
    a = channel(concurrency=64)
    await bench.run(a)
    await asyncio.gather(*(bench.add() for _ in range(1000)))
    await bench.settle(1000)
    ids = [(await a.sent()).id for _ in range(1000)]
    assert len(set(ids)) == 1000
    states = [each.state for each in await bench.store.list_deliveries(Filter(limit=1000))]
    assert set(states) == {DeliveryState.DELIVERED}
