"""Old rows go, a bounded number at a time, and nothing that may still be needed."""

import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from relay.model.alert import AlertState
from relay.model.delivery import DeliveryState
from relay.model.plan import Plan
from relay.store import Cut, Deed, Filter, Store
from tests.store.things import NOW, alert, claims, delivery, event, later, plan_of, settled

DAY = 86400.0


def everything(before: datetime, most: int = 500) -> Cut:
    return Cut(before, before, before, most)


async def names(store: Store) -> set[str]:
    return {told.id for _, _, told in await store.list_events(Filter(limit=10_000))}


async def deliver(store: Store, at: datetime, state: DeliveryState = DeliveryState.DELIVERED) -> None:
    for claim in await claims(store, limit=10_000):
        await store.settle(settled(claim.delivery, state, at))


async def test_what_is_finished_and_old_goes_with_its_attempts_and_events(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1", "evt_1"), delivery("dlv_2", "evt_2", "evt_1")))
    await store.commit(Plan(events=(event("evt_3"),), unrouted=frozenset({"evt_3"})))
    await deliver(store, later(10))
    assert await store.prune(everything(NOW)) == 0
    # Finished at the cut is not before it.
    assert await store.prune(everything(later(10))) == 1
    assert await names(store) == {"evt_1", "evt_2"}
    assert await store.prune(everything(later(11))) == 4
    assert await names(store) == set()
    assert await store.find_deliveries("") == []
    assert await store.list_attempts("dlv_1") == []
    assert await store.prune(everything(later(DAY))) == 0


async def test_what_is_unfinished_stays_with_its_events_and_pins_nothing_else(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_old", "evt_shared", "evt_old", channel="disabled")))
    await store.commit(plan_of(delivery("dlv_1", "evt_1"), delivery("dlv_2", "evt_shared")))
    await deliver(store, NOW)
    assert await store.prune(everything(later(DAY))) == 3
    assert await names(store) == {"evt_shared", "evt_old"}
    (claim,) = await claims(store, "disabled")
    assert len(claim.events) == 2


async def test_a_dead_delivery_can_be_replayed_as_long_as_it_is_there(store: Store) -> None:
    """Events may be kept for less time than deliveries."""
    await store.commit(plan_of(delivery("dlv_1", "evt_1")))
    await deliver(store, later(DAY), DeliveryState.DEAD)
    assert await store.prune(Cut(deliveries=NOW, events=later(9 * DAY), alerts=NOW)) == 0
    again = delivery("dlv_2", "evt_1", created_at=later(9 * DAY), due_at=later(9 * DAY), replay_of="dlv_1")
    await store.add_replay(again, Deed(later(9 * DAY), "alice", "replay", "dlv_1"))
    assert await store.prune(everything(later(9 * DAY))) == 1
    (claim,) = await claims(store, now=later(9 * DAY))
    assert claim.delivery.id == "dlv_2"
    assert [told.id for told in claim.events] == ["evt_1"]


async def test_what_is_held_back_stays_as_long_as_its_alert_is_open(store: Store) -> None:
    firing = alert("alr_1", inhibited=True)
    held_back = delivery("dlv_1", "evt_1", thread="alr_1", state=DeliveryState.INHIBITED)
    await store.commit(replace(plan_of(held_back), alerts=(firing,)))
    assert await store.prune(everything(later(DAY))) == 0
    await store.commit(Plan(alerts=(replace(firing, state=AlertState.RESOLVED, ends_at=later(2 * DAY)),)))
    assert await store.prune(everything(later(DAY))) == 2
    assert await names(store) == set()


async def test_what_waits_again_is_unfinished_again(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1", thread="alr_1", state=DeliveryState.INHIBITED)))
    await store.commit(plan_of(delivery("dlv_2", channel="gone")))
    await store.commit(Plan(released=("alr_1",)))
    await store.know_channels(["soc"], NOW)
    await store.know_channels(["soc", "gone"], NOW)
    assert await store.prune(everything(later(DAY))) == 0
    assert await store.count_deliveries() == {"pending": 2}


async def test_only_resolved_alerts_go(store: Store) -> None:
    gone = alert("alr_1", AlertState.RESOLVED, ends_at=later(1))
    recent = alert("alr_2", AlertState.RESOLVED, ends_at=later(DAY))
    await store.commit(Plan(alerts=(gone, recent, alert("alr_3"), alert("alr_4", AlertState.PENDING))))
    assert await store.prune(everything(later(DAY))) == 1
    assert {each.id for each in await store.list_alerts(Filter())} == {"alr_2", "alr_3", "alr_4"}


async def test_pruning_is_bounded(store: Store) -> None:
    await store.commit(plan_of(*(delivery(f"dlv_{n:02}") for n in range(25))))
    await deliver(store, NOW)
    removed = [await store.prune(everything(later(DAY), most=10)) for _ in range(4)]
    assert removed == [20, 20, 10, 0]


@pytest.mark.parametrize("database", ["sqlite"])
async def test_sqlite_gives_pages_back(store: Store, tmp_path: Path) -> None:
    await store.commit(Plan(events=tuple(event(f"evt_{n}", summary="x" * 4000) for n in range(400))))
    with sqlite3.connect(tmp_path / "relay.db") as reader:
        (before,) = reader.execute("PRAGMA page_count").fetchone()
        await store.prune(everything(later(DAY)))
        (after,) = reader.execute("PRAGMA page_count").fetchone()
        (free,) = reader.execute("PRAGMA freelist_count").fetchone()
    reader.close()
    assert free == 0
    assert after < before / 5
