"""What people look at: filters, pages, searches, and that each ends after a bounded number of rows."""

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from relay.model.alert import AlertState
from relay.model.delivery import DeliveryState
from relay.model.event import Event, Status, Subject, SubjectKind
from relay.model.plan import Plan
from relay.model.severity import Severity
from relay.store import (
    AlertQuery,
    Count,
    Deed,
    DeedQuery,
    DeliveryQuery,
    EventQuery,
    Page,
    RepositoryQuery,
    Store,
    Stretch,
    writes,
)
from relay.store.database import connect, parse_url
from relay.store.views import happenings, outbox, paging, proofs, repositories, statistics
from tests.store.test_plans import plans_of
from tests.store.things import CLEAN, HELL, NOW, alert, claims, delivery, event, later, plan_of, settled


def about(repository: str, **fields: Any) -> dict[str, Any]:
    return {"subject": Subject(SubjectKind.REPOSITORY, repository), **fields}


EVENTS = (
    event("evt_0", type="trust.deleted", cluster=None, seen_at=NOW),
    event("evt_1", type="trust.updated", severity=Severity.INFO, seen_at=later(1), **about("prod/other")),
    event("evt_2", type="cluster.issue", status=Status.FIRING, alert="alr_1", seen_at=later(2)),
    event("evt_3", type="trust.updated", severity=Severity.WARNING, cluster="lab", seen_at=later(3)),
    event("evt_4", type="cluster.issue", status=Status.RESOLVED, alert="alr_1", seen_at=later(7200)),
)
PLAN = Plan(events=EVENTS, unrouted=frozenset({"evt_1", "evt_4"}))


async def events(store: Store, **given: Any) -> list[str]:
    page = await store.views.events(EventQuery(**given))
    assert not page.cut
    return [each.event.id for each in page.rows]


async def walk(ask: Callable[[Any], Awaitable[Page[Any, Any]]]) -> list[Any]:
    """All rows, page by page."""
    found: list[Any] = []
    page = await ask(None)
    while True:
        found += page.rows
        if page.next is None:
            return found
        page = await ask(page.next)


async def test_events_are_filtered(store: Store) -> None:
    await store.commit(PLAN)
    for given, wanted in (
        ({}, "43210"),
        ({"type": "trust.updated"}, "31"),
        ({"type": "trust.*"}, "310"),
        ({"type": "*.?ssue"}, "42"),
        ({"type": "gone.*"}, ""),
        ({"type": "trust.*", "cluster": "prod"}, "1"),
        ({"cluster": "prod"}, "421"),
        ({"severity": Severity.WARNING}, "4320"),
        ({"severity": Severity.ERROR, "cluster": "prod"}, "42"),
        ({"status": Status.RESOLVED}, "4"),
        ({"subject": "prod/other"}, "1"),
        ({"subject": "prod/oth"}, ""),
        ({"alert": "alr_1"}, "42"),
        ({"alert": "alr_1", "routed": True}, "2"),
        ({"routed": False}, "41"),
        ({"routed": False, "type": "cluster.*", "cluster": "prod"}, "4"),
        ({"routed": True}, "320"),
        ({"since": later(2)}, "432"),
        ({"until": later(2)}, "10"),
        ({"since": later(1), "until": later(7200)}, "321"),
        ({"since": later(1), "until": later(7201), "type": "cluster.*"}, "42"),
        ({"limit": 2}, "43"),
    ):
        assert await events(store, **given) == [f"evt_{n}" for n in wanted], given


async def test_an_event_by_its_id(store: Store) -> None:
    await store.commit(PLAN)
    found = await store.views.event("evt_1")
    assert found is not None
    assert (found.event, found.routed) == (EVENTS[1], False)
    assert await store.views.event("evt_") is None


@pytest.mark.parametrize(
    "given", [{}, {"type": "*"}, {"severity": Severity.INFO}, {"search": "deleted"}, {"search": "gelöscht"}]
)
async def test_pages_of_events_leave_nothing_out(given: dict[str, Any], store: Store) -> None:
    many = [event(f"evt_{n}", type=f"type.{n % 7}", summary=f"deleted, GELÖSCHT {n}") for n in range(23)]
    await store.commit(Plan(events=tuple(many)))

    async def ask(before: Any) -> Page[Any, Any]:
        page = await store.views.events(EventQuery(**given, before=before, limit=5))
        assert len(page.rows) == 5 or page.next is None
        return page

    assert [each.event for each in await walk(ask)] == many[::-1]


TEXTS: list[tuple[str, Callable[[Event], Event]]] = [
    ("trust of PROD", lambda one: replace(one, summary="The Trust of prod is gone")),
    ("od/ap", lambda one: replace(one, subject=Subject(SubjectKind.REPOSITORY, "prod/app"))),
    ("st.Del", lambda one: replace(one, type="trust.deleted")),
    ("VT_77", lambda one: replace(one, id="evt_77")),
    ("100%_\\", lambda one: replace(one, summary="it is 100%_\\ full")),
    ('say "hi"\n', lambda one: replace(one, summary='they say "hi"\n and go')),
    ("äöü", lambda one: replace(one, summary="x ÄÖÜ y")),
    ("\U0001f525", lambda one: replace(one, summary="a \U0001f525 burns")),
]


@pytest.mark.parametrize(("wanted", "has"), TEXTS, ids=[ascii(text) for text, _ in TEXTS])
async def test_texts_are_searched(wanted: str, has: Callable[[Event], Event], store: Store) -> None:
    plain = event("evt_1", type="a", summary="100x_/ says hi; abc", **about("a/b"), labels={"x": wanted})
    await store.commit(Plan(events=(plain, has(replace(plain, id="evt_2")))))
    found = await store.views.events(EventQuery(search=wanted))
    assert [each.seq for each in found.rows] == [2]


async def test_words_from_hell_are_searched(store: Store) -> None:
    await store.commit(Plan(events=(event("evt_1", summary=HELL), event("evt_2"))))
    for wanted in (CLEAN, HELL, "\0", "\ud800"):
        assert await events(store, search=wanted) == ["evt_1"]
    assert await events(store, subject=HELL) == []
    assert await events(store, type=HELL, cluster=HELL) == []


async def test_a_search_ends_where_it_has_looked_through_much(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.store.views.happenings.MOST_SEARCHED", 10)
    many = [event(f"evt_{n:02}", summary="needle" if n in (3, 12, 13) else "hay") for n in range(25)]
    await store.commit(Plan(events=tuple(many)))
    pages = [await store.views.events(EventQuery(search="needle"))]
    while pages[-1].next is not None:
        pages.append(await store.views.events(EventQuery(search="needle", before=pages[-1].next)))
    assert [[each.event.id for each in page.rows] for page in pages] == [[], ["evt_13", "evt_12"], ["evt_03"]]
    assert [page.cut for page in pages] == [True, True, False]


@pytest.mark.parametrize("first", [1, 4, 9])
async def test_looking_first_at_a_few_rows_makes_no_difference(
    first: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "_FIRST_LOOK", first)
    monkeypatch.setattr("relay.store.views.happenings.MOST_SCANNED", 10)
    rare = {"evt_02", "evt_11", "evt_12", "evt_17", "evt_23"}
    many = [event(f"evt_{n:02}") for n in range(25)]
    status = [replace(each, status=Status.FIRING) if each.id in rare else each for each in many]
    await store.commit(Plan(events=tuple(status)))

    async def page(before: int | None, limit: int) -> Page[Any, int]:
        return await store.views.events(EventQuery(status=Status.FIRING, before=before, limit=limit))

    for limit in (1, 2, 50):
        found = await walk(lambda before, limit=limit: page(before, limit))
        assert [each.event.id for each in found] == sorted(rare, reverse=True)
    # Ten rows are looked at in all, however they are looked at.
    assert (await page(None, 50)).next == 16
    assert (await page(None, 50)).cut


async def test_what_was_stored_late_is_found_by_its_time(store: Store) -> None:
    """An event may wait until it has been examined, and clocks go back."""
    late = paging.LATE.total_seconds()
    await store.commit(Plan(events=tuple(event(f"evt_{n}", seen_at=later(n * 60)) for n in range(100))))
    await store.commit(Plan(events=(event("evt_late", seen_at=later(99 * 60 - late)),)))
    assert await events(store, since=later(99 * 60 - late), until=later(99 * 60 - late + 1)) == [
        "evt_late",
        "evt_39",
    ]
    assert await events(store, since=later(98 * 60)) == ["evt_99", "evt_98"]
    assert await events(store, since=later(100 * 60)) == []
    assert await events(store, until=NOW) == []


@pytest.mark.parametrize("ends", [("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00")])
async def test_the_ends_of_all_time_are_times_too(store: Store, ends: tuple[str, str]) -> None:
    await store.commit(Plan(at=NOW, events=(event("evt_1"),)))
    since, until = map(datetime.fromisoformat, ends)
    assert await events(store, since=since, until=until) == ["evt_1"]


async def test_what_is_outside_of_a_time_is_not_looked_at(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.store.views.happenings.MOST_SCANNED", 10)
    late = paging.LATE.total_seconds()
    await store.commit(Plan(events=tuple(event(f"evt_{n}", seen_at=later(n * late)) for n in range(100))))
    assert await events(store, since=later(20 * late), until=later(22 * late)) == ["evt_21", "evt_20"]


ALERTS = (
    alert("alr_a", type="replica.missing", starts_at=NOW, severity=Severity.CRITICAL),
    alert("alr_b", AlertState.PENDING, starts_at=later(1), cluster="lab"),
    alert("alr_c", AlertState.RESOLVED, starts_at=later(1), ends_at=later(5), summary="Ünusual"),
    alert("alr_d", AlertState.RESOLVED, starts_at=later(2), ends_at=later(9), type="replica.slow"),
)


async def test_alerts_are_filtered(store: Store) -> None:
    await store.commit(Plan(alerts=ALERTS))
    for given, wanted in (
        ({}, "dbca"),
        ({"open": True}, "ba"),
        ({"open": False}, "dc"),
        ({"state": AlertState.PENDING}, "b"),
        ({"type": "replica.*"}, "da"),
        ({"type": "replica.slow"}, "d"),
        ({"type": "replica"}, ""),
        ({"cluster": "lab"}, "b"),
        ({"severity": Severity.ERROR}, "a"),
        ({"since": later(1), "until": later(2)}, "bc"),
        ({"search": "TABLE_avail"}, "dbca"),
        ({"search": "ünus"}, "c"),
        ({"search": "ünusX"}, ""),
        ({"search": "lr_d"}, "d"),
    ):
        page = await store.views.alerts(AlertQuery(**given))  # type: ignore[arg-type]
        assert [each.id for each in page.rows] == [f"alr_{n}" for n in wanted], given
        assert page.next is None
    assert await store.views.alert("alr_b") == ALERTS[1]
    assert await store.views.alert("alr_") is None


@pytest.mark.parametrize("most", [2, 100])
@pytest.mark.parametrize("given", [{}, {"cluster": "prod"}, {"search": "an issue"}, {"search": "Ä issue"}])
async def test_pages_of_alerts_leave_nothing_out(
    given: dict[str, Any], most: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MOST_SEARCHED", "MOST_SCANNED"):
        monkeypatch.setattr(f"relay.store.views.happenings.{name}", most)
    many = [alert(f"alr_{n}", starts_at=later(n // 3), summary="An issue, Ä ISSUE") for n in range(9)]
    await store.commit(Plan(alerts=tuple(many)))
    wanted = sorted(many, key=lambda each: (-each.starts_at.timestamp(), each.id))
    assert wanted == await walk(
        lambda before: store.views.alerts(AlertQuery(**given, before=before, limit=2))
    )


async def fill_outbox(store: Store) -> None:
    """Six deliveries: dlv_0, 2, 4 to a; dlv_1, 3, 5 to b; of which some are finished."""
    told = [
        delivery(f"dlv_{n}", f"evt_{n}", channel="ab"[n % 2], created_at=later(n), rule="xy"[n // 3])
        for n in range(6)
    ]
    ends = (event("evt_0", alert="alr_1"), event("evt_3", alert="alr_1"))
    await store.commit(
        Plan(events=(*ends, *(event(f"evt_{n}") for n in (1, 2, 4, 5))), deliveries=tuple(told))
    )
    state = {"dlv_0": DeliveryState.DEAD, "dlv_2": DeliveryState.DELIVERED, "dlv_3": DeliveryState.PARTIAL}
    for channel in "ab":
        for claim in await claims(store, channel, now=later(10)):
            if claim.delivery.id in state:
                await store.settle(settled(claim.delivery, state[claim.delivery.id], later(10)))
    replays = [
        delivery(name, "evt_0", channel="a", replay_of="dlv_0", created_at=later(20), thread="alr_1")
        for name in ("dlv_6", "dlv_7")
    ]
    await store.add_replays([(each, Deed(later(20), "ann", "replay", "dlv_0", each.id)) for each in replays])


async def test_deliveries_are_filtered(store: Store) -> None:
    await fill_outbox(store)
    dead, sent, part = DeliveryState.DEAD, DeliveryState.DELIVERED, DeliveryState.PARTIAL
    for given, wanted in (
        ({}, "76543210"),
        ({"channel": "a"}, "76420"),
        ({"channel": "b", "states": [part, sent]}, "3"),
        ({"states": [dead]}, "0"),
        ({"states": [dead, sent, part, dead]}, "320"),
        ({"states": []}, ""),
        ({"channel": "a", "states": []}, ""),
        ({"rule": "y"}, "543"),
        ({"channel": "b", "rule": "y"}, "53"),
        ({"event": "evt_0"}, "760"),
        ({"event": "evt_0", "states": [dead]}, "0"),
        ({"alert": "alr_1"}, "7630"),
        ({"alert": "alr_1", "channel": "b"}, "3"),
        ({"alert": "alr_1", "event": "evt_3"}, "3"),
        ({"alert": "alr_1", "since": later(3)}, "763"),
        ({"replay_of": "dlv_0"}, "76"),
        ({"replay_of": "dlv_0", "channel": "b"}, ""),
        ({"since": later(2), "until": later(4)}, "32"),
        ({"since": later(2), "until": later(5), "channel": "a"}, "42"),
        ({"event": "evt_9"}, ""),
    ):
        page = await store.views.deliveries(DeliveryQuery(**given))  # type: ignore[arg-type]
        assert [each.id for each in page.rows] == [f"dlv_{n}" for n in wanted], given
        assert page.next is None
        assert not page.cut


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"channel": "soc"},
        {"states": list(DeliveryState)},
        {"rule": "all"},
        {"alert": "alr_1"},
        {"channel": "soc", "rule": "all"},
    ],
    ids=str,
)
@pytest.mark.parametrize("most", [3, 100])
async def test_pages_of_deliveries_leave_nothing_out(
    given: dict[str, Any], most: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.store.views.outbox.MOST_SCANNED", most)
    monkeypatch.setattr("relay.store.views.outbox._MOST_ABOUT", most)
    told = [event(f"evt_{n}", alert="alr_1") for n in range(11)]
    many = [
        delivery(f"dlv_{n}", f"evt_{n}", state=list(DeliveryState)[n], finished_at=NOW) for n in range(11)
    ]
    await store.commit(Plan(events=tuple(told), deliveries=tuple(many)))
    found = await walk(lambda before: store.views.deliveries(DeliveryQuery(**given, before=before, limit=2)))
    assert [each.id for each in found] == [f"dlv_{n}" for n in reversed(range(11))]


async def test_a_delivery_with_all_that_belongs_to_it(store: Store) -> None:
    await fill_outbox(store)
    found = await store.views.delivery("dlv_0")
    assert found is not None
    assert [each.id for each in found.events] == ["evt_0"]
    assert [each.number for each in found.attempts] == [1]
    assert [each.id for each in found.replays] == ["dlv_7", "dlv_6"]
    assert (found.original, found.into, found.merged) == (None, None, ())
    again = await store.views.delivery("dlv_6")
    assert again is not None
    assert again.original == found.delivery
    assert again.attempts == ()
    assert await store.views.delivery("dlv_") is None


async def test_what_is_told_in_another(store: Store) -> None:
    whole = delivery("dlv_2", "evt_0", "evt_1")
    gone = [
        delivery(f"dlv_{n}", f"evt_{n}", state=DeliveryState.GROUPED, finished_at=NOW, merged_into="dlv_2")
        for n in range(2)
    ]
    await store.commit(plan_of(*gone, whole))
    found, one = await store.views.delivery("dlv_2"), await store.views.delivery("dlv_1")
    assert found is not None
    assert one is not None
    assert [each.id for each in found.merged] == ["dlv_1", "dlv_0"]
    assert one.into == found.delivery
    page = await store.views.deliveries(DeliveryQuery(merged_into="dlv_2", limit=1))
    assert [each.id for each in page.rows] == ["dlv_1"]


async def test_states_are_counted_up_to_a_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill_outbox(store)
    found = {
        state: (count.number, count.more) for state, count in (await store.views.count_states("a")).items()
    }
    assert found == {"pending": (3, False), "dead": (1, False), "delivered": (1, False)}
    monkeypatch.setattr(outbox, "COUNTED", 2)
    assert (await store.views.count_states("a"))["pending"] == Count(2, more=True)
    assert (await store.views.count_states())["partial"].number == 1
    assert await store.views.count_states("gone") == {}


async def test_a_long_look_holds_up_neither_reads_nor_writes(store: Store) -> None:
    """They have threads of their own."""
    let_go = threading.Event()
    looking = store._viewer.submit(let_go.wait)
    try:
        async with asyncio.timeout(60):
            await store.commit(Plan(at=NOW, events=(event("evt_1"),)))
            assert await store.newest_event() == 1
        assert not looking.done()
    finally:
        let_go.set()
    assert [each.event.id for each in (await store.views.events(EventQuery())).rows] == ["evt_1"]


async def test_a_closed_store_says_so_to_who_looks(store: Store) -> None:
    assert await store.views.events(EventQuery()) == Page(())
    store.close()
    with pytest.raises(Exception, match="store: closed"):
        await store.views.events(EventQuery())


LED: list[tuple[str, Callable[[Connection], Any]]] = [
    ("events", lambda c: happenings.list_events(c, EventQuery())),
    ("of a type", lambda c: happenings.list_events(c, EventQuery(type="trust.*"))),
    ("of a cluster", lambda c: happenings.list_events(c, EventQuery(cluster="prod"))),
    ("of an alert", lambda c: happenings.list_events(c, EventQuery(alert="alr_1"))),
    ("unrouted", lambda c: happenings.list_events(c, EventQuery(routed=False))),
    ("of a time", lambda c: happenings.list_events(c, EventQuery(since=NOW, until=later(9)))),
    ("open alerts", lambda c: happenings.list_alerts(c, AlertQuery(open=True))),
    ("deliveries", lambda c: outbox.list_deliveries(c, DeliveryQuery())),
    ("of a channel", lambda c: outbox.list_deliveries(c, DeliveryQuery(channel="soc"))),
    ("dead", lambda c: outbox.list_deliveries(c, DeliveryQuery(states=[DeliveryState.DEAD]))),
    ("of an event", lambda c: outbox.list_deliveries(c, DeliveryQuery(event="evt_1"))),
    ("repeats", lambda c: outbox.list_deliveries(c, DeliveryQuery(replay_of="dlv_1"))),
    ("told in another", lambda c: outbox.list_deliveries(c, DeliveryQuery(merged_into="dlv_1"))),
    ("to be replayed", lambda c: outbox.replayable(c, DeliveryQuery(states=[DeliveryState.DEAD]), 0, 9)),
    ("counts", lambda c: outbox.count_states(c, "soc")),
    ("what waits", lambda c: statistics.backlogs(c, ["soc"], NOW)),
    ("what finished", lambda c: statistics.statistics(c, NOW, timedelta(minutes=1), 60)),
    ("evidence of a repository", lambda c: proofs.list_evidence(c, Stretch(subject="prod/app"), 9)),
    ("deeds", lambda c: proofs.list_deeds(c, DeedQuery())),
    ("repositories", lambda c: repositories.list_repositories(c, RepositoryQuery(cluster="prod"))),
]


@pytest.mark.parametrize(("name", "look"), LED, ids=[name for name, _ in LED])
def test_an_index_leads_to_it(name: str, look: Callable[[Connection], Any], sqlite_url: str) -> None:
    Store(sqlite_url).close()
    engine = connect(parse_url(sqlite_url), writing=True)
    with engine.begin() as connection:
        writes.commit_plans(connection, [plan_of(delivery("dlv_1", "evt_1"))])
        plans = plans_of(connection, look)
    engine.dispose()
    assert plans
    read = [step for step in plans if re.match(r"SCAN (?!\(subquery|anon_|CONSTANT)", step)]
    assert [step for step in read if step not in WALKS.get(name, [])] == []


WALKS = {
    "events": ["SCAN events"],
    "deliveries": ["SCAN deliveries"],
    "deeds": ["SCAN journal"],
    "unrouted": [
        "SCAN events USING COVERING INDEX events_unrouted",
        "SCAN events USING INDEX events_unrouted",
    ],
    "open alerts": ["SCAN alerts USING INDEX alerts_open"],
}
"""What is read from one end, and only as far as the page goes, or is all wanted."""
