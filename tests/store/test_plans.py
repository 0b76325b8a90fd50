"""The hot statements go by index, however many rows there are: read off SQLite's own plans, not a clock."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, event

from relay.model.alert import AlertState
from relay.model.delivery import DeliveryState
from relay.model.plan import Plan
from relay.store import Cut, Store, reads, writes
from relay.store.database import connect, parse_url
from tests.store.things import NOW, alert, delivery, later, settled

SEQS = set(range(1, 1500))
TELLING = replace(delivery("dlv_1", thread="alr_1"), seq=7)
CUT = Cut(NOW, NOW, NOW)
RESOLVED = alert("alr_1", AlertState.RESOLVED, ends_at=NOW)

HOT: dict[str, Callable[[Connection], Any]] = {
    "due": lambda c: reads.due(c, "soc", NOW, 50, set()),
    "due, many taken": lambda c: reads.due(c, "soc", NOW, 50, SEQS),
    "next_due": lambda c: reads.next_due(c, "soc", SEQS),
    "read": lambda c: reads._read_deliveries(c, [1, 2, 3]),
    "earlier": lambda c: reads._earlier(c, "soc", ["alr_1", "alr_2"]),
    "count_waiting": lambda c: reads.count_waiting(c, "soc"),
    "known_events": lambda c: reads.known_events(c, ["evt_1", "evt_2"]),
    "events": lambda c: reads.read_events(c, ["evt_1", "evt_2"]),
    "list deliveries": lambda c: reads.list_deliveries(c, reads.Filter(channel="soc", state="dead")),
    "list events": lambda c: reads.list_events(c, reads.Filter(type="trust.deleted", before=9)),
    "attempts": lambda c: reads.list_attempts(c, "dlv_1"),
    "settle": lambda c: writes.settle(c, [settled(TELLING)]),
    "supersede and release": lambda c: writes.commit_plans(
        c, [Plan(superseded=(("alr_1", "soc"),), released=("alr_1",), alerts=(RESOLVED,))]
    ),
    "prune": lambda c: writes.prune(c, [CUT]),
}


def plans_of(connection: Connection, run: Callable[[Connection], Any]) -> list[str]:
    """The plans of all statements that are run, as SQLite explains them."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, given: Any, _x: Any, many: bool) -> None:
        statements.append((statement, given[0] if many else given))

    event.listen(connection, "before_cursor_execute", note)
    run(connection)
    event.remove(connection, "before_cursor_execute", note)
    raw = connection.connection.cursor()
    found = []
    for statement, given in statements:
        if not statement.startswith("PRAGMA"):
            raw.execute(f"EXPLAIN QUERY PLAN {statement}", given)
            found += [str(row[3]) for row in raw.fetchall()]
    raw.close()
    return found


@pytest.mark.parametrize("name", HOT)
def test_hot_statements_scan_and_sort_nothing(name: str, sqlite_url: str) -> None:
    Store(sqlite_url).close()
    engine = connect(parse_url(sqlite_url), writing=True)
    with engine.begin() as connection:
        pending = [delivery(f"dlv_{n}", "evt_1", thread=f"alr_{n}") for n in range(5)]
        finished = [replace(each, id=f"{each.id}_x", state=DeliveryState.DELIVERED) for each in pending]
        writes.commit_plans(connection, [Plan(deliveries=(*pending, *finished))])
        plans = plans_of(connection, HOT[name])
    engine.dispose()
    assert plans
    assert [step for step in plans if "SCAN" in step or "TEMP B-TREE" in step] == []


def test_the_guard_on_a_thread_looks_at_pending_ones_only(sqlite_url: str) -> None:
    """With 1,500 pending ones the index by state made this 150 times as slow."""
    Store(sqlite_url).close()
    engine = connect(parse_url(sqlite_url), writing=False)
    with engine.begin() as connection:
        plans = plans_of(connection, HOT["next_due"])
    engine.dispose()
    (guard,) = [step for step in plans if "earlier" in step]
    assert "deliveries_queue (channel=? AND thread=? AND seq<?)" in guard


async def test_a_claim_reads_only_what_it_gives(sqlite_url: str) -> None:
    """However many are taken, whole rows are read of those alone that are free."""
    Store(sqlite_url).close()
    engine = connect(parse_url(sqlite_url), writing=True)
    with engine.begin() as connection:
        writes.commit_plans(connection, [Plan(deliveries=tuple(delivery(f"d_{n}") for n in range(1200)))])
        asked: list[tuple[str, Any]] = []
        event.listen(
            connection, "before_cursor_execute", lambda _c, _k, text, given, *_: asked.append((text, given))
        )
        claimed = reads.due(connection, "soc", later(1), 10, set(range(1, 1101)))
    engine.dispose()
    assert [claim.delivery.id for claim in claimed] == [f"d_{n}" for n in range(1100, 1110)]
    whole = [given for text, given in asked if "last_error" in text]
    assert [len(given) for given in whole] == [10]
