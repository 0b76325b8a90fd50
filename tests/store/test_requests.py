"""Writes with an idempotency key: noted once, answered as the first one was, forgotten after a while."""

import asyncio
from dataclasses import replace

import pytest

from relay.store import Cut, Request, Store
from tests.store.conftest import OpenStore
from tests.store.things import NOW, later

ASKED = Request("key", "asked", NOW)
DONE = replace(ASKED, status=201, body='{"id": "sil_1"}')


async def test_the_first_one_acts_and_the_others_get_its_answer(
    url: str, store: Store, open_store: OpenStore
) -> None:
    assert await store.begin_request(ASKED) is None
    assert await store.begin_request(replace(ASKED, at=later(1))) == ASKED
    assert await store.begin_request(replace(ASKED, fingerprint="other")) == ASKED
    assert await store.begin_request(replace(ASKED, key="another")) is None
    await store.finish_request(DONE)
    assert await open_store(url).begin_request(replace(ASKED, at=later(2))) == DONE


async def test_of_many_at_once_one_is_the_first(url: str, store: Store, open_store: OpenStore) -> None:
    other = open_store(url)
    found = await asyncio.gather(*(each.begin_request(ASKED) for _ in range(10) for each in (store, other)))
    assert found.count(None) == 1
    assert found.count(ASKED) == 19


@pytest.mark.parametrize("most", [1, 500])
async def test_old_ones_are_pruned(most: int, store: Store) -> None:
    for n in range(3):
        await store.begin_request(Request(f"key_{n}", "asked", later(n)))
    while await store.prune(Cut(NOW, NOW, NOW, requests=later(2), most=most)):
        pass
    assert await store.begin_request(Request("key_1", "asked", later(3))) is None
    assert await store.begin_request(Request("key_2", "asked", later(3))) == Request(
        "key_2", "asked", later(2)
    )
