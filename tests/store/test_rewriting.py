"""What becomes of deliveries that wait: superseded, released, looked at again, put together, repeated."""

import asyncio
from dataclasses import replace
from datetime import datetime

import pytest

from relay.model.alert import AlertState
from relay.model.delivery import Delivery, DeliveryState, Reason
from relay.model.event import Status
from relay.model.plan import Plan, Rewrite
from relay.store import Cut, Store
from tests.store.things import NOW, alert, claims, delivery, due, event, later, one, plan_of, settled, states


async def commit_about(store: Store, *deliveries: Delivery) -> None:
    """Commit deliveries, each of which tells an event of its own of the alert that its id ends with."""
    told = tuple(
        event(id, alert=f"alr_{each.id.rpartition('_')[2]}", status=Status.FIRING)
        for each in deliveries
        for id in each.events
    )
    await store.commit(Plan(at=NOW, events=told, deliveries=deliveries))


class TestOver:
    async def test_only_what_nobody_can_have_seen_is_superseded(self, store: Store) -> None:
        def about(name: str, seconds: float, **fields: object) -> Delivery:
            given = {"thread": "alr_1", "channel": name, "due_at": later(seconds)} | fields
            return delivery(f"dlv_{name}", "evt_f", **given)

        await store.commit(
            plan_of(
                about("waiting", 30),
                about("repeat", 3600, reason=Reason.REPEAT),
                about("silenced", 3600, state=DeliveryState.SILENCED),
                about("tried", 30, attempts=1),
                about("ripe", 10),
                about("underway", 15),
                about("soon", 15.000001),
                about("atonce", 40, created_at=later(40)),
                about("stranger", 30, thread="alr_2"),
                about("gathered", 30, thread="grp_1", gathered=True),
            )
        )
        await store.commit(Plan(at=later(10), over=("alr_1",)))
        found = await states(store)
        gone = {name for name, state in found.items() if state == "superseded"}
        assert gone == {"dlv_waiting", "dlv_repeat", "dlv_silenced", "dlv_soon"}
        assert {state for name, state in found.items() if name not in gone} == {"pending"}
        superseded = await one(store, "dlv_waiting")
        assert superseded.finished_at == later(10)
        assert superseded.note == "it was over before it was due"

    async def test_the_plans_own_deliveries_are_left_alone(self, store: Store) -> None:
        await store.commit(plan_of(delivery("dlv_f", thread="alr_1", due_at=later(30))))
        ended = alert("alr_1", AlertState.RESOLVED, ends_at=later(5))
        new = delivery("dlv_r", thread="alr_1", created_at=later(5), due_at=later(60))
        await store.commit(Plan(at=later(5), alerts=(ended,), deliveries=(new,), over=("alr_1",)))
        assert await states(store) == {"dlv_f": "superseded", "dlv_r": "pending"}
        assert await due(store, now=later(60)) == ["dlv_r"]

    async def test_what_is_finished_stays_as_it_is(self, store: Store) -> None:
        await store.commit(plan_of(delivery("dlv_1", thread="alr_1", due_at=later(30))))
        await store.settle(settled(await one(store, "dlv_1"), DeliveryState.DEAD, at=later(1)))
        await store.commit(Plan(at=later(2), over=("alr_1",)))
        assert await states(store) == {"dlv_1": "dead"}

    async def test_thousands_end_at_once(self, store: Store) -> None:
        names = [str(n) for n in range(1203)]
        hour = later(3600)
        await commit_about(store, *(delivery(f"dlv_{n}", thread=f"alr_{n}", due_at=hour) for n in names))
        await store.commit(Plan(at=NOW, over=tuple(f"alr_{n}" for n in names[1:])))
        assert await store.count_deliveries() == {"pending": 1, "superseded": 1202}


class TestRelease:
    async def test_what_was_inhibited_is_looked_at_at_once(self, store: Store) -> None:
        hour, inhibited = later(3600), DeliveryState.INHIBITED
        await commit_about(
            store,
            delivery("dlv_own_1", thread="alr_1", state=inhibited, due_at=hour),
            delivery("dlv_gathered_1", thread="grp_1", state=inhibited, due_at=hour, gathered=True),
            delivery("dlv_silenced_1", thread="t", state=DeliveryState.SILENCED, due_at=hour),
            delivery("dlv_own_2", thread="alr_2", state=inhibited, due_at=hour),
        )
        assert await due(store) == []
        # What is decided only now is due like what was waiting.
        late = delivery("dlv_late", "evt_late", thread="u", state=inhibited, due_at=hour)
        told = event("evt_late", alert="alr_1")
        await store.commit(Plan(at=later(9), events=(told,), deliveries=(late,), released=("alr_1",)))
        found = [await one(store, name) for name in ("dlv_own_1", "dlv_gathered_1", "dlv_late")]
        assert {(each.state, each.due_at, each.finished_at) for each in found} == {
            (inhibited, later(9), None)
        }
        assert await due(store, now=later(8.9)) == []
        assert await due(store, now=later(9)) == ["dlv_own_1", "dlv_gathered_1", "dlv_late"]
        assert await store.next_due("soc", {each.seq for each in found}) == hour

    async def test_what_is_finished_stays_as_it_is(self, store: Store) -> None:
        over = delivery("dlv_1", thread="alr_1", state=DeliveryState.SUPERSEDED, finished_at=NOW)
        await commit_about(store, over)
        await store.commit(Plan(at=later(9), released=("alr_1",)))
        assert (await one(store, "dlv_1")).due_at == NOW


async def test_what_is_held_back_in_a_state_is_looked_at_again(store: Store) -> None:
    hour = later(3600)
    await store.commit(
        plan_of(
            delivery("dlv_silenced", state=DeliveryState.SILENCED, due_at=hour),
            delivery("dlv_elsewhere", state=DeliveryState.SILENCED, due_at=hour, channel="other"),
            delivery("dlv_over", state=DeliveryState.SILENCED, due_at=hour, finished_at=NOW),
            delivery("dlv_muted", state=DeliveryState.MUTED, due_at=hour),
            delivery("dlv_pending", due_at=hour),
        )
    )
    await store.look_again(DeliveryState.SILENCED, later(5))
    assert await due(store, now=later(5)) == ["dlv_silenced"]
    assert await due(store, "other", now=later(5)) == ["dlv_elsewhere"]
    # What was due already keeps its place.
    await store.look_again(DeliveryState.SILENCED, later(7))
    assert (await one(store, "dlv_silenced")).due_at == later(5)


class TestRewrite:
    async def waiting(self, store: Store) -> list[Delivery]:
        await store.commit(plan_of(*(delivery(f"dlv_{n}", thread="grp_1", gathered=True) for n in range(3))))
        return [await one(store, f"dlv_{n}") for n in range(3)]

    def merged(self, rows: list[Delivery]) -> Rewrite:
        into = delivery(
            "dlv_all",
            *(id for each in rows for id in each.events),
            thread="grp_1",
            reason=Reason.GROUP,
            group={"cluster": "prod"},
            more=7,
            part=2,
            parts=3,
        )
        done = (
            replace(each, state=DeliveryState.GROUPED, finished_at=later(1), merged_into=into.id)
            for each in rows
        )
        return Rewrite(tuple(done), (into,))

    async def test_many_are_told_by_one(self, store: Store) -> None:
        rows = await self.waiting(store)
        rewrite = self.merged(rows)
        await store.rewrite(rewrite)
        assert [await one(store, each.id) for each in rows] == list(rewrite.changed)
        (claim,) = await claims(store)
        assert claim.delivery == replace(rewrite.added[0], seq=claim.delivery.seq, ready_at=NOW)
        assert [told.id for told in claim.events] == ["dlv_0", "dlv_1", "dlv_2"]

    async def test_it_is_written_once(self, store: Store) -> None:
        """A lost answer to COMMIT: the engine would look again, and may ask for the same."""
        rows = await self.waiting(store)
        await store.rewrite(self.merged(rows))
        before = [await one(store, each) for each in await states(store)]
        await asyncio.gather(*(store.rewrite(self.merged(rows)) for _ in range(3)))
        assert [await one(store, each) for each in await states(store)] == before

    @pytest.mark.parametrize("place", [0, 1, 2])
    async def test_all_of_it_or_nothing(self, store: Store, place: int) -> None:
        rows = await self.waiting(store)
        await store.settle(settled(rows[place], DeliveryState.DEAD))
        before = await states(store)
        await store.rewrite(self.merged(rows))
        assert await states(store) == before
        assert set(before.values()) == {"pending", "dead"}

    async def test_not_of_what_is_gone(self, store: Store) -> None:
        rows = await self.waiting(store)
        await store.settle(settled(rows[0], at=NOW))
        assert await store.prune(Cut(later(1), later(1), later(1), later(1))) == 2
        await store.rewrite(self.merged(rows))
        assert await states(store) == {"dlv_1": "pending", "dlv_2": "pending"}

    async def test_one_that_comes_too_late_spoils_no_other(self, store: Store) -> None:
        rows = await self.waiting(store)
        alone = replace(rows[2], state=DeliveryState.MUTED, due_at=later(9), note="at night")
        first, late = self.merged(rows[:2]), Rewrite((replace(rows[0], due_at=later(99)),))
        await asyncio.gather(*map(store.rewrite, (first, late, Rewrite((alone,)))))
        assert await states(store) == {
            "dlv_0": "grouped",
            "dlv_1": "grouped",
            "dlv_2": "muted",
            "dlv_all": "pending",
        }

    async def test_holding_back_and_letting_go(self, store: Store) -> None:
        rows = await self.waiting(store)
        held = replace(rows[0], state=DeliveryState.MUTED, due_at=later(60), ready_at=later(60), note="night")
        await store.rewrite(Rewrite((held,)))
        assert await one(store, "dlv_0") == held
        assert await due(store) == ["dlv_1"]
        awake = replace(held, state=DeliveryState.PENDING, note=None)
        await store.rewrite(Rewrite((awake,)))
        assert await one(store, "dlv_0") == awake

    async def test_a_repeat_tells_what_still_fires(self, store: Store) -> None:
        repeat = delivery("dlv_1", "evt_1", "evt_2", thread="grp_1", reason=Reason.REPEAT)
        await store.commit(plan_of(repeat, delivery("dlv_2", "evt_3")))
        now_told = replace(await one(store, "dlv_1"), events=("evt_3", "evt_2"))
        await store.rewrite(Rewrite((now_told,)))
        (claim, _) = await claims(store)
        assert [told.id for told in claim.events] == ["evt_3", "evt_2"]
        # Pruning knows: what is no longer told by anything goes, the rest stays.
        await store.settle(settled(await one(store, "dlv_2")))
        assert await store.prune(Cut(later(1), later(1), later(1), later(1))) == 2
        assert set(await store.events(["evt_1", "evt_2", "evt_3"])) == {"evt_2", "evt_3"}

    async def test_of_thousands(self, store: Store) -> None:
        names = [f"dlv_{n:04}" for n in range(1203)]
        await store.commit(plan_of(*(delivery(name, thread="grp_1", gathered=True) for name in names)))
        (claim,) = await claims(store)
        assert claim.waiting is not None
        rows = list(claim.waiting.deliveries)
        assert [each.id for each in rows] == names
        await store.rewrite(self.merged(rows))
        assert await store.count_deliveries() == {"grouped": 1203, "pending": 1}
        (claim,) = await claims(store)
        assert [told.id for told in claim.events] == names

    async def test_nothing_is_nothing(self, store: Store) -> None:
        await store.rewrite(Rewrite())
        assert await states(store) == {}


class TestFollowUps:
    def repeat(self, name: str, at: datetime, **fields: object) -> Delivery:
        given = {"thread": "alr_1", "created_at": NOW, "due_at": at, "reason": Reason.REPEAT} | fields
        return delivery(name, "evt_1", **given)

    async def test_a_repeat_waits_after_what_was_sent(self, store: Store) -> None:
        await store.commit(plan_of(delivery("dlv_1", "evt_1", thread="alr_1")))
        (claim,) = await claims(store)
        repeat = self.repeat("dlv_again", later(3600))
        settlement = settled(claim.delivery, follow_ups=(repeat,), receipt={"ts": "1"})
        for _ in range(2):
            # The same attempt may come again.
            await store.settle(settlement)
        assert await states(store) == {"dlv_1": "delivered", "dlv_again": "pending"}
        (claim,) = await claims(store, now=later(3600))
        assert (claim.delivery.id, claim.previous) == ("dlv_again", {"ts": "1"})
        assert [told.id for told in claim.events] == ["evt_1"]

    async def test_of_each_thread_one_repeat_waits(self, store: Store) -> None:
        hour = later(3600)
        await store.commit(
            plan_of(
                delivery("dlv_1", "evt_1", thread="alr_1"),
                self.repeat("dlv_old", hour),
                self.repeat("dlv_tried", hour, attempts=1, state=DeliveryState.SILENCED),
                self.repeat("dlv_escalation", hour, reason=Reason.ESCALATION),
                self.repeat("dlv_elsewhere", hour, channel="other"),
                self.repeat("dlv_stranger", hour, thread="alr_2"),
            )
        )
        new = self.repeat("dlv_new", later(7200), created_at=later(5))
        await store.settle(settled(await one(store, "dlv_1"), follow_ups=(new,)))
        assert await states(store) == {
            "dlv_1": "delivered",
            "dlv_old": "superseded",
            "dlv_tried": "silenced",
            "dlv_escalation": "pending",
            "dlv_elsewhere": "pending",
            "dlv_stranger": "pending",
            "dlv_new": "pending",
        }
        old = await one(store, "dlv_old")
        assert (old.finished_at, old.note) == (later(5), "a later message was sent")

    async def test_a_digest_leaves_a_repeat_for_each_alert(self, store: Store) -> None:
        await store.commit(plan_of(delivery("dlv_1", "evt_1", "evt_2", thread="dgs_1")))
        (claim,) = await claims(store)
        both = tuple(self.repeat(f"dlv_{n}", later(60), thread=f"alr_{n}") for n in (8, 9))
        await store.settle(settled(claim.delivery, follow_ups=both))
        assert await due(store, now=later(60)) == ["dlv_8", "dlv_9"]
