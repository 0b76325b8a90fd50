"""The outbox: what is due, in which order, and what becomes of it."""

import asyncio
from dataclasses import replace

import pytest

from relay.model.delivery import (
    HELD_BACK,
    Attempt,
    ChannelHealth,
    ChannelState,
    DeliveryState,
    Outcome,
    Reason,
    TargetOutcome,
)
from relay.store import Deed, Settlement, Store
from tests.store.things import NOW, claims, delivery, due, event, later, one, plan_of, settled


async def test_deliveries_are_claimed_as_they_fall_due(store: Store) -> None:
    await store.commit(
        plan_of(
            delivery("dlv_c", due_at=later(2)),
            delivery("dlv_a", due_at=later(1)),
            delivery("dlv_b", due_at=later(1)),
            delivery("dlv_d", due_at=later(3)),
            delivery("dlv_e", channel="other"),
        )
    )
    assert await due(store, now=later(0.999999)) == []
    assert await due(store, now=later(2)) == ["dlv_a", "dlv_b", "dlv_c"]
    assert await due(store, now=later(3), limit=2) == ["dlv_a", "dlv_b"]
    assert await due(store, "other") == ["dlv_e"]


async def test_a_claim_brings_the_events_in_their_order(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1", "evt_2", "evt_1", "evt_3")))
    (claim,) = await claims(store)
    assert [told.id for told in claim.events] == ["evt_2", "evt_1", "evt_3"]
    assert claim.events[0] == event("evt_2")
    assert (claim.follows, claim.previous) == (False, None)


async def test_what_is_in_flight_is_not_claimed_again(store: Store) -> None:
    await store.commit(plan_of(*(delivery(f"dlv_{n:03}") for n in range(50))))
    first = await claims(store, limit=20)
    taken = {claim.delivery.seq for claim in first}
    second = await claims(store, taken=taken, limit=20)
    assert [claim.delivery.id for claim in first + second] == [f"dlv_{n:03}" for n in range(40)]
    taken |= {claim.delivery.seq for claim in second}
    assert await due(store, taken=taken) == [f"dlv_{n:03}" for n in range(40, 50)]


async def test_nothing_overtakes_within_a_thread(store: Store) -> None:
    """A firing that waits for its next attempt keeps the resolve back; other threads flow."""
    firing = delivery("dlv_firing", "evt_f", thread="alr_1")
    await store.commit(plan_of(firing))
    await store.commit(plan_of(delivery("dlv_resolved", "evt_r", thread="alr_1"), delivery("dlv_other")))
    await store.commit(plan_of(delivery("dlv_elsewhere", "evt_r", thread="alr_1", channel="other")))
    (claim, _) = await claims(store)
    assert claim.delivery.id == "dlv_firing"
    # While it is in flight, and while it waits.
    assert await due(store, taken={claim.delivery.seq}) == ["dlv_other"]
    await store.settle(settled(claim.delivery, DeliveryState.PENDING, due_at=later(60)))
    assert await due(store) == ["dlv_other"]
    assert await due(store, "other") == ["dlv_elsewhere"]
    (again,) = [each for each in await claims(store, now=later(60)) if each.delivery.thread == "alr_1"]
    assert again.delivery.attempts == 1
    await store.settle(settled(again.delivery, at=later(60), receipt={"ts": "1.2"}))
    assert await due(store) == ["dlv_resolved", "dlv_other"]


@pytest.mark.parametrize("state", [DeliveryState.DEAD, DeliveryState.PARTIAL, DeliveryState.SUPERSEDED])
async def test_a_thread_goes_on_after_whatever_end(store: Store, state: DeliveryState) -> None:
    await store.commit(plan_of(delivery("dlv_1", thread="t"), delivery("dlv_2", thread="t")))
    (claim,) = await claims(store)
    await store.settle(settled(claim.delivery, state))
    assert await due(store) == ["dlv_2"]


async def test_next_due_looks_past_what_is_taken_or_blocked(store: Store) -> None:
    assert await store.next_due("soc", set()) is None
    await store.commit(
        plan_of(
            delivery("dlv_1", thread="t", due_at=later(10), attempts=1),
            delivery("dlv_2", thread="t", due_at=later(1)),
            delivery("dlv_3", due_at=later(30)),
            delivery("dlv_4", channel="other", due_at=later(0)),
        )
    )
    assert await store.next_due("soc", set()) == later(10)
    first = await one(store, "dlv_1")
    assert await store.next_due("soc", {first.seq}) == later(30)
    assert await store.next_due("soc", {first.seq, (await one(store, "dlv_3")).seq}) is None


HELD_BACK_STATES = sorted(HELD_BACK)


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize("state", HELD_BACK_STATES)
async def test_what_is_held_back_holds_nothing_else_up(
    store: Store, state: DeliveryState, gathered: bool
) -> None:
    """A warning is muted until morning; that it became critical is told at once."""
    muted = delivery("dlv_muted", thread="t", state=state, due_at=later(3600), gathered=gathered)
    await store.commit(plan_of(muted))
    await store.commit(plan_of(delivery("dlv_news", thread="t", created_at=later(5), due_at=later(5))))
    assert await store.next_due("soc", set()) == later(5)
    (claim,) = await claims(store, now=later(5))
    assert claim.delivery.id == "dlv_news"
    assert claim.waiting is not None
    assert [each.id for each in claim.waiting.deliveries] == ["dlv_muted", "dlv_news"]
    await store.settle(settled(claim.delivery))
    assert await store.next_due("soc", set()) == later(3600)
    (claim,) = await claims(store, now=later(3600))
    assert (claim.delivery.id, claim.delivery.state) == ("dlv_muted", state)


@pytest.mark.parametrize("reason", [Reason.REPEAT, Reason.ESCALATION, Reason.NEW])
async def test_what_is_to_be_told_later_holds_nothing_else_up(store: Store, reason: Reason) -> None:
    """An alert is to be repeated in four hours; that it became graver is told at once."""
    await store.commit(plan_of(delivery("dlv_later", thread="t", due_at=later(14400), reason=reason)))
    await store.commit(plan_of(delivery("dlv_news", thread="t", created_at=later(5), due_at=later(5))))
    assert await due(store, now=later(5)) == ["dlv_news"]
    # Both are due: one after the other.
    assert await due(store, now=later(14400)) == ["dlv_news"]
    news = await one(store, "dlv_news")
    assert await due(store, now=later(14400), taken={news.seq}) == []
    assert await store.next_due("soc", {news.seq}) is None
    # It failed: what is tried goes first, and is not overtaken.
    await store.settle(settled(news, DeliveryState.PENDING, due_at=later(20000)))
    assert await due(store, now=later(14400)) == []
    assert await store.next_due("soc", set()) == later(20000)
    assert await due(store, now=later(20000)) == ["dlv_news"]


async def test_nothing_of_a_thread_waits_for_each_other(store: Store) -> None:
    """The repeat comes after the news, the news after what is tried: there is always one that goes."""
    await store.commit(
        plan_of(
            delivery("dlv_repeat", thread="t", due_at=later(40), reason=Reason.REPEAT),
            delivery("dlv_tried", thread="t", due_at=later(50), attempts=1),
            delivery("dlv_news", thread="t", due_at=later(30)),
            delivery("dlv_silenced", thread="t", due_at=later(20), state=DeliveryState.SILENCED),
        )
    )
    went = []
    while (moment := await store.next_due("soc", set())) is not None:
        (claim,) = await claims(store, now=moment)
        went.append((claim.delivery.id, moment))
        await store.settle(settled(claim.delivery, at=moment))
    assert went == [
        ("dlv_tried", later(50)),
        ("dlv_silenced", later(20)),
        ("dlv_news", later(30)),
        ("dlv_repeat", later(40)),
    ]


async def test_of_a_thread_one_is_under_way_whatever_the_clock_does(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1", thread="t", due_at=later(60)), delivery("dlv_x")))
    taken = {(await one(store, "dlv_1")).seq}
    # The clock went back while it is being sent.
    await store.commit(
        plan_of(delivery("dlv_2", thread="t", due_at=later(10)), delivery("dlv_3", thread="u"))
    )
    assert await due(store, now=later(60), taken=taken) == ["dlv_x", "dlv_3"]
    assert (
        await store.next_due("soc", {*taken, *(each.seq for each in await store.find_deliveries("dlv_x"))})
        == NOW
    )
    assert await due(store, now=later(60)) == ["dlv_x", "dlv_3", "dlv_2"]


async def test_a_thread_remembers_the_receipt_of_its_first_message(store: Store) -> None:
    names = ["dlv_1", "dlv_2", "dlv_3", "dlv_4", "dlv_5"]
    await store.commit(plan_of(*(delivery(name, thread="alr_1") for name in names)))
    found = []
    for receipt, state in (
        (None, DeliveryState.DEAD),
        (None, DeliveryState.DELIVERED),
        ({"ts": "3", "more": [1, {"a": None}]}, DeliveryState.PARTIAL),
        ({"ts": "4"}, DeliveryState.DELIVERED),
    ):
        (claim,) = await claims(store)
        found.append((claim.delivery.id, claim.follows, claim.previous))
        await store.settle(settled(claim.delivery, state, receipt=receipt))
    (last,) = await claims(store)
    found.append((last.delivery.id, last.follows, last.previous))
    assert found == [
        ("dlv_1", False, None),
        ("dlv_2", False, None),
        ("dlv_3", True, None),
        ("dlv_4", True, {"ts": "3", "more": [1, {"a": None}]}),
        ("dlv_5", True, {"ts": "3", "more": [1, {"a": None}]}),
    ]


async def test_a_thread_in_another_channel_is_another_conversation(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1", thread="alr_1")))
    (claim,) = await claims(store)
    await store.settle(settled(claim.delivery, receipt={"ts": "1"}))
    await store.commit(plan_of(delivery("dlv_2", thread="alr_1", channel="other")))
    (other,) = await claims(store, "other")
    assert (other.follows, other.previous) == (False, None)


async def test_many_are_settled_together(store: Store) -> None:
    await store.commit(plan_of(*(delivery(f"dlv_{n:03}") for n in range(300))))
    found = await claims(store, limit=300)
    await asyncio.gather(*(store.settle(settled(claim.delivery)) for claim in found[:200]))
    await asyncio.gather(*(store.settle(settled(c.delivery, DeliveryState.DEAD)) for c in found[200:299]))
    assert await store.count_deliveries("soc") == {"delivered": 200, "dead": 99, "pending": 1}
    assert await store.count_waiting("soc") == 1
    assert await due(store) == ["dlv_299"]


async def test_an_attempt_is_kept_whole(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1")))
    (claim,) = await claims(store)
    targets = (
        TargetOutcome("a@x", Outcome.DELIVERED, 250),
        TargetOutcome("b@x", Outcome.REJECTED, 550, "no"),
    )
    tried = Attempt("dlv_1", 1, later(1), 0.123456789, Outcome.RETRY, 503, "busy", "<p>", targets, "{}", True)
    after = replace(
        claim.delivery,
        state=DeliveryState.PENDING,
        due_at=later(61),
        attempts=1,
        settled=("a@x", "b@x"),
        delivered_to=("a@x",),
        receipt={"id": "<1@x>"},
        last_error="busy",
    )
    await store.settle(Settlement(after, tried))
    assert await store.list_attempts("dlv_1") == [tried]
    assert await one(store, "dlv_1") == after
    assert await store.list_attempts("dlv_2") == []


async def test_settling_twice_is_settling_once(store: Store) -> None:
    """A lost answer to COMMIT: the engine tries the same settlement again."""
    await store.commit(plan_of(delivery("dlv_1")))
    (claim,) = await claims(store)
    settlement = settled(claim.delivery)
    await store.settle(settlement)
    await asyncio.gather(store.settle(settlement), store.settle(settlement))
    assert await store.list_attempts("dlv_1") == [settlement.attempt]
    assert await one(store, "dlv_1") == settlement.delivery


async def test_channels_that_are_gone_keep_their_deliveries(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1"), delivery("dlv_2", channel="other"), delivery("dlv_3")))
    (first, _) = await claims(store)
    await store.settle(settled(first.delivery))
    assert await store.know_channels(["other"], NOW) == 1
    assert await due(store) == []
    assert await store.next_due("soc", set()) is None
    assert await store.count_deliveries("soc") == {"delivered": 1, "held": 1}
    assert await store.know_channels(["other"], NOW) == 0
    assert await store.know_channels(["other", "soc"], NOW) == 0
    assert await due(store) == ["dlv_3"]
    assert await due(store, "other") == ["dlv_2"]
    assert await store.know_channels([], NOW) == 2
    assert await store.count_deliveries() == {"delivered": 1, "held": 2}


async def test_what_is_held_back_is_held_and_freed_with_its_channel(store: Store) -> None:
    silenced = delivery("dlv_1", state=DeliveryState.SILENCED, due_at=later(60))
    await store.commit(plan_of(silenced))
    assert await store.know_channels([], later(5)) == 1
    assert (await one(store, "dlv_1")).finished_at == later(5)
    assert await store.next_due("soc", set()) is None
    await store.know_channels(["soc"], later(6))
    # It is looked at when it would have been: then it is decided anew whether it is held back.
    freed = await one(store, "dlv_1")
    assert (freed.state, freed.finished_at, freed.due_at) == ("pending", None, later(60))


async def test_what_is_planned_for_a_channel_that_is_gone_is_finished(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1", state=DeliveryState.HELD, created_at=later(3))))
    assert (await one(store, "dlv_1")).finished_at == later(3)
    assert await store.next_due("soc", set()) is None


async def test_only_what_was_tried_is_hastened(store: Store) -> None:
    hour = later(3600)
    await store.commit(
        plan_of(
            delivery("dlv_tried", due_at=hour, attempts=3),
            delivery("dlv_untried", due_at=hour),
            delivery("dlv_silenced", due_at=hour, attempts=1, state=DeliveryState.SILENCED),
            delivery("dlv_other", due_at=hour, attempts=1, channel="other"),
        )
    )
    await store.hasten("soc", later(5))
    assert await due(store, now=later(5)) == ["dlv_tried"]
    assert await due(store, "other", now=later(5)) == []


async def test_a_replay_is_a_new_delivery_and_is_written_down_once(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1", "evt_1")))
    (claim,) = await claims(store)
    await store.settle(settled(claim.delivery, DeliveryState.DEAD))
    again = delivery("dlv_9", "evt_1", replay_of="dlv_1", created_at=later(60), due_at=later(60))
    deed = Deed(later(60), "alice", "replay", "dlv_1", "fixed the template")
    await store.add_replays([(again, deed)])
    await store.add_replays([(again, deed)])
    (replayed,) = await claims(store, now=later(60))
    assert (replayed.delivery.id, replayed.delivery.replay_of) == ("dlv_9", "dlv_1")
    assert [told.id for told in replayed.events] == ["evt_1"]
    await store.record(Deed(later(61), "bob", "disable", "soc"))
    journal = await store.list_deeds()
    assert [(deed["who"], deed["action"], deed["at"]) for deed in journal] == [
        ("bob", "disable", later(61)),
        ("alice", "replay", later(60)),
    ]
    assert len(await store.list_deeds(limit=1)) == 1


async def test_what_is_pending_is_not_finished_whatever_it_was_copied_from(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1", "evt_1")))
    await store.settle(settled(await one(store, "dlv_1"), DeliveryState.DEAD, at=later(5)))
    again = replace(await one(store, "dlv_1"), id="dlv_2", state=DeliveryState.PENDING, replay_of="dlv_1")
    assert again.finished_at == later(5)
    await store.add_replays([(again, Deed(later(60), "alice", "replay", "dlv_1"))])
    assert await due(store) == ["dlv_2"]


async def test_a_channels_health_is_remembered(store: Store) -> None:
    assert await store.healths() == {}
    held = ChannelHealth("soc", ChannelState.HELD, NOW, 3, "401 Unauthorized", later(3600), "alice")
    await asyncio.gather(store.save_health(ChannelHealth("other")), store.save_health(ChannelHealth("soc")))
    await store.save_health(held)
    assert await store.healths() == {"soc": held, "other": ChannelHealth("other")}
