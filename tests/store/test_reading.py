"""Listings, counts, and values that come back as they went in."""

from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from relay.model.alert import AlertState, Told
from relay.model.delivery import Attempt, ChannelHealth, DeliveryState, Outcome, Reason, TargetOutcome
from relay.model.event import Status, Subject, SubjectKind
from relay.model.observation import CursorMove
from relay.model.plan import Group, Plan, Rewrite
from relay.store import CursorMovedError, Deed, Filter, Settlement, Store
from relay.store.schema import Instant, Words
from tests.store.things import CLEAN, HELL, NOW, alert, claims, delivery, due, event, later, one, plan_of


async def test_thousands_of_ids_are_asked_for_at_once(store: Store) -> None:
    ids = [f"evt_{n}" for n in range(1203)]
    await store.commit(Plan(events=tuple(map(event, ids))))
    asked = {*ids[1:], *(f"unknown_{n}" for n in range(1203))}
    assert await store.known_events(asked) == set(ids[1:])
    assert set(await store.events(asked)) == set(ids[1:])
    assert await store.known_events([]) == set()


async def test_events_are_filtered_and_paged(store: Store) -> None:
    plan = Plan(
        events=(
            event("evt_0", type="a", cluster=None),
            event("evt_1", type="a", cluster="lab"),
            event("evt_2", type="b", status=Status.FIRING),
            event("evt_3", type="a"),
            event("evt_4", type="b"),
        ),
        unrouted=frozenset({"evt_1", "evt_4"}),
    )
    await store.commit(plan)

    async def names(wanted: Filter) -> list[str]:
        return [told.id for _, _, told in await store.list_events(wanted)]

    assert await names(Filter()) == ["evt_4", "evt_3", "evt_2", "evt_1", "evt_0"]
    assert await names(Filter(type="a", cluster="lab")) == ["evt_1"]
    assert await names(Filter(status="firing")) == ["evt_2"]
    assert await names(Filter(unrouted=True)) == ["evt_4", "evt_1"]
    assert await names(Filter(type="a", limit=2)) == ["evt_3", "evt_1"]
    page = await store.list_events(Filter(limit=2))
    assert [routed for _, routed, _ in page] == [False, True]
    assert await names(Filter(limit=2, before=page[-1][0])) == ["evt_2", "evt_1"]
    assert await store.count_unrouted() == 2


async def test_deliveries_are_filtered_and_paged(store: Store) -> None:
    await store.commit(plan_of(*(delivery(f"dlv_{n}", channel="ab"[n % 2]) for n in range(6))))
    await store.know_channels(["a"], NOW)

    async def names(wanted: Filter) -> list[str]:
        return [each.id for each in await store.list_deliveries(wanted)]

    assert await names(Filter(limit=2)) == ["dlv_5", "dlv_4"]
    assert await names(Filter(channel="b")) == ["dlv_5", "dlv_3", "dlv_1"]
    assert await names(Filter(channel="a", state="held")) == []
    assert await names(Filter(state="held", limit=1)) == ["dlv_5"]
    assert await names(Filter(before=(await one(store, "dlv_2")).seq)) == ["dlv_1", "dlv_0"]


async def test_alerts_are_filtered_the_latest_first(store: Store) -> None:
    gone = alert("alr_gone", AlertState.RESOLVED, starts_at=later(2), ends_at=later(5))
    pending = alert("alr_new", AlertState.PENDING, starts_at=later(1), cluster="lab")
    firing = alert("alr_old", type="replica.missing", told=(Told("all", "soc", NOW, True),))
    await store.commit(Plan(alerts=(firing, gone, pending)))
    assert await store.list_alerts(Filter()) == [gone, pending, firing]
    assert await store.list_alerts(Filter(state="resolved")) == [gone]
    assert await store.list_alerts(Filter(cluster="lab")) == [pending]
    assert await store.list_alerts(Filter(type="replica.missing")) == [firing]
    assert await store.list_alerts(Filter(limit=1)) == [gone]
    assert {each.id for each in await store.open_alerts()} == {"alr_new", "alr_old"}


async def test_a_delivery_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    names = ["dlv_aa1", "dlv_aa2", "dlv_ab", "dlv_AA3", "dlv%x"]
    await store.commit(plan_of(*map(delivery, names)))

    async def found(prefix: str) -> list[str]:
        return [each.id for each in await store.find_deliveries(prefix)]

    assert await found("dlv_aa") == ["dlv_aa1", "dlv_aa2"]
    assert await found("dlv_ab") == ["dlv_ab"]
    assert await found("dlv%") == ["dlv%x"]
    assert await found("%") == []
    assert len(await found("dlv")) == 3
    assert await found(HELL) == []


@pytest.mark.parametrize(
    ("write", "find"),
    [
        (lambda ids: Plan(alerts=tuple(alert(id) for id in ids)), Store.find_alerts),
        (lambda ids: Plan(events=tuple(event(id) for id in ids)), Store.find_events),
    ],
    ids=["alerts", "events"],
)
async def test_alerts_and_events_are_found_by_the_beginning_of_their_ids(
    store: Store, write: Callable[[list[str]], Plan], find: Callable[[Store, str], Awaitable[list[Any]]]
) -> None:
    await store.commit(write(["x_aa1", "x_aa2", "x_ab", "x_AA3", "x%y", f"x_{HELL}"]))

    async def found(prefix: str) -> list[str]:
        return [each.id for each in await find(store, prefix)]

    assert await found("x_aa") == ["x_aa1", "x_aa2"]
    assert await found("x_ab") == ["x_ab"]
    assert await found("x%") == ["x%y"]
    assert await found("%") == []
    assert await found("y") == []
    assert len(await found("x")) == 3
    assert len(await found("")) == 3
    assert len(await found(f"x_{HELL}")) == 1
    assert len(await found(f"x_{HELL}"[:4])) == 1
    assert await found(HELL) == []


async def test_what_is_found_is_whole(store: Store) -> None:
    told = (Told("all", "soc", NOW, True, "grp_1"), Told("all", "ops", later(5), False))
    gone = alert(
        "alr_1", AlertState.RESOLVED, ends_at=later(9), told=told, last_event="evt_1", inhibited=True
    )
    await store.commit(Plan(alerts=(gone,), events=(event("evt_1", labels={"team": "a"}),)))
    assert await store.find_alerts("alr_1") == [gone]
    assert await store.find_events("evt_1") == [event("evt_1", labels={"team": "a"})]


WHOLE = delivery(
    "dlv_1",
    "evt_1",
    "evt_2",
    channel="ops",
    rule="night",
    thread="grp_1",
    created_at=later(1),
    due_at=later(2),
    state=DeliveryState.MUTED,
    template="own",
    attempts=3,
    settled=("a@x", "b@x"),
    delivered_to=("a@x",),
    receipt={"ts": "1.2", "deep": [None, {"a": 1}]},
    replay_of="dlv_0",
    last_error="busy",
    ready_at=later(3),
    finished_at=later(4),
    reason=Reason.ESCALATION,
    gathered=True,
    group={"cluster": "prod", "labels.team": ""},
    more=12,
    part=2,
    parts=3,
    merged_into="dlv_9",
    note="at night",
)


async def test_a_delivery_comes_back_whole(store: Store) -> None:
    plain = delivery("dlv_2")
    await store.commit(plan_of(WHOLE, plain))
    ours, other = await one(store, "dlv_1"), await one(store, "dlv_2")
    assert ours == replace(WHOLE, seq=ours.seq)
    assert other == replace(plain, seq=other.seq, ready_at=plain.due_at)
    # Nothing of it was left at what it is by default.
    defaults = {each.name: each.default for each in fields(WHOLE)}
    assert [name for name, default in defaults.items() if getattr(ours, name) == default] == []


async def test_every_state_and_reason_comes_back(store: Store) -> None:
    every = [delivery(f"dlv_{state}", state=state, finished_at=NOW) for state in DeliveryState]
    every += [delivery(f"dlv_{reason}", reason=reason) for reason in Reason]
    await store.commit(plan_of(*every))
    for each in every:
        kept = await one(store, each.id)
        assert (kept.state, kept.reason) == (each.state, each.reason)
        assert (type(kept.state), type(kept.reason)) == (DeliveryState, Reason)


async def test_reviewing_from_hell(store: Store) -> None:
    sent = delivery("dlv_1", thread=HELL, group={HELL: HELL}, note=HELL, merged_into=HELL)
    await store.commit(replace(plan_of(sent), groups=(Group(HELL, HELL, NOW, later(5)),)))
    (claim,) = await claims(store)
    kept = claim.delivery
    assert (kept.thread, kept.group, kept.note, kept.merged_into) == (CLEAN, {CLEAN: CLEAN}, CLEAN, CLEAN)
    await store.rewrite(Rewrite((replace(kept, note=f"{HELL}{HELL}", merged_into=HELL),)))
    assert (await one(store, "dlv_1")).note == CLEAN * 2
    assert await store.groups(NOW) == [Group(CLEAN, CLEAN, NOW, later(5))]
    await store.commit(Plan(at=later(9), over=(HELL,), released=(HELL,)))


async def test_text_from_hell_is_kept(store: Store) -> None:
    big = "\U0001f525" * 250_000
    bad = event(
        "evt_1",
        cluster=HELL,
        subject=Subject(SubjectKind.REPOSITORY, HELL, gun=HELL),
        summary=HELL,
        labels={HELL: HELL},
        details={"deep": [{"text": HELL}], "big": big},
    )
    firing = alert("alr_1", summary=HELL, fingerprint=HELL, details={"x": HELL})
    sent = delivery("dlv_1", "evt_1", rule=HELL, channel=HELL, template=HELL)
    cursor = CursorMove(HELL, None, HELL)
    await store.commit(Plan(events=(bad,), alerts=(firing,), deliveries=(sent,), cursor=cursor))
    kept = (await store.events(["evt_1"]))["evt_1"]
    assert kept == replace(
        bad,
        cluster=CLEAN,
        subject=Subject(SubjectKind.REPOSITORY, CLEAN, gun=CLEAN),
        summary=CLEAN,
        labels={CLEAN: CLEAN},
        details={"deep": [{"text": CLEAN}], "big": big},
    )
    (found,) = await store.open_alerts()
    assert (found.summary, found.details) == (CLEAN, {"x": CLEAN})
    assert await store.cursor(HELL) == CLEAN
    await store.commit(Plan(cursor=CursorMove(HELL, HELL, "next")))
    assert await store.cursor(CLEAN) == "next"

    (claim,) = await claims(store, HELL)
    assert claim.delivery.channel == CLEAN
    target = TargetOutcome(HELL, Outcome.REJECTED, 550, HELL)
    tried = Attempt("dlv_1", 1, NOW, 1.0, Outcome.REJECTED, 500, HELL, HELL + big, (target,), HELL)
    after = replace(
        claim.delivery,
        state=DeliveryState.DEAD,
        finished_at=NOW,
        attempts=1,
        settled=(HELL,),
        receipt={"ts": HELL},
        last_error=HELL,
    )
    await store.settle(Settlement(after, tried))
    (attempt,) = await store.list_attempts("dlv_1")
    assert (attempt.error, attempt.answer, attempt.body) == (CLEAN, CLEAN + big, CLEAN)
    assert attempt.targets == (TargetOutcome(CLEAN, Outcome.REJECTED, 550, CLEAN),)
    dead = await one(store, "dlv_1")
    assert (dead.settled, dead.receipt, dead.last_error) == ((CLEAN,), {"ts": CLEAN}, CLEAN)

    await store.record(Deed(NOW, HELL, HELL, HELL, HELL))
    assert (await store.list_deeds())[0]["note"] == CLEAN
    await store.save_health(ChannelHealth(HELL, reason=HELL))
    assert (await store.healths())[CLEAN].reason == CLEAN
    assert await store.list_events(Filter(type=HELL, cluster="\0")) == []
    assert len(await store.list_events(Filter(cluster=HELL))) == 1


async def test_a_harmless_text_that_looks_like_an_escape_stays(store: Store) -> None:
    written = event("evt_1", summary="a literal \\u0000 stays")
    await store.commit(Plan(events=(written,)))
    assert await store.events(["evt_1"]) == {"evt_1": written}


async def test_times_come_back_to_the_microsecond(store: Store) -> None:
    east = datetime(2026, 11, 24, 2, 0, 0, 999999, tzinfo=timezone(timedelta(hours=5)))
    await store.commit(plan_of(delivery("dlv_1", due_at=east, created_at=datetime.max.replace(tzinfo=UTC))))
    kept = await one(store, "dlv_1")
    assert kept.due_at == east
    assert kept.due_at.tzinfo is UTC
    assert kept.created_at == datetime.max.replace(tzinfo=UTC)
    assert await due(store, now=east - timedelta(microseconds=1)) == []
    assert await due(store, now=east) == ["dlv_1"]


FROM, TO = datetime(1900, 1, 1), datetime(2200, 1, 1)  # noqa: DTZ001
HERE = st.datetimes(FROM, TO, timezones=st.just(UTC))
# Times that a clock change skips are none.
ANYWHERE = st.datetimes(FROM, TO, timezones=st.timezones(), allow_imaginary=False)


@given(HERE, ANYWHERE)
def test_instants_round_trip_and_sort_alike(one: datetime, other: datetime) -> None:
    instant, dialect = Instant(), sqlite.dialect()
    first, second = (instant.process_bind_param(each, dialect) for each in (one, other))
    assert first is not None
    assert second is not None
    there = other.astimezone(UTC)
    assert instant.process_result_value(first, dialect) == one
    assert instant.process_result_value(second, dialect) == there
    assert (first < second) is (one < there)


@given(st.text(alphabet=st.characters(codec=None)))
def test_words_can_be_encoded_and_are_stable(text: str) -> None:
    words, dialect = Words(), sqlite.dialect()
    kept = words.process_bind_param(text, dialect)
    assert kept is not None
    assert "\0" not in kept
    assert kept.encode().decode() == kept
    assert words.process_bind_param(kept, dialect) == kept


async def test_alerts_that_ended_lately_come_in_the_order_of_their_ends(store: Store) -> None:
    ends = {"alr_1": later(30), "alr_2": later(9.999999), "alr_3": later(10), "alr_4": later(20)}
    ended = [alert(name, AlertState.RESOLVED, ends_at=at, changes=(NOW, at)) for name, at in ends.items()]
    await store.commit(Plan(alerts=(*ended, alert("alr_5"), alert("alr_6", AlertState.PENDING))))
    found = await store.recent_alerts(later(10))
    assert [each.id for each in found] == ["alr_3", "alr_4", "alr_1"]
    assert found[0] == ended[2]


async def test_what_was_seen_since_comes_in_pages_and_without_the_relays_own(store: Store) -> None:
    events = [event(f"evt_{n}", seen_at=later(n // 3)) for n in range(9)]
    events.append(event("own", seen_at=later(5), cluster=None))
    await store.commit(Plan(events=tuple(reversed(events))))
    found, after = list[str](), None
    while page := await store.seen_since(later(1), after, 2):
        assert len(page) <= 2
        found += [told.id for _, told in page]
        after = page[-1][1].seen_at, page[-1][0]
    assert sorted(found) == [f"evt_{n}" for n in range(3, 9)]
    assert found[0] in {"evt_3", "evt_4", "evt_5"}, "the earliest first"


async def test_a_sign_of_life_and_what_it_wipes_out_are_written_together(store: Store) -> None:
    assert await store.last_beat() is None
    await store.beat(NOW)
    await store.probe(later(50))
    assert await store.last_beat() == NOW, "a probe is no sign of life"
    await store.beat(later(60), CursorMove("relay/absence", None, "one"))
    with pytest.raises(CursorMovedError):
        await store.beat(later(120), CursorMove("relay/absence", None, "two"))
    assert await store.last_beat() == later(60)
    assert await store.cursor("relay/absence") == "one"


@pytest.mark.parametrize(("written", "read"), [("nonsense", None), ("2026-11-23T21:00:00", 21)])
async def test_a_sign_of_life_that_cannot_be_read_is_none(
    store: Store, written: str, read: int | None
) -> None:
    await store.commit(Plan(cursor=CursorMove("relay/alive", None, written)))
    found = await store.last_beat()
    assert (found and found.hour) == read


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (2**63 - 1, datetime.max.replace(tzinfo=UTC)),
        (-(2**63), datetime.min.replace(tzinfo=UTC)),
        (253402351199000000, datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_time_beyond_the_calendar_can_be_read(stored: int, told: datetime) -> None:
    assert Instant().process_result_value(stored, sqlite.dialect()) == told
