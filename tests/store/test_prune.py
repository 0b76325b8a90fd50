"""Old rows go, a bounded number at a time, and nothing that may still be needed."""

import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from relay.model.alert import AlertState
from relay.model.delivery import HELD_BACK, DeliveryState, Reason
from relay.model.event import Status
from relay.model.plan import Group, Plan, Rewrite
from relay.model.silence import Acknowledgement, Silence
from relay.store import Cut, Deed, Filter, Store
from tests.store.things import NOW, alert, claims, delivery, event, later, one, plan_of, settled, states

DAY = 86400.0


def everything(before: datetime, most: int = 500) -> Cut:
    return Cut(before, before, before, before, most)


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
    assert await store.prune(Cut(deliveries=NOW, events=later(9 * DAY), alerts=NOW, requests=NOW)) == 0
    again = delivery("dlv_2", "evt_1", created_at=later(9 * DAY), due_at=later(9 * DAY), replay_of="dlv_1")
    await store.add_replays([(again, Deed(later(9 * DAY), "alice", "replay", "dlv_1"))])
    assert await store.prune(everything(later(9 * DAY))) == 1
    (claim,) = await claims(store, now=later(9 * DAY))
    assert claim.delivery.id == "dlv_2"
    assert [told.id for told in claim.events] == ["evt_1"]


@pytest.mark.parametrize("state", sorted(HELD_BACK))
async def test_what_is_held_back_is_not_finished(store: Store, state: DeliveryState) -> None:
    await store.commit(plan_of(delivery("dlv_1", state=state, due_at=NOW)))
    assert await store.prune(everything(later(DAY))) == 0
    over = replace(await one(store, "dlv_1"), finished_at=NOW)
    await store.rewrite(Rewrite((over,)))
    assert await store.prune(everything(later(DAY))) == 2
    assert await names(store) == set()


async def test_what_was_told_of_an_alert_stays_as_long_as_it_is_open(store: Store) -> None:
    """Its end goes to those who know of its beginning, were that months ago."""
    firing, other = alert("alr_1"), alert("alr_2")
    told = tuple(event(f"evt_{n}", alert=f"alr_{n}", status=Status.FIRING) for n in (1, 2))
    sent = {"state": DeliveryState.DELIVERED, "finished_at": NOW}
    await store.commit(
        Plan(
            events=(*told, event("evt_3")),
            alerts=(firing, other),
            deliveries=(
                delivery("dlv_group", "evt_3", "evt_1", thread="grp_1", **sent),
                delivery(
                    "dlv_partial", "evt_2", thread="alr_2", finished_at=NOW, state=DeliveryState.PARTIAL
                ),
                # Nobody was told by these, or was told before.
                delivery("dlv_repeat", "evt_1", thread="alr_1", reason=Reason.REPEAT, **sent),
                delivery("dlv_dead", "evt_1", finished_at=NOW, state=DeliveryState.DEAD),
                delivery("dlv_merged", "evt_1", finished_at=NOW, state=DeliveryState.GROUPED),
                delivery("dlv_event", "evt_3", **sent),
            ),
        )
    )
    assert await store.prune(everything(later(DAY))) == 4
    assert set(await states(store)) == {"dlv_group", "dlv_partial"}
    assert await names(store) == {"evt_1", "evt_2", "evt_3"}
    await store.commit(Plan(alerts=(replace(firing, state=AlertState.RESOLVED, ends_at=later(2 * DAY)),)))
    assert await store.prune(everything(later(DAY))) == 3
    assert set(await states(store)) == {"dlv_partial"}


async def test_what_waits_again_is_unfinished_again(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_2", channel="gone")))
    await store.know_channels(["soc"], NOW)
    await store.know_channels(["soc", "gone"], NOW)
    assert await store.prune(everything(later(DAY))) == 0
    assert await store.count_deliveries() == {"pending": 1}


async def test_what_people_said_goes_when_nothing_is_left_that_it_is_about(store: Store) -> None:
    deed = Deed(NOW, "alice", "acknowledge", "")
    for thread in ("alr_open", "alr_gone", "evt_kept", "evt_gone", "alr_recent"):
        at = later(DAY) if thread == "alr_recent" else NOW
        await store.acknowledge(Acknowledgement(thread, "alice", at), deed)
    await store.commit(Plan(alerts=(alert("alr_open"),)))
    await store.commit(plan_of(delivery("dlv_1", "evt_kept")))
    for name, end in (("sil_past", NOW), ("sil_lasting", later(DAY))):
        await store.save_silence(Silence(name, {}, NOW, end, "alice", "", NOW), deed)
    assert await store.prune(everything(later(DAY))) == 3
    left = {each.thread for each in await store.acknowledgements()}
    assert left == {"alr_open", "evt_kept", "alr_recent"}
    assert [each.id for each in await store.silences(NOW)] == ["sil_lasting"]


async def test_groups_go_a_bounded_number_at_a_time(store: Store) -> None:
    old = tuple(Group(f"grp_{n:02}", f"key_{n}", NOW, NOW) for n in range(25))
    lasting = Group("grp_lasting", "key", NOW, later(DAY))
    await store.commit(Plan(at=NOW, groups=(*old, lasting)))
    assert [await store.prune(everything(later(DAY), most=10)) for _ in range(4)] == [10, 10, 5, 0]
    assert await store.groups(NOW) == [lasting]


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


async def test_what_is_needed_is_passed_a_bounded_number_at_a_time(store: Store) -> None:
    """Of what waits for long there may be millions, and what may go lies behind it, or between."""
    needed = [delivery(f"dlv_{n:02}", f"evt_{n:02}", channel="disabled") for n in range(35)]
    await store.commit(plan_of(*needed))
    await store.commit(Plan(events=(event("evt_free"),)))
    await store.commit(plan_of(*(delivery(f"dlv_x{n}", f"evt_x{n}", channel="disabled") for n in range(15))))
    assert await store.prune(everything(later(DAY), most=1)) == 1
    assert "evt_free" not in await names(store)
    # What was passed before may go by now: each look that removes nothing ends at the end.
    await deliver_all(store, "disabled")
    removed = [await store.prune(everything(later(DAY), most=1)) for _ in range(101)]
    assert sum(removed) == 100
    assert await names(store) == set()
    assert await store.prune(everything(later(DAY), most=1)) == 0


async def deliver_all(store: Store, channel: str) -> None:
    for claim in await claims(store, channel, limit=1000):
        await store.settle(settled(claim.delivery, DeliveryState.DELIVERED, NOW))


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
