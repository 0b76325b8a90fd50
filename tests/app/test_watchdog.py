"""Whether the store answers is seen from outside of whatever waits for it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.app.scraping import Queues
from relay.app.watchdog import Watchdog
from relay.model.plan import Plan
from relay.store import Store
from tests.store.things import NOW, delivery
from tests.support.clock import ManualClock


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'relay.db'}")
    yield made
    made.close()


async def test_a_store_that_does_not_answer_is_told_while_it_does_not(store: Store) -> None:
    clock, answers = ManualClock(NOW), threading.Event()
    watchdog = Watchdog(store, clock, dict)
    await watchdog.look()
    assert watchdog.troubles == {}
    # As a server that hangs would have it: what reads waits.
    store._reader.submit(answers.wait)
    looking = asyncio.create_task(watchdog.look())
    await clock.advance(20)
    assert watchdog.troubles == {}
    await clock.advance(25)
    assert watchdog.troubles == {"store": "has not answered for 45 seconds"}
    answers.set()
    await looking
    assert watchdog.troubles == {}


async def test_a_store_that_cannot_be_read_is_told(store: Store) -> None:
    watchdog = Watchdog(store, ManualClock(NOW), dict)
    store.close()
    await watchdog.look()
    assert watchdog.troubles == {"store": "store: closed"}


async def test_what_waits_is_not_counted_for_everybody_who_asks(store: Store) -> None:
    clock = ManualClock(NOW)
    queues = Queues(store, clock)
    assert await queues.read() == {}
    await store.commit(Plan(deliveries=(delivery("dlv_1"),)))
    assert await queues.read() == {}, "it was counted a moment ago"
    await clock.advance(2)
    found = await asyncio.gather(queues.read(), queues.read())
    assert [each["soc"].ready for each in found if each is not None] == [1, 1]
    await queues.close()


async def test_a_store_that_fails_leaves_the_queues_unknown(store: Store) -> None:
    clock = ManualClock(NOW)
    queues = Queues(store, clock)
    assert await queues.read() == {}
    store.close()
    await clock.advance(2)
    assert await queues.read() is None
