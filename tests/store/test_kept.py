"""What is made once and kept, and one acknowledgement by its thread."""

import asyncio
from dataclasses import replace

from relay.model.silence import Acknowledgement
from relay.store import Deed, Store
from tests.store.conftest import OpenStore
from tests.store.things import HELL, NOW, later


async def test_the_first_value_stays(url: str, store: Store, open_store: OpenStore) -> None:
    assert await store.keep_first("relay/x", "first") == "first"
    assert await store.keep_first("relay/x", "second") == "first"
    assert await store.keep_first("relay/y", "other") == "other"
    assert await open_store(url).keep_first("relay/x", "third") == "first"


async def test_two_at_once_agree(url: str, store: Store, open_store: OpenStore) -> None:
    other = open_store(url)
    offered = (each.keep_first("relay/x", f"{n}") for n in range(10) for each in (store, other))
    assert len(set(await asyncio.gather(*offered))) == 1


async def test_one_acknowledgement(store: Store) -> None:
    one, two = Acknowledgement("alr_1", "ann", NOW, "note", later(60)), Acknowledgement("alr_2", "bob", NOW)
    for each in (one, two):
        await store.acknowledge(each, Deed(NOW, each.by, "acknowledge", each.thread))
    assert await store.acknowledgement("alr_1") == one
    assert await store.acknowledgement("alr_2") == two
    assert await store.acknowledgement("alr_") is None
    assert await store.acknowledgement(HELL) is None
    again = replace(one, by="bob", until=None)
    await store.acknowledge(again, Deed(NOW, "bob", "acknowledge", "alr_1"))
    assert await store.acknowledgement("alr_1") == again
