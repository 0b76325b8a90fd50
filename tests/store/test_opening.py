"""Opening a store: its tables, its lock, its errors."""

import json
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect, text
from structlog.testing import capture_logs

import relay.store.migrate as migrate
from relay.model.delivery import DeliveryState
from relay.model.errors import StoreBusyError, StoreError
from relay.model.event import Status
from relay.model.observation import CursorMove
from relay.model.plan import Plan
from relay.store import Store
from relay.store.database import connect, create_file, parse_url
from relay.store.rows import event_row
from relay.store.schema import metadata
from tests.real.postgres import Postgres
from tests.store.conftest import OpenStore
from tests.store.things import NOW, claims, due, later, one, plan_of
from tests.store.things import delivery as a_delivery
from tests.store.things import event as an_event

OTHER_PROCESS = """
import sys
from relay.model.delivery import DeliveryState
from relay.model.errors import StoreBusyError
from relay.store import Store
try:
    Store.for_running(sys.argv[1]).close()
except StoreBusyError as error:
    print("busy:", error)
else:
    print("free")
print("alembic" in sys.modules)
"""


def other_process(url: str) -> list[str]:
    """Runs on the store in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, url], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.splitlines()


async def test_what_was_committed_is_there_after_opening_again(url: str) -> None:
    store = Store(url)
    await store.commit(plan_of(a_delivery("dlv_1"), cursor=CursorMove("s", None, "7")))
    store.close()
    again = Store(url)
    try:
        assert await due(again) == ["dlv_1"]
        assert await again.cursor("s") == "7"
    finally:
        again.close()


# Indexes of expressions are compared by what they were made with, in the next test.
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_migrations_make_what_the_schema_says(empty_url: str, open_store: OpenStore) -> None:
    old_store(empty_url)
    open_store(empty_url)
    engine = connect(parse_url(empty_url), writing=False)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        # Alembic does not compare the conditions of partial indexes.
        if engine.dialect.name == "sqlite":
            made = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql LIKE '% WHERE %'"))
            found = {name: sql.partition(" WHERE ")[2] for name, sql in made}
            meant = {
                str(index.name): str(index.dialect_options["sqlite"]["where"])
                for table in metadata.tables.values()
                for index in table.indexes
                if index.dialect_options["sqlite"]["where"] is not None
            }
            assert found == meant
    engine.dispose()


def made_by(url: str) -> tuple[dict[str, Any], list[str]]:
    """The columns (type, whether NULL may be, default) and the indexes that a database has."""
    engine = connect(parse_url(url), writing=False)
    with engine.connect() as connection:
        looked = inspect(connection)
        columns = {
            f"{table}.{column['name']}": (str(column["type"]), column["nullable"], column["default"])
            for table in sorted(metadata.tables)
            for column in looked.get_columns(table)
        }
        if engine.dialect.name == "sqlite":
            asked = "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        else:
            asked = "SELECT indexdef FROM pg_indexes WHERE tablename = ANY (:tables)"
        given = {} if engine.dialect.name == "sqlite" else {"tables": list(metadata.tables)}
        indexes = sorted(connection.execute(text(asked), given).scalars())
    engine.dispose()
    return columns, indexes


def test_a_migrated_store_is_like_one_of_this_release(
    empty_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Columns, defaults, and indexes with their conditions."""
    if empty_url.startswith("sqlite"):
        other = f"sqlite:///{tmp_path}/schema.db"
        (tmp_path / "schema.db").touch()
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        other = postgres.fresh()
    engine = connect(parse_url(other), writing=True)
    with engine.begin() as connection:
        metadata.create_all(connection)
    engine.dispose()
    old_store(empty_url)
    Store(empty_url).close()
    assert made_by(empty_url) == made_by(other)


def scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    return config


def test_an_empty_store_is_made_without_alembic_which_then_takes_it_for_its_own(
    empty_url: str, open_store: OpenStore
) -> None:
    assert other_process(empty_url) == ["free", "False"]
    open_store(empty_url)
    engine = connect(parse_url(empty_url), writing=True)
    with engine.begin() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == migrate.HEAD
        config = scripts()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(scripts()).get_current_head() == migrate.HEAD


def test_that_a_store_is_brought_up_to_this_release_is_logged(empty_url: str) -> None:
    old_store(empty_url)
    with capture_logs() as lines:
        Store(empty_url).close()
        Store(empty_url).close()
    (line,) = lines
    assert "this may take minutes" in line["event"]
    assert (line["from_revision"], line["to"]) == ("0001", migrate.HEAD)


def test_of_a_new_store_that_says_nothing(empty_url: str) -> None:
    with capture_logs() as lines:
        Store(empty_url).close()
    assert lines == []


def old_store(url: str, *rows: dict[str, Any]) -> None:
    """A store as the first release made it, with these deliveries; each tells the event `evt_` + thread."""
    if url.startswith("sqlite"):
        create_file(Path(str(parse_url(url).database)))
    engine = connect(parse_url(url), writing=True)
    with engine.begin() as connection:
        config = scripts()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(text("INSERT INTO cursors VALUES ('s', '7')"))
        for row in rows:
            told = an_event(f"evt_{row['thread']}", alert=row["thread"], status=Status.FIRING)
            written = event_row(told, routed=True)
            given = {
                "events": json.dumps([told.id]),
                "channel": "soc",
                "rule": "all",
                "attempts": 0,
                "settled": "[]",
                "delivered_to": "[]",
                "finished_at": None,
                **row,
            }
            for table, values in (
                ("events", written | {"seen_at": microseconds(told.seen_at)}),
                ("contents", {"event": told.id, "delivery": row["id"]}),
                ("deliveries", given),
            ):
                names = ", ".join(values)
                places = ", ".join(f":{name}" for name in values)
                connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)
    engine.dispose()


def microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


async def test_a_store_of_the_first_release_goes_on(empty_url: str, open_store: OpenStore) -> None:
    now = microseconds(NOW)
    times = {"created_at": now, "due_at": now}
    old_store(
        empty_url,
        {"id": "dlv_sent", "thread": "alr_1", "state": "delivered", "finished_at": now, **times},
        {
            "id": "dlv_tried",
            "thread": "alr_2",
            "state": "pending",
            "attempts": 2,
            "last_error": "busy",
            **times,
        },
        {"id": "dlv_later", "thread": "alr_3", "state": "pending", **times, "due_at": now + 60_000_000},
        {"id": "dlv_covered", "thread": "alr_4", "state": "inhibited", "finished_at": now, **times},
        {
            "id": "dlv_held",
            "thread": "alr_5",
            "state": "held",
            "finished_at": now,
            "channel": "gone",
            **times,
        },
    )
    store = open_store(empty_url)
    assert await store.cursor("s") == "7"
    # What was held back, for good as it seemed, is looked at, and then it is decided anew.
    found = {claim.delivery.id: claim for claim in await claims(store)}
    assert list(found) == ["dlv_tried", "dlv_covered"]
    covered = found["dlv_covered"]
    assert covered.delivery == a_delivery(
        "dlv_covered",
        "evt_alr_4",
        thread="alr_4",
        seq=covered.delivery.seq,
        state=DeliveryState.INHIBITED,
    )
    assert covered.events == (an_event("evt_alr_4", alert="alr_4", status=Status.FIRING),)
    assert found["dlv_tried"].delivery.attempts == 2
    assert found["dlv_tried"].delivery.waiting_since == NOW
    assert await store.next_due("soc", {claim.delivery.seq for claim in found.values()}) == later(60)
    assert await store.count_deliveries() == {"delivered": 1, "pending": 2, "inhibited": 1, "held": 1}
    assert await store.know_channels(["soc", "gone"], NOW) == 0
    assert await due(store, "gone") == ["dlv_held"]
    # Both ends of the change: what was covered is let go, what is over is not told.
    await store.commit(Plan(at=later(9), released=("alr_4",), over=("alr_3",)))
    assert (await one(store, "dlv_covered")).due_at == later(9)
    assert (await one(store, "dlv_later")).state == "superseded"


def test_one_process_may_upgrade_two_stores(tmp_path: Path) -> None:
    for name in ("a", "b"):
        url = f"sqlite:///{tmp_path}/{name}.db"
        old_store(url)
        Store(url).close()


def test_a_store_of_a_newer_release_is_left_alone(url: str) -> None:
    Store(url).close()
    engine = connect(parse_url(url), writing=True)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StoreError, match="revision 9999 is of a newer msr-relay"):
        Store(url)
    with pytest.raises(StoreError, match="revision 9999"):
        Store.for_running(url)
    # It has let go of the lock.
    assert other_process_fails(url) == "StoreError"


def other_process_fails(url: str) -> str:
    script = (
        "import sys\nfrom relay.store import Store\n"
        "try: Store.for_running(sys.argv[1])\nexcept Exception as error: print(type(error).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, url], check=True, capture_output=True, text=True, timeout=60
    )
    return done.stdout.strip()


def test_only_one_may_run_on_a_store(url: str) -> None:
    running = Store.for_running(url)
    try:
        with pytest.raises(StoreBusyError, match="another msr-relay runs"):
            Store.for_running(url)
        (told, alembic) = other_process(url)
        assert told.startswith("busy: store: another msr-relay runs on ")
        assert alembic == "False"
        # A command may look and write meanwhile.
        Store(url).close()
    finally:
        running.close()
    # Opening a store whose tables are up to date does not even import Alembic.
    assert other_process(url) == ["free", "False"]


def test_two_processes_may_make_the_tables_at_the_same_time(empty_url: str) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from relay.store import Store; Store(sys.argv[1])",
        empty_url,
    ]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in both] == [("", 0)] * 2


def test_another_name_of_the_file_is_the_same_store(tmp_path: Path) -> None:
    running = Store.for_running(f"sqlite:///{tmp_path}/relay.db")
    (tmp_path / "link.db").symlink_to(tmp_path / "relay.db")
    try:
        with pytest.raises(StoreBusyError):
            Store.for_running(f"sqlite:///{tmp_path}/link.db")
    finally:
        running.close()


def test_a_process_that_died_leaves_no_lock(url: str) -> None:
    script = "import os, sys; from relay.store import Store; Store.for_running(sys.argv[1]); os._exit(1)"
    done = subprocess.run([sys.executable, "-c", script, url], check=False, timeout=60)
    assert done.returncode == 1
    Store.for_running(url).close()


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    store = Store.for_running(f"sqlite:///{tmp_path}/relay.db")
    try:
        modes = {path.name: path.stat().st_mode & 0o077 for path in tmp_path.iterdir()}
    finally:
        store.close()
    assert {"relay.db", "relay.db.lock"} <= set(modes)
    assert set(modes.values()) == {0}


@pytest.mark.parametrize("writing", [True, False])
def test_every_sqlite_connection_is_set_up(sqlite_url: str, writing: bool) -> None:
    Store(sqlite_url).close()
    engine = connect(parse_url(sqlite_url), writing=writing)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _k, statement, *_: statements.append(statement))
    for _ in range(2):
        with engine.connect() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in (
                    "journal_mode",
                    "synchronous",
                    "busy_timeout",
                    "auto_vacuum",
                    "journal_size_limit",
                    "cache_size",
                    "wal_autocheckpoint",
                )
            }
        engine.dispose()
        assert found == {
            "journal_mode": "wal",
            "synchronous": 2,
            "busy_timeout": 5000,
            "auto_vacuum": 2,
            "journal_size_limit": 67108864,
            "cache_size": -32768 if writing else -2000,
            "wal_autocheckpoint": 8192 if writing else 1000,
        }
    assert statements[0] == ("BEGIN IMMEDIATE" if writing else "BEGIN")


@pytest.mark.parametrize(
    "url",
    [
        "relay.db",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://relay:s3cret@db/relay",
        "postgresql://relay:s3/cret@db/relay",
        "postgresql://relay:p@s3cret:w@db/relay",
        "postgresql://relay:s3cret@db:s3cret/relay",
        "sqlite:///relay.db?timeout=s3cret",
        "postgresql://relay:s3cret@127.0.0.1:1/relay?nonsense=s3cret",
        "postgresql://relay:s3cret@127.0.0.1:1/relay",
    ],
)
def test_urls_that_cannot_be_used(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=r"^store: ") as caught:
        Store(url)
    assert "s3" not in str(caught.value)
    assert "s3" not in repr(caught.value)
    # No traceback shows what it came from, for that may hold the password.
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_refused_password_is_not_told(postgres: Postgres) -> None:
    url = postgres.fresh().replace("relay@", "nobody-here:s3cret@")
    with pytest.raises(StoreError, match="nobody-here") as caught:
        Store(url)
    assert "s3cret" not in str(caught.value)


def test_what_is_not_a_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "relay.db").write_text("clusters: []\n" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Store(f"sqlite:///{tmp_path}/relay.db")
    assert (tmp_path / "relay.db").read_text() == "clusters: []\n" * 100


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing/relay\.db.*No such file"):
        Store(f"sqlite:///{tmp_path}/missing/relay.db")
    with pytest.raises(StoreError, match=r"missing/relay\.db.*No such file"):
        Store.for_running(f"sqlite:///{tmp_path}/missing/relay.db")


async def test_errors_hold_neither_statement_nor_values(store: Store, url: str) -> None:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("CREATE TRIGGER t BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no'); END")
        connection.close()
    else:
        engine = connect(parse_url(url), writing=True)
        with engine.begin() as server:
            server.execute(text("ALTER TABLE events ADD CONSTRAINT c CHECK (subject = 'never')"))
        engine.dispose()
    with pytest.raises(StoreError) as caught:
        await store.commit(Plan(events=plan_of(a_delivery("dlv_s3cret")).events))
    told = str(caught.value)
    assert told.startswith("store: ")
    assert not any(word in told for word in ("s3cret", "prod/app", "INSERT", "\n"))


def open_files() -> int:
    """How many files this process has open, where the machine tells; else 0."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_no_file_is_left_open(tmp_path: Path) -> None:
    before = open_files()
    store = Store.for_running(f"sqlite:///{tmp_path}/relay.db")
    store.close()
    (tmp_path / "bad.db").write_text("no database" * 100)
    with pytest.raises(StoreError):
        Store.for_running(f"sqlite:///{tmp_path}/bad.db")
    assert open_files() == before
