"""What users replay: some deliveries, everything of a time, everything that a channel refused."""

import asyncio
import random
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from relay.engine import operate
from relay.engine.operate import Operator, OrderError, Replayed
from relay.engine.orders import ORDERS
from relay.model.delivery import Delivery, DeliveryState
from relay.store import DeedQuery, DeliveryQuery, Store
from tests.store.things import NOW, delivery, later, plan_of
from tests.support.clock import ManualClock

SENT, DEAD = DeliveryState.DELIVERED, DeliveryState.DEAD


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
    yield store
    store.close()


@pytest.fixture
def operator(store: Store) -> Operator:
    return Operator(store, ManualClock(later(60)), random.Random(1))


async def fill(store: Store, count: int = 6, state: DeliveryState = SENT, **fields: Any) -> list[Delivery]:
    """One a second, in turn to the channels a and b."""
    made = [
        delivery(
            f"dlv_{n}", channel="ab"[n % 2], created_at=later(n), state=state, finished_at=later(n), **fields
        )
        for n in range(count)
    ]
    await store.commit(plan_of(*made))
    return made


async def replayed(store: Store) -> list[str | None]:
    """What was replayed, in the order in which it is sent again."""
    page = await store.views.deliveries(DeliveryQuery(states=[DeliveryState.PENDING], limit=200))
    return [each.replay_of for each in reversed(page.rows)]


async def test_everything_of_a_time_goes_out_again_in_its_order(store: Store, operator: Operator) -> None:
    await fill(store)
    assert await operator.replay_range(SENT, later(1), later(5), "ann") == Replayed(4)
    assert await replayed(store) == ["dlv_1", "dlv_2", "dlv_3", "dlv_4"]
    deeds = await store.views.deeds(DeedQuery(action="replay"))
    assert [(deed.who, deed.subject) for deed in deeds.rows][::-1] == [
        ("ann", f"dlv_{n}") for n in (1, 2, 3, 4)
    ]
    # Asked for again, only what was not replayed is.
    assert await operator.replay_range(SENT, NOW, later(60), "ann") == Replayed(2)
    assert sorted(map(str, await replayed(store))) == [f"dlv_{n}" for n in range(6)]
    assert await operator.replay_range(SENT, NOW, later(3600), "ann") == Replayed(0)


async def test_of_one_channel_and_one_state(store: Store, operator: Operator) -> None:
    await fill(store)
    assert await operator.replay_range(DEAD, NOW, later(9), "ann") == Replayed(0)
    assert await operator.replay_range(SENT, NOW, later(9), "ann", channel="b") == Replayed(3)
    assert await replayed(store) == ["dlv_1", "dlv_3", "dlv_5"]


@pytest.mark.parametrize("count", [5, 6, 7])
async def test_page_by_page_up_to_a_number(
    count: int, store: Store, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_REPLAY_PAGE", 2)
    monkeypatch.setattr(operate, "_RANGE_MOST", 6)
    await fill(store, count)
    first = await operator.replay_range(SENT, NOW, later(60), "ann")
    # That there is more is not looked for: to ask again does no harm.
    assert first == Replayed(min(count, 6), more=count >= 6)
    assert await operator.replay_range(SENT, NOW, later(60), "ann") == Replayed(count - first.number)
    assert await replayed(store) == [f"dlv_{n}" for n in range(count)]


async def test_everything_dead_of_a_channel(store: Store, operator: Operator) -> None:
    await fill(store, state=DEAD)
    assert [each.replay_of for each in await operator.replay_dead("a", "ann")] == ["dlv_0", "dlv_2", "dlv_4"]
    assert await operator.replay_dead("a", "ann") == []
    assert await operator.replay_dead("gone", "ann") == []


@pytest.mark.parametrize(
    ("state", "since", "until", "told"),
    [
        (DeliveryState.PENDING, NOW, later(9), "what is pending cannot be replayed: give one of"),
        (SENT, later(9), later(9), "since must be before until"),
        (SENT, later(60), later(99), "and in the past"),
    ],
)
async def test_what_cannot_be_meant(
    state: DeliveryState, since: datetime, until: datetime, told: str, operator: Operator
) -> None:
    with pytest.raises(OrderError, match=told):
        await operator.replay_range(state, since, until, "ann")


async def test_as_an_order(store: Store, operator: Operator) -> None:
    await fill(store)
    kind = ORDERS["replay-range"]
    order = kind.model.model_validate(
        {"by": "ann", "channel": "a", "since": NOW.isoformat(), "until": later(3).isoformat()}
    )
    assert await kind.do(operator, order) == {"replayed": 2, "more": False}
    with pytest.raises(ValidationError, match="timezone"):
        kind.model.model_validate({"by": "ann", "since": "2026-01-01T00:00:00", "until": NOW.isoformat()})


async def test_who_is_told_that_there_is_no_more_has_left_nothing(
    store: Store, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operate, "_REPLAY_PAGE", 2)
    monkeypatch.setattr(operate, "_RANGE_MOST", 6)
    await fill(store, 20, DEAD)
    found = await asyncio.gather(
        *(operator.replay_range(DEAD, NOW, later(50), who) for who in ("ann", "bob"))
    )
    assert sum(each.number for each in found) == len(await replayed(store)) == 12
    assert [each.more for each in found] == [True, True]


async def test_two_who_ask_at_the_same_time_send_it_once(store: Store, operator: Operator) -> None:
    await fill(store, 20, DEAD)
    ranges = [operator.replay_range(DEAD, NOW, later(50), who) for who in ("ann", "bob", "cid")]
    found = await asyncio.gather(*ranges, operator.replay_dead("a", "dan"))
    assert sum(each.number if isinstance(each, Replayed) else len(each) for each in found) == 20
    assert sorted(map(str, await replayed(store))) == sorted(f"dlv_{n}" for n in range(20))
    # One by one somebody may send the same again as often as they like.
    await operator.replay(["dlv_1"], "ann")
    assert (await replayed(store)).count("dlv_1") == 2
