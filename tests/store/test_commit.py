"""What is committed is true, all of it or nothing, once or many times."""

import asyncio
from dataclasses import replace

import pytest

from relay.model.alert import AlertState
from relay.model.errors import StoreError
from relay.model.observation import CursorMove
from relay.model.plan import Plan
from relay.model.steps import Step
from relay.store import CursorMovedError, Store
from tests.store.things import NOW, alert, delivery, due, event, later, one, plan_of


def move(before: str | None, after: str, scope: str = "prod/changefeed") -> CursorMove:
    return CursorMove(scope, before, after)


async def test_a_plan_becomes_true(store: Store) -> None:
    told, quiet, firing = event("evt_1"), event("evt_2"), alert("alr_1", labels={"team": "a"})
    sent = delivery("dlv_1", "evt_1")
    plan = Plan(
        events=(told, quiet),
        unrouted=frozenset({"evt_2"}),
        alerts=(firing,),
        deliveries=(sent,),
        cursor=move(None, "7"),
    )
    await store.commit(plan)
    assert await store.events(["evt_1", "evt_2", "evt_3"]) == {"evt_1": told, "evt_2": quiet}
    assert await store.count_unrouted() == 1
    assert await store.open_alerts() == [firing]
    assert await store.cursor("prod/changefeed") == "7"
    assert await store.cursor("lab/changefeed") is None
    kept = await one(store, "dlv_1")
    assert kept == replace(sent, seq=kept.seq, ready_at=NOW)
    assert kept.seq > 0


@pytest.mark.parametrize("wrong", [move(None, "9"), move("6", "9"), move("9", "9")])
async def test_a_cursor_that_was_moved_leaves_nothing_of_the_plan(store: Store, wrong: CursorMove) -> None:
    await store.commit(Plan(cursor=move(None, "7")))
    before = alert("alr_1")
    await store.commit(Plan(alerts=(before,)))
    late = plan_of(delivery("dlv_1"), cursor=wrong, alerts=(replace(before, summary="changed"),))
    with pytest.raises(CursorMovedError, match=r"prod/changefeed was moved"):
        await store.commit(late)
    assert await store.known_events(["dlv_1"]) == set()
    assert await store.find_deliveries("") == []
    assert await store.open_alerts() == [before]
    assert await store.cursor("prod/changefeed") == "7"


async def test_the_first_reading_of_a_scope_needs_that_there_was_none(store: Store) -> None:
    with pytest.raises(CursorMovedError):
        await store.commit(plan_of(delivery("dlv_1"), cursor=move("6", "7")))
    assert await store.cursor("prod/changefeed") is None


async def test_one_bad_plan_does_not_spoil_its_neighbours(store: Store) -> None:
    await store.commit(Plan(cursor=move(None, "0")))
    plans = [plan_of(delivery(f"dlv_{number}")) for number in range(30)]
    plans[10] = replace(plans[10], cursor=move("not there", "1"))
    plans[20] = replace(plans[20], cursor=move("0", "1"))
    results = await asyncio.gather(*map(store.commit, plans), return_exceptions=True)
    assert [place for place, result in enumerate(results) if result is not None] == [10]
    assert isinstance(results[10], CursorMovedError)
    # In the order in which they were handed in, though they were written twice.
    assert await due(store) == [f"dlv_{number}" for number in range(30) if number != 10]
    assert await store.cursor("prod/changefeed") == "1"


async def test_repeats_are_harmless(store: Store) -> None:
    plan = plan_of(delivery("dlv_1", "evt_1"), delivery("dlv_2", "evt_1", channel="other"))
    await store.commit(plan)
    first = await one(store, "dlv_1")
    await store.commit(plan)
    changed = replace(plan.deliveries[0], rule="another", due_at=later(60))
    await store.commit(replace(plan, deliveries=(changed,), events=(event("evt_1", summary="another"),)))
    assert await store.find_deliveries("dlv_1") == [first]
    assert (await store.events(["evt_1"]))["evt_1"].summary != "another"
    assert await store.count_deliveries() == {"pending": 2}


async def test_an_alert_follows_another_of_its_fingerprint(store: Store) -> None:
    first = alert("alr_1", fingerprint="same")
    await store.commit(Plan(alerts=(first,)))
    ended = replace(first, state=AlertState.RESOLVED, ends_at=later(5))
    second = alert("alr_2", fingerprint="same")
    await store.commit(Plan(alerts=(second, ended)))
    assert await store.open_alerts() == [second]


async def test_two_open_alerts_of_one_fingerprint_are_refused(store: Store) -> None:
    await store.commit(Plan(alerts=(alert("alr_1", fingerprint="secret words"),)))
    with pytest.raises(StoreError) as caught:
        await store.commit(plan_of(delivery("dlv_1"), alerts=(alert("alr_2", fingerprint="secret words"),)))
    assert "secret words" not in str(caught.value)
    assert "INSERT" not in str(caught.value)
    assert await due(store) == []


async def test_steps_are_reached_inside_and_after_the_transaction(url: str) -> None:
    steps: list[Step] = []
    store = Store(url, reach=steps.append)
    try:
        await store.commit(plan_of(delivery("dlv_1")))
    finally:
        store.close()
    assert steps == [Step.COMMITTING, Step.COMMITTED]


async def test_what_fails_inside_the_transaction_leaves_nothing(url: str) -> None:
    broken = True

    def reach(step: Step) -> None:
        if step is Step.COMMITTING and broken:
            raise OSError("power cut")

    store = Store(url, reach=reach)
    try:
        with pytest.raises(OSError, match="power cut"):
            await store.commit(plan_of(delivery("dlv_1"), cursor=move(None, "1")))
        assert await due(store) == []
        broken = False
        await store.commit(plan_of(delivery("dlv_1"), cursor=move(None, "1")))
        assert await due(store) == ["dlv_1"]
    finally:
        store.close()


async def test_a_cancelled_commit_happens_all_the_same_and_disturbs_nobody(store: Store) -> None:
    writes = [asyncio.create_task(store.commit(plan_of(delivery(f"dlv_{n}")))) for n in range(20)]
    await asyncio.sleep(0)
    for write in writes[::2]:
        write.cancel()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError, type(None)] * 10
    assert await due(store) == [f"dlv_{n}" for n in range(20)]


async def test_closing_writes_what_has_queued(url: str) -> None:
    store = Store(url)
    writes = [asyncio.create_task(store.commit(plan_of(delivery(f"dlv_{n:04}")))) for n in range(600)]
    await asyncio.sleep(0)
    store.close()
    assert await asyncio.gather(*writes) == [None] * 600
    again = Store(url)
    try:
        assert len(await due(again, limit=1000)) == 600
    finally:
        again.close()


async def test_a_closed_store_says_so_and_may_be_closed_again(url: str) -> None:
    store = Store(url)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.commit(plan_of(delivery("dlv_1")))
    with pytest.raises(StoreError, match="closed"):
        await store.due("soc", NOW, 1, set())
