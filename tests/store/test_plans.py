"""The hot statements go by index, however many rows there are: read off SQLite's own plans, not a clock."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Connection, Engine

from relay.model.alert import AlertState
from relay.model.delivery import DeliveryState, Reason
from relay.model.plan import Plan, Rewrite
from relay.store import Cut, Deed, Store, deeds, pruning, queue, reads, writes
from relay.store.database import connect, parse_url
from relay.store.views import queues
from tests.store.things import NOW, alert, delivery, event, later, settled

SEQS = set(range(1, 1500))
TELLING = replace(delivery("dlv_1", thread="alr_1"), seq=7)
REPEAT = delivery("dlv_again", "evt_1", thread="alr_1", due_at=later(60), reason=Reason.REPEAT)
MERGED = replace(TELLING, seq=1, state=DeliveryState.GROUPED, finished_at=NOW, merged_into="dlv_all")
CUT = Cut(NOW, NOW, NOW, NOW)
RESOLVED = alert("alr_1", AlertState.RESOLVED, ends_at=NOW)
DEED = Deed(NOW, "alice", "acknowledge", "alr_1")

HOT: dict[str, Callable[[Connection], Any]] = {
    "due": lambda c: queue.due(c, "soc", NOW, 50, set()),
    "due, many taken": lambda c: queue.due(c, "soc", NOW, 50, SEQS),
    "due, too many together": lambda c: queue.due(c, "busy", NOW, 50, set()),
    "next_due": lambda c: queue.next_due(c, "soc", SEQS),
    "backlog": lambda c: queue.backlog(c, "soc", "all", NOW),
    "earlier": lambda c: queue._earlier(c, "soc", ["alr_1", "alr_2"]),
    "count_waiting": lambda c: queue.count_waiting(c, "soc"),
    "queues": lambda c: queues.queues(c, NOW),
    "known_events": lambda c: reads.known_events(c, ["evt_1", "evt_2"]),
    "events": lambda c: reads.read_events(c, ["evt_1", "evt_2"]),
    "open_alerts": reads.open_alerts,
    "recent_alerts": lambda c: reads.recent_alerts(c, NOW),
    "groups": lambda c: reads.open_groups(c, NOW),
    "silences": lambda c: reads.silences(c, NOW),
    "list deliveries": lambda c: reads.list_deliveries(c, reads.Filter(channel="soc", state="dead")),
    "list events": lambda c: reads.list_events(c, reads.Filter(type="trust.deleted", before=9)),
    "attempts": lambda c: reads.list_attempts(c, "dlv_1"),
    "settle": lambda c: writes.settle(c, [settled(TELLING)]),
    "settle with follow-ups": lambda c: writes.settle(c, [settled(TELLING, follow_ups=(REPEAT,))]),
    "rewrite": lambda c: writes.rewrite(c, [Rewrite((MERGED,), (delivery("dlv_all", "evt_1"),))]),
    "rewrite a repeat": lambda c: writes.rewrite(c, [Rewrite((replace(REPEAT, seq=2),))]),
    "over": lambda c: writes.commit_plans(c, [Plan(at=NOW, over=("alr_1",), alerts=(RESOLVED,))]),
    "released": lambda c: writes.commit_plans(c, [Plan(at=NOW, released=("alr_1",), alerts=(RESOLVED,))]),
    "hasten": lambda c: writes.hasten(c, [("soc", NOW)]),
    "know_channels": lambda c: writes.know_channels(c, [(frozenset({"soc", "busy"}), NOW)]),
    "know_channels, one gone": lambda c: writes.know_channels(c, [(frozenset({"soc"}), NOW)]),
    "look_again": lambda c: writes.look_again(c, [(DeliveryState.SILENCED, NOW)]),
    "unacknowledge": lambda c: deeds.unacknowledge(c, [("alr_1", DEED)]),
    "prune": lambda c: pruning.prune(c, [(CUT, None)]),
}
ALLOWED = {
    # What was found, and that is no more than is counted.
    "count_waiting": "SCAN some",
    # The first of what waits.
    "know_channels": "SCAN deliveries USING INDEX deliveries_due",
    "know_channels, one gone": "SCAN deliveries USING INDEX deliveries_due",
    # Everything that waits is counted, in the order of the index of that, and nothing that is finished.
    "queues": "SCAN deliveries USING INDEX deliveries_due",
    # Those that are open, and no others.
    "open_alerts": "SCAN alerts USING INDEX alerts_open",
    # Those that end at the same moment.
    "recent_alerts": "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY",
    "silences": "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY",
}


def plans_of(connection: Connection, run: Callable[[Connection], Any]) -> list[str]:
    """The plans of all statements that are run, as SQLite explains them."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, given: Any, _x: Any, many: bool) -> None:
        statements.append((statement, given[0] if many else given))

    sqlalchemy.event.listen(connection, "before_cursor_execute", note)
    run(connection)
    sqlalchemy.event.remove(connection, "before_cursor_execute", note)
    raw = connection.connection.cursor()
    found = []
    for statement, given in statements:
        if not statement.startswith("PRAGMA"):
            raw.execute(f"EXPLAIN QUERY PLAN {statement}", given)
            found += [str(row[3]) for row in raw.fetchall()]
    raw.close()
    return found


def fill(connection: Connection) -> None:
    """A little of everything, and a channel in which more waits in a thread than is looked at together."""
    told = [event(f"evt_{n}", alert=f"alr_{n}") for n in range(5)]
    pending = [delivery(f"dlv_{n}", f"evt_{n}", thread=f"alr_{n}") for n in range(5)]
    held_back = [replace(each, id=f"{each.id}_h", state=DeliveryState.INHIBITED) for each in pending]
    finished = [
        replace(each, id=f"{each.id}_x", state=DeliveryState.DELIVERED, finished_at=NOW) for each in pending
    ]
    many = [
        delivery(f"dlv_many_{n}", "evt_1", thread="grp_1", channel="busy", gathered=True) for n in range(5001)
    ]
    firing = tuple(alert(f"alr_{n}") for n in range(5))
    every = (*pending, *held_back, *finished, *many)
    writes.commit_plans(connection, [Plan(at=NOW, events=tuple(told), alerts=firing, deliveries=every)])


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path_factory.mktemp('plans')}/relay.db"
    Store(url).close()
    engine = connect(parse_url(url), writing=True)
    with engine.begin() as connection:
        fill(connection)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("name", HOT)
def test_hot_statements_scan_and_sort_nothing(name: str, filled: Engine) -> None:
    with filled.connect() as connection:
        plans = plans_of(connection, HOT[name])
        connection.rollback()
    assert plans
    # A list that is a parameter is gone through, of course.
    tables = [step for step in plans if "VIRTUAL TABLE" not in step]
    slow = [step for step in tables if "SCAN" in step or "TEMP B-TREE" in step]
    allowed = ALLOWED.get(name)
    assert [step for step in slow if allowed is None or allowed not in step] == []
    # An index of what is finished, or of a channel, is no help: that is nearly everything.
    assert [
        step for step in plans if "deliveries_state" in step or "deliveries_channel (channel=?)" in step
    ] == []


def test_the_first_of_a_thread_is_found_at_once(filled: Engine) -> None:
    """With an index of all that is open, 10,000 that were held back took 17 seconds to be passed."""
    with filled.connect() as connection:
        plans = plans_of(connection, HOT["next_due"])
    (first,) = [step for step in plans if step.startswith("SEARCH first ")]
    assert "deliveries_thread (thread=? AND channel=?)" in first
    (tried,) = [step for step in plans if step.startswith("SEARCH tried ")]
    assert "deliveries_tried (channel=? AND thread=?)" in tried


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("hasten", "deliveries_tried (channel=? AND thread>?)"),
        ("look_again", "deliveries_held_back (state=? AND due_at>?)"),
        ("know_channels", "deliveries_channel (channel=? AND state=?)"),
    ],
)
def test_what_is_little_among_what_waits_has_its_index(name: str, index: str, filled: Engine) -> None:
    """All that waits for a channel may be millions."""
    with filled.connect() as connection:
        plans = plans_of(connection, HOT[name])
        connection.rollback()
    assert any(step.endswith(index) for step in plans), plans


def test_what_an_alert_was_told_of_is_found_by_the_alert(filled: Engine) -> None:
    """A channel's history is long, an alert's is short."""
    with filled.connect() as connection:
        plans = plans_of(connection, lambda c: queue._told_of(c, "soc", ["alr_1", "alr_2"]))
    assert [step.split(" (")[0] for step in plans if step.startswith("SEARCH")] == [
        "SEARCH events USING INDEX events_alert",
        "SEARCH contents USING COVERING INDEX sqlite_autoindex_contents_1",
        "SEARCH deliveries USING INDEX sqlite_autoindex_deliveries_1",
        "SEARCH into USING INDEX sqlite_autoindex_deliveries_1",
    ]


async def test_a_claim_is_two_statements_however_many_are_taken(sqlite_url: str) -> None:
    """One reads what is due, one what it tells: of what is taken, nothing."""
    Store(sqlite_url).close()
    engine = connect(parse_url(sqlite_url), writing=True)
    with engine.begin() as connection:
        writes.commit_plans(connection, [Plan(deliveries=tuple(delivery(f"d_{n}") for n in range(1200)))])
        asked: list[str] = []
        sqlalchemy.event.listen(
            connection, "before_cursor_execute", lambda _c, _k, text, *_: asked.append(text)
        )
        claimed = queue.due(connection, "soc", later(1), 10, set(range(1, 1101)))
    engine.dispose()
    assert [claim.delivery.id for claim in claimed] == [f"d_{n}" for n in range(1100, 1110)]
    assert [text.partition(" ")[0] for text in asked] == ["SELECT", "SELECT"]
    assert "FROM events" in asked[1].replace("\n", " ")
