"""An outbox as it is after years: filled in bulk, by the database itself, from one real row of each table.

Half is finished: delivered, one in ten of them dead, a fifth of it longer ago than it is kept. Half
waits: half of that for the measured channels (it is due later, one in ten was tried in vain before), and
half is due now, for channels that somebody has disabled: in one of them each by itself, in the other,
which has a tenth of that, all in one thread. Each event is told by two deliveries.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from bench.claiming import taken_by_receiver
from relay.model.delivery import ChannelHealth, ChannelState, Delivery, DeliveryState
from relay.model.event import Event, Status, Subject, SubjectKind
from relay.model.severity import Severity
from relay.store import Store, rows
from relay.store.database import connect, file_of, parse_url
from relay.store.schema import attempts, channels, contents, deliveries, events

MEASURED = tuple(f"soc-{number}" for number in range(4))
"""The channels that are measured."""
HELD, THREAD = "held", "thread"
"""The channels that are disabled; in the second one all waits in one thread."""
_KEPT = timedelta(days=30)
_TABLES = (events, deliveries, contents, attempts)

Run = Callable[[str], Any]
"""Runs a statement."""


def fill(url: str, count: int) -> float:
    """Fill an empty store with so many deliveries; return the seconds that it took."""
    began = time.perf_counter()
    Store(url).close()
    now = datetime.now(UTC)
    (_fill_file if file_of(parse_url(url)) else _fill_server)(url, count, now)
    engine = connect(parse_url(url), writing=True)
    with engine.begin() as connection:
        for name in (HELD, THREAD):
            health = ChannelHealth(name, ChannelState.DISABLED, since=now, reason="it is moved", by="alice")
            connection.execute(channels.insert(), [rows.health_row(health)])
    engine.dispose()
    return time.perf_counter() - began


def _fill_file(url: str, count: int, now: datetime) -> None:
    path = file_of(parse_url(url))
    with sqlite3.connect(Path(path or ""), isolation_level=None) as database:
        # Nothing of it has to outlast a crash, and everything fits into memory.
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-4000000", "temp_store=MEMORY"):
            database.execute(f"PRAGMA {pragma}").close()
        names = ", ".join(f"'{table.name}'" for table in _TABLES)
        indices = database.execute(
            f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql > '' AND tbl_name IN ({names})"
        ).fetchall()
        dialect = _Dialect("lower(hex(randomblob(16)))", "", "json_array({})")
        numbers = (
            "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {} - 1) "
        )

        def insert(table: str, names: str, values: str, many: int) -> None:
            source = f"{numbers.format(many)} SELECT {values} FROM numbers"
            database.execute(f"INSERT INTO {table} ({names}) {source}")

        _rebuilt(database.execute, indices, lambda: _insert(database.execute, insert, dialect, count, now))
    database.close()


def _fill_server(url: str, count: int, now: datetime) -> None:
    with psycopg.connect(url, autocommit=True) as database:
        names = [table.name for table in _TABLES]
        indices = database.execute(
            "SELECT indexname, indexdef FROM pg_indexes LEFT JOIN pg_constraint ON conname = indexname "
            "WHERE conname IS NULL AND tablename = ANY(%s)",
            [names],
        ).fetchall()

        def run(statement: str) -> Any:
            return database.execute(statement.encode())

        def insert(table: str, names: str, values: str, many: int) -> None:
            source = f"SELECT {values} FROM generate_series(0::bigint, {many} - 1) AS n"
            run(f"INSERT INTO {table} ({names}) {source}")

        dialect = _Dialect("md5(random()::text)", "::boolean", "json_build_array({})::text")
        _rebuilt(run, indices, lambda: _insert(run, insert, dialect, count, now))
        run("VACUUM ANALYZE")


def _rebuilt(run: Run, indices: list[tuple[str, str]], work: Callable[[], None]) -> None:
    """Do the work without the indices: to make them anew takes less time than to keep them up to date."""
    for name, _ in indices:
        run(f"DROP INDEX {name}")
    work()
    for _, definition in indices:
        run(definition)


class _Dialect:
    """What the databases say differently: random hexadecimal digits, a boolean's cast, a JSON list."""

    def __init__(self, digits: str, boolean: str, array: str) -> None:
        self.digits = digits
        self.boolean = boolean
        self.array = array


def _insert(
    run: Run, insert: Callable[[str, str, str, int], None], dialect: _Dialect, count: int, now: datetime
) -> None:
    micros = int(now.timestamp() * 1e6)
    half = count // 2
    # The first half is finished, within twice the time for which it is kept less a little; the rest waits.
    spread = int(1.25 * _KEPT / timedelta(microseconds=1))
    created = f"CASE WHEN n < {half} THEN {micros} - {spread} + n * {spread // max(1, half)}"
    created += f" ELSE {micros} - {int(3600e6)} END"
    finished = f"CASE WHEN n < {half} THEN ({created}) + 250000 END"
    shared = " ".join(f"WHEN {number} THEN '{name}'" for number, name in enumerate(MEASURED))
    channel = f"CASE WHEN n < {half} THEN CASE n % 4 {shared} END WHEN n % 20 = 0 THEN '{THREAD}'"
    channel += f" WHEN n % 2 = 0 THEN '{HELD}'"
    channel += f" ELSE CASE n / 2 % 4 {shared} END END"
    due = f"CASE WHEN n < {half} OR n % 2 = 0 THEN ({created}) ELSE {micros} + {int(86400e6)} + n * 1000 END"
    state = f"CASE WHEN n >= {half} THEN 'pending' WHEN n % 10 = 0 THEN 'dead' ELSE 'delivered' END"
    tried = f"CASE WHEN n < {half} OR n % 20 = 1 THEN 1 ELSE 0 END"
    event, delivery, attempt = _samples(now)
    _copy(insert, "events", event, (count + 1) // 2, dialect, {
        "id": f"'evt_' || {dialect.digits}",
        "subject": "'team' || (n % 100) || '/app' || (n % 10000)",
        "seen_at": created.replace("n * ", "2 * n * ").replace(f"n < {half}", f"2 * n < {half}"),
    })  # fmt: skip
    first = run("SELECT min(seq) FROM events").fetchone()[0]
    told = f"(SELECT id FROM events WHERE events.seq = n / 2 + {first})"
    thread = f"CASE WHEN n >= {half} AND n % 20 = 0 THEN 'grp_1' ELSE {told} END"
    _copy(insert, "deliveries", delivery, count, dialect, {
        "id": f"'dlv_' || {dialect.digits}", "channel": channel, "thread": thread,
        "events": dialect.array.format(told), "state": state, "created_at": created, "ready_at": created,
        "due_at": due, "finished_at": finished, "attempts": tried,
    })  # fmt: skip
    least = run("SELECT min(seq) FROM deliveries").fetchone()[0]
    run(
        "INSERT INTO contents (event, delivery) SELECT events.id, deliveries.id FROM deliveries "
        f"JOIN events ON events.seq = (deliveries.seq - {least}) / 2 + {first}"
    )
    values = {"delivery": "id", "at": "due_at", "number": "1"}
    names, columns = _columns(attempt, dialect, values)
    run(f"INSERT INTO attempts ({names}) SELECT {columns} FROM deliveries WHERE attempts > 0")


def _copy(
    insert: Callable[[str, str, str, int], None],
    table: str,
    sample: Mapping[str, Any],
    many: int,
    dialect: _Dialect,
    own: Mapping[str, str],
) -> None:
    insert(table, *_columns(sample, dialect, own), many)


def _columns(sample: Mapping[str, Any], dialect: _Dialect, own: Mapping[str, str]) -> tuple[str, str]:
    """Return names, and values: those of the sample but for its own."""
    values = [own.get(name, _literal(value, dialect)) for name, value in sample.items()]
    return ", ".join(f'"{name}"' for name in sample), ", ".join(values)


def _literal(value: Any, dialect: _Dialect) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return f"{int(value)}{dialect.boolean and '::int'}{dialect.boolean}"
    if isinstance(value, datetime):
        return str(int(value.timestamp() * 1e6))
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _samples(now: datetime) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    event = Event(
        id="evt_",
        type="trust.updated",
        status=Status.EVENT,
        cluster="prod",
        severity=Severity.INFO,
        subject=Subject(SubjectKind.REPOSITORY, "team/app", gun="msr.example.com/team/app"),
        summary="trust data of team/app was updated",
        happened_at=now,
        seen_at=now,
        details={"record_id": "4711", "version": 12, "sha256": "ab" * 32},
    )
    delivery = Delivery(
        id="dlv_",
        channel="soc",
        rule="updates",
        thread="evt_",
        events=("evt_",),
        created_at=now,
        due_at=now,
        state=DeliveryState.PENDING,
    )
    return (
        rows.event_row(event, routed=True),
        rows.delivery_row(delivery),
        rows.attempt_row(taken_by_receiver("dlv_", 1, now)),
    )
