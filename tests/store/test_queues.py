"""How much waits: counted by channel and state, from what is not finished alone."""

from relay.model.delivery import DeliveryState as State
from relay.model.telemetry import Telemetry
from relay.store import Store
from tests.store.conftest import OpenStore
from tests.store.things import NOW, delivery, later, plan_of


async def test_what_waits_is_counted_after_a_restart_too(url: str, open_store: OpenStore) -> None:
    store = open_store(url)
    rows = (
        delivery("dlv_due", due_at=later(-60)),
        # Tried in vain: its next attempt is later, but it could have gone out long ago.
        delivery("dlv_tried", due_at=later(300), ready_at=later(-120), attempts=2),
        delivery("dlv_repeat", due_at=later(3600)),
        delivery("dlv_silenced", state=State.SILENCED, due_at=later(-500)),
        delivery("dlv_done", state=State.DELIVERED, due_at=later(-900), finished_at=NOW),
        delivery("dlv_held", channel="gone", state=State.HELD),
        delivery("dlv_other", channel="other", state=State.DEAD, finished_at=NOW),
    )
    await store.commit(plan_of(*rows))
    store.close()
    found = await open_store(url).queues(NOW)
    assert set(found) == {"soc"}, "what is held waits for nothing but a configuration"
    soc = found["soc"]
    assert (soc.ready, soc.ready_since) == (2, later(-120))
    assert {state: n for state, n in soc.states.items() if n} == {State.PENDING: 3, State.SILENCED: 1}


async def test_nothing_waits(url: str, open_store: OpenStore) -> None:
    store: Store = open_store(url)
    assert await store.queues(NOW) == {}


def test_a_part_that_is_given_no_telemetry_tells_nobody() -> None:
    with Telemetry().storing("read"):
        pass
    assert Telemetry().traceparent(delivery("dlv_1")) is None
