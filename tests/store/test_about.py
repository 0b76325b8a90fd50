"""What is told of an alert, and what waits in a thread: found by index."""

from dataclasses import replace

import pytest

from relay.model.delivery import DeliveryState
from relay.model.event import Status
from relay.model.plan import Plan
from relay.store import Store, reads, writes
from relay.store.database import connect, parse_url
from tests.store.test_plans import plans_of
from tests.store.things import NOW, delivery, event

MINE = event("evt_1", alert="alr_1", status=Status.FIRING)
OTHER = event("evt_2", alert="alr_2", status=Status.FIRING)
DELIVERIES = (
    delivery("dlv_1", "evt_1", thread="alr_1"),
    delivery("dlv_2", "evt_2", thread="alr_2"),
    delivery("dlv_3", "evt_1", "evt_2", thread="grp_1", channel="ops"),
    replace(delivery("dlv_4", "evt_1", thread="alr_1"), state=DeliveryState.DELIVERED, finished_at=NOW),
)
PLAN = Plan(events=(MINE, OTHER), deliveries=DELIVERIES)


async def test_alone_or_with_others_the_newest_first(store: Store) -> None:
    await store.commit(PLAN)
    assert [each.id for each in await store.deliveries_about("alr_1")] == ["dlv_4", "dlv_3", "dlv_1"]
    assert [each.id for each in await store.deliveries_about("alr_1", 2)] == ["dlv_4", "dlv_3"]
    assert await store.deliveries_about("alr_9") == []


async def test_only_what_is_not_finished_waits_in_a_thread(store: Store) -> None:
    await store.commit(PLAN)
    assert [each.id for each in await store.open_in_thread("soc", "alr_1")] == ["dlv_1"]
    assert await store.open_in_thread("ops", "alr_1") == []


@pytest.mark.parametrize("name", ["about", "thread"])
def test_both_go_by_index(name: str, sqlite_url: str) -> None:
    Store(sqlite_url).close()
    engine = connect(parse_url(sqlite_url), writing=True)
    with engine.begin() as connection:
        writes.commit_plans(connection, [PLAN])
        plans = plans_of(
            connection,
            lambda c: (
                reads.deliveries_about(c, "alr_1", 9)
                if name == "about"
                else reads.open_in_thread(c, "soc", "alr_1")
            ),
        )
    engine.dispose()
    assert plans
    # Few tell of one alert, and those are put in order.
    assert [step for step in plans if "SCAN" in step] == []
