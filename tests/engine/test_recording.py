"""Outcomes are recorded together, beside the sending; what is not recorded yet is bounded."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator

import pytest

from relay.http import Http
from relay.model.delivery import DeliveryState, Message, Sent
from relay.store import Store
from tests.engine.test_dispatch import Bench, Scripted, bench  # noqa: F401 - a fixture
from tests.support.clock import settle


class Careless(Scripted):
    """Leaves a receipt that cannot be stored, for messages whose part says so."""

    async def send(self, message: Message, body: str, http: Http) -> Sent:
        sent = await super().send(message, body, http)
        return Sent(200, "ok", receipt={"broken": object()}) if message.id == "dlv_1" else sent


@pytest.fixture
async def busy(bench: Bench) -> AsyncIterator[sqlite3.Connection]:  # noqa: F811
    """A connection by which the database can be kept from being written."""
    connection = sqlite3.connect(bench.tmp_path / "relay.db", isolation_level=None)
    yield connection
    connection.close()


async def test_sending_waits_while_as_much_as_may_be_under_way_is_not_recorded(
    bench: Bench,  # noqa: F811
    busy: sqlite3.Connection,
) -> None:
    a = Scripted(name="a", kind="console", concurrency=2)
    gate = asyncio.Event()
    a.answer(gate, gate)
    for _ in range(4):
        await bench.add()
    await bench.run(a)
    await a.sent()
    await a.sent()
    busy.execute("BEGIN IMMEDIATE")
    gate.set()
    await settle()
    assert a.quiet, "two are under way for as long as it is not known how they ended"
    busy.execute("ROLLBACK")
    await bench.settle(4)
    await bench.dispatcher.stop(5)
    assert await bench.store.count_deliveries() == {"delivered": 4}


async def test_an_outcome_that_cannot_be_recorded_harms_none_that_is_recorded_with_it(
    bench: Bench,  # noqa: F811
) -> None:
    a = Careless(name="a", kind="console", concurrency=3)
    gate = asyncio.Event()
    a.answer(gate, gate, gate)
    first, *others = [await bench.add() for _ in range(3)]
    await bench.run(a)
    for _ in range(3):
        await a.sent()
    gate.set()
    await bench.settle(3)
    await bench.dispatcher.stop(5)
    broken = await bench.state(first)
    assert (broken.state, broken.attempts) == (DeliveryState.PENDING, 1)
    assert broken.last_error == "the outcome could not be recorded (TypeError)"
    assert [(await bench.state(each)).state for each in others] == [DeliveryState.DELIVERED] * 2


async def test_stopping_waits_until_what_was_sent_is_recorded(
    bench: Bench,  # noqa: F811
    busy: sqlite3.Connection,
) -> None:
    a = Scripted(name="a", kind="console")
    gate = asyncio.Event()
    a.answer(gate)
    await bench.add()
    await bench.run(a)
    await a.sent()
    busy.execute("BEGIN IMMEDIATE")
    gate.set()
    await settle()
    stopping = asyncio.create_task(bench.dispatcher.stop(60))
    await settle()
    assert not stopping.done()
    busy.execute("ROLLBACK")
    await stopping
    store: Store = bench.store
    assert await store.count_deliveries() == {"delivered": 1}
