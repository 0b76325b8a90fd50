"""What a claim brings along: everything of its thread that waits, and what one has to know of it."""

import pytest

from relay.model.delivery import DeliveryState, Reason
from relay.model.event import Event, Status
from relay.model.plan import Plan
from relay.store import Claim, Store, Waiting, queue
from tests.store.things import NOW, claims, delivery, due, event, later, one, plan_of, settled


def firing(number: int, **fields: object) -> Event:
    return event(f"evt_f{number}", alert=f"alr_{number}", status=Status.FIRING, **fields)


def resolved(number: int) -> Event:
    return event(f"evt_r{number}", alert=f"alr_{number}", status=Status.RESOLVED)


def ids(waiting: Waiting | None) -> list[str]:
    assert waiting is not None
    return [each.id for each in waiting.deliveries]


async def test_everything_unfinished_of_the_thread_in_the_channel(store: Store) -> None:
    group = {"thread": "grp_1", "gathered": True}
    await store.commit(
        plan_of(
            delivery("dlv_over", **group, state=DeliveryState.DEAD, finished_at=NOW),
            delivery("dlv_silenced", "evt_1", **group, state=DeliveryState.SILENCED, due_at=later(60)),
            delivery("dlv_2", "evt_2", "evt_3", **group),
            delivery("dlv_later", "evt_4", **group, due_at=later(30)),
            delivery("dlv_elsewhere", **group, channel="other"),
            delivery("dlv_stranger", thread="grp_2", gathered=True),
        )
    )
    claim, stranger = await claims(store)
    assert claim.delivery.id == "dlv_2"
    assert ids(claim.waiting) == ["dlv_silenced", "dlv_2", "dlv_later"]
    assert ids(stranger.waiting) == ["dlv_stranger"]
    assert claim.waiting is not None
    assert claim.waiting.deliveries[1] == claim.delivery
    assert claim.waiting.events == {id: event(id) for id in ("evt_1", "evt_2", "evt_3", "evt_4")}


async def test_a_one_off_event_waits_for_nothing(store: Store) -> None:
    await store.commit(plan_of(delivery("dlv_1", "evt_1"), delivery("dlv_2", "evt_2", thread="alr_1")))
    assert [claim.waiting is None for claim in await claims(store)] == [True, False]


async def told_of(store: Store, *numbers: int) -> Waiting:
    """What is known when news of these alerts waits together."""
    news = tuple(delivery(f"dlv_news_{n}", f"evt_f{n}", thread="grp_news", gathered=True) for n in numbers)
    await store.commit(Plan(events=tuple(map(firing, numbers)), deliveries=news))
    (claim,) = [each for each in await claims(store) if each.delivery.thread == "grp_news"]
    assert claim.waiting is not None
    return claim.waiting


async def test_which_alerts_the_channel_knows_of(store: Store) -> None:
    states = (
        DeliveryState.DELIVERED,
        DeliveryState.PARTIAL,
        DeliveryState.DEAD,
        DeliveryState.SUPERSEDED,
        DeliveryState.GROUPED,
        DeliveryState.SILENCED,
    )
    history = tuple(
        delivery(f"dlv_{n}", f"evt_f{n}", thread=f"alr_{n}", state=state, finished_at=NOW)
        for n, state in enumerate(states, 1)
    )
    other = delivery("dlv_other", "evt_f7", thread="alr_7", channel="other", state=states[0], finished_at=NOW)
    # In a group with others, and by an earlier event of the alert than the one that waits.
    milder = event("evt_milder", alert="alr_8", status=Status.FIRING)
    group = delivery(
        "dlv_group", "evt_x", "evt_milder", thread="grp_1", state=DeliveryState.DELIVERED, finished_at=NOW
    )
    told = (*map(firing, range(1, 8)), milder, event("evt_x"))
    await store.commit(Plan(events=told, deliveries=(*history, other, group)))
    waiting = await told_of(store, *range(1, 10))
    assert waiting.told == {"alr_1", "alr_2", "alr_8"}


async def test_which_alerts_have_ended(store: Store) -> None:
    await store.commit(Plan(events=(resolved(1), resolved(3))))
    assert (await told_of(store, 1, 2)).ended == {"alr_1": resolved(1)}


async def test_each_thread_knows_its_own_alone(store: Store) -> None:
    sent = {"state": DeliveryState.DELIVERED, "finished_at": NOW}
    news = tuple(delivery(f"dlv_{n}", f"evt_f{n}", thread=f"alr_{n}") for n in (1, 2))
    before = tuple(delivery(f"dlv_b{n}", f"evt_f{n}", thread=f"alr_{n}", **sent) for n in (1, 2))
    told = (firing(1), firing(2), resolved(1), resolved(2))
    await store.commit(Plan(events=told, deliveries=(*before, *news)))
    for number, claim in enumerate(await claims(store), 1):
        assert claim.waiting is not None
        assert ids(claim.waiting) == [f"dlv_{number}"]
        assert set(claim.waiting.events) == {f"evt_f{number}"}
        assert claim.waiting.told == {f"alr_{number}"}
        assert claim.waiting.ended == {f"alr_{number}": resolved(number)}


async def test_what_was_pruned_is_left_out(store: Store) -> None:
    await store.commit(
        Plan(events=(firing(1),), deliveries=(delivery("dlv_1", "evt_f1", "evt_gone", thread="t"),))
    )
    (claim,) = await claims(store)
    assert claim.waiting is not None
    assert set(claim.waiting.events) == {"evt_f1"}
    assert claim.events == (firing(1),)


class TestTooMuch:
    """Of a thread that is too large not everything is looked at at once."""

    @pytest.fixture(autouse=True)
    def little(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(queue, "_MOST_TOGETHER", 10)

    async def claimed(self, store: Store, **given: object) -> dict[str, Claim]:
        return {claim.delivery.thread: claim for claim in await claims(store, **given)}

    async def test_what_is_due_goes_first(self, store: Store) -> None:
        held = {"thread": "t", "gathered": True, "state": DeliveryState.SILENCED, "due_at": later(60)}
        await store.commit(plan_of(*(delivery(f"dlv_h{n:02}", **held) for n in range(20))))
        await store.commit(plan_of(*(delivery(f"dlv_d{n}", thread="t", gathered=True) for n in range(4))))
        claim = (await self.claimed(store))["t"]
        assert claim.delivery.id == "dlv_d0"
        assert ids(claim.waiting) == [f"dlv_h{n:02}" for n in range(6)] + [f"dlv_d{n}" for n in range(4)]

    async def test_what_is_claimed_is_always_among_them(self, store: Store) -> None:
        await store.commit(plan_of(*(delivery(f"dlv_{n:02}", thread="t") for n in range(20))))
        await store.commit(plan_of(delivery("dlv_tried", thread="t", due_at=later(60), attempts=1)))
        claim = (await self.claimed(store, now=later(60)))["t"]
        assert claim.delivery.id == "dlv_tried"
        assert ids(claim.waiting) == [*(f"dlv_{n:02}" for n in range(10)), "dlv_tried"]
        assert claim.waiting is not None
        assert "dlv_tried" in claim.waiting.events

    async def test_a_large_thread_takes_nothing_from_another(self, store: Store) -> None:
        """That another one waits behind it must be known of the small one, or it would be told too much."""
        await store.commit(
            plan_of(*(delivery(f"dlv_{n:02}", thread="large", gathered=True) for n in range(20)))
        )
        await store.commit(
            plan_of(delivery("dlv_a", "evt_a"), *(delivery(f"dlv_s{n}", thread="s") for n in range(2)))
        )
        found = await self.claimed(store)
        # The small one has its turn with the next look, when it can be looked at whole.
        assert set(found) == {"large", "evt_a"}
        found = await self.claimed(store, taken={found["large"].delivery.seq})
        assert set(found) == {"evt_a", "s"}
        assert ids(found["s"].waiting) == ["dlv_s0", "dlv_s1"]

    async def test_many_small_threads_are_looked_at_in_turn(self, store: Store) -> None:
        await store.commit(
            plan_of(*(delivery(f"dlv_{n:02}_{m}", thread=f"t{n:02}") for n in range(12) for m in range(3)))
        )
        seen: list[str] = []
        taken: set[int] = set()
        while found := await claims(store, taken=taken):
            assert all(len(ids(claim.waiting)) == 3 for claim in found)
            seen += [claim.delivery.id for claim in found]
            taken |= {claim.delivery.seq for claim in found}
        assert seen == [f"dlv_{n:02}_0" for n in range(12)]

    async def test_a_backlog_is_what_was_due_first(self, store: Store) -> None:
        await store.commit(plan_of(*(delivery(f"dlv_{n:02}", due_at=later(-n)) for n in range(20))))
        assert ids(await store.backlog("soc", "all", NOW)) == [f"dlv_{n:02}" for n in range(10, 20)]


async def test_a_backlog_is_everything_of_a_rule_that_is_due(store: Store) -> None:
    mine = {"rule": "mine", "due_at": later(5)}
    await store.commit(
        plan_of(
            delivery("dlv_3", "evt_3", "evt_1", **mine),
            delivery("dlv_1", "evt_1", rule="mine", thread="alr_1"),
            delivery("dlv_held", **mine, state=DeliveryState.MUTED),
            delivery("dlv_repeat", **mine, reason=Reason.REPEAT),
            delivery("dlv_over", **mine, state=DeliveryState.DEAD, finished_at=NOW),
            delivery("dlv_later", rule="mine", due_at=later(6)),
            delivery("dlv_replay", **mine, replay_of="dlv_0"),
            delivery("dlv_elsewhere", **mine, channel="other"),
            delivery("dlv_all"),
        )
    )
    found = await store.backlog("soc", "mine", later(5))
    assert ids(found) == ["dlv_3", "dlv_1", "dlv_held", "dlv_repeat"]
    assert set(found.events) == {"evt_3", "evt_1", "dlv_held", "dlv_repeat"}
    assert ids(await store.backlog("soc", "nobody's", later(5))) == []


async def test_a_message_follows_what_was_sent_in_its_group(store: Store) -> None:
    sent = {"thread": "grp_1", "state": DeliveryState.DELIVERED, "finished_at": NOW, "receipt": {"ts": "1"}}
    await store.commit(plan_of(delivery("dlv_1", **sent), delivery("dlv_2", thread="grp_1", gathered=True)))
    (claim,) = await claims(store)
    assert (claim.follows, claim.previous) == (True, {"ts": "1"})
    await store.settle(settled(claim.delivery))
    assert await due(store) == []
    assert (await one(store, "dlv_2")).gathered
