"""A database that fails says so, loses nothing, and is used again when it is back."""

import asyncio
import contextlib
import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.model.errors import StoreBusyError, StoreError
from relay.model.plan import Plan
from relay.store import Store
from tests.real.postgres import Postgres
from tests.store.conftest import OpenStore
from tests.store.things import claims, delivery, due, event, later, plan_of, settled


@contextlib.contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What a full disk does, to this process alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk(sqlite_url: str, open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store(sqlite_url)
    await store.commit(plan_of(delivery("dlv_1")))
    (claim,) = await claims(store)
    with no_file_larger_than((tmp_path / "relay.db-wal").stat().st_size):
        with pytest.raises(StoreError, match=r"^store: disk I/O error|full"):
            await store.commit(plan_of(delivery("dlv_2")))
        with pytest.raises(StoreError):
            await store.settle(settled(claim.delivery))
        assert await due(store) == ["dlv_1"]
    await store.commit(plan_of(delivery("dlv_2")))
    await store.settle(settled(claim.delivery))
    assert await due(store) == ["dlv_2"]
    store.close()
    assert await due(open_store(sqlite_url)) == ["dlv_2"]


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """File modes mean nothing to root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users reach: pytest's own is closed to them."""
    with tempfile.TemporaryDirectory(prefix="relay-store-") as made:
        folder = Path(made)
        folder.chmod(0o755)
        yield folder


def allow(folder: Path, of_file: int, of_folder: int) -> None:
    (folder / "relay.db").chmod(of_file)
    folder.chmod(of_folder)


async def test_a_file_that_may_not_be_written(open_folder: Path, open_store: OpenStore) -> None:
    path = open_folder / "relay.db"
    Store(f"sqlite:///{path}").close()
    allow(open_folder, 0o444, 0o555)
    with unprivileged():
        with pytest.raises(StoreError, match=r"^store: .*(unable to open|readonly)"):
            Store(f"sqlite:///{path}")
        with pytest.raises(StoreError, match=r"^store: cannot write beside .*relay\.db: Permission denied"):
            Store.for_running(f"sqlite:///{path}")
    allow(open_folder, 0o600, 0o755)
    store = open_store(f"sqlite:///{path}")
    await store.commit(plan_of(delivery("dlv_1")))
    assert await due(store) == ["dlv_1"]
    store.close()


async def test_a_folder_that_is_gone_and_comes_back(open_store: OpenStore, tmp_path: Path) -> None:
    """SQLite itself would go on writing into the deleted file, and all of that would be lost."""
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    store = open_store(f"sqlite:///{home}/relay.db")
    await store.commit(plan_of(delivery("dlv_1")))
    home.rename(away)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"home/relay\.db is gone"):
            await store.commit(plan_of(delivery("dlv_2")))
        with pytest.raises(StoreError, match=r"home/relay\.db is gone"):
            await due(store)
    away.rename(home)
    await store.commit(plan_of(delivery("dlv_2")))
    assert await due(store) == ["dlv_1", "dlv_2"]


async def test_a_file_that_was_replaced(open_store: OpenStore, tmp_path: Path) -> None:
    """A backup was put back: what follows goes into it, not into the file that no one will ever see again."""
    path = tmp_path / "relay.db"
    first = Store(f"sqlite:///{path}")
    await first.commit(plan_of(delivery("dlv_1")))
    first.close()
    shutil.copy(path, tmp_path / "backup.db")
    store = open_store(f"sqlite:///{path}")
    await store.commit(plan_of(delivery("dlv_2")))
    for leftover in ("relay.db", "relay.db-wal", "relay.db-shm"):
        (tmp_path / leftover).unlink(missing_ok=True)
    (tmp_path / "backup.db").rename(path)
    assert await due(store) == ["dlv_1"]
    await store.commit(plan_of(delivery("dlv_3")))
    assert await due(open_store(f"sqlite:///{path}")) == ["dlv_1", "dlv_3"]


async def test_another_writer_is_waited_for(sqlite_url: str, open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store(sqlite_url)
    other = sqlite3.connect(tmp_path / "relay.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.create_task(store.commit(plan_of(delivery("dlv_1"))))
    # Reading goes on meanwhile.
    assert await due(store) == []
    assert not write.done()
    other.execute("COMMIT")
    other.close()
    await write
    assert await due(store) == ["dlv_1"]


async def test_a_long_reader_holds_nothing_up_and_the_log_shrinks_again(
    sqlite_url: str, open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store(sqlite_url)
    log = tmp_path / "relay.db-wal"
    reader = sqlite3.connect(tmp_path / "relay.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()

    async def write(prefix: str, pages: int) -> None:
        for part in range(pages):
            events = (event(f"{prefix}_{part}_{n}", summary="x" * 5000) for n in range(100))
            await store.commit(Plan(events=tuple(events)))

    await write("a", 80)
    held = log.stat().st_size
    # More than what is gathered before it is copied into the file.
    assert held > 8192 * 4096
    reader.execute("COMMIT")
    reader.close()
    await write("b", 20)
    # Once the reader is gone, the log is used from its start again: it does not grow any more.
    assert log.stat().st_size <= held + 1_000_000
    store.close()
    assert not log.exists()


async def test_the_stores_own_reader_keeps_no_transaction_open(
    sqlite_url: str, open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store(sqlite_url)
    await store.commit(plan_of(delivery("dlv_1")))
    await due(store)
    other = sqlite3.connect(tmp_path / "relay.db")
    (blocked, _, _) = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    other.close()
    assert blocked == 0


async def test_postgresql_stopped_and_started(postgres: Postgres, open_store: OpenStore) -> None:
    store = open_store(postgres.fresh())
    await store.commit(plan_of(delivery("dlv_1")))
    (claim,) = await claims(store)
    postgres.stop()
    try:
        for _ in range(2):
            writes = [store.commit(plan_of(delivery(f"dlv_lost_{n}"))) for n in range(5)]
            results = await asyncio.gather(
                *writes, store.settle(settled(claim.delivery)), return_exceptions=True
            )
            assert [type(result) for result in results] == [StoreError] * 6
            with pytest.raises(StoreError, match=r"^store: "):
                await due(store)
    finally:
        postgres.start()
    await store.settle(settled(claim.delivery))
    await store.commit(plan_of(delivery("dlv_2")))
    assert await due(store) == ["dlv_2"]
    assert await store.count_deliveries() == {"delivered": 1, "pending": 1}


async def test_postgresql_breaks_the_connection_within_a_transaction(
    postgres: Postgres, open_store: OpenStore
) -> None:
    url = postgres.fresh()
    store = open_store(url)
    postgres.sql(
        url,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$",
    )
    postgres.sql(url, "CREATE TRIGGER die BEFORE INSERT ON deliveries EXECUTE FUNCTION die()")
    with pytest.raises(StoreError):
        await store.commit(plan_of(delivery("dlv_1")))
    postgres.sql(url, "DROP TRIGGER die ON deliveries")
    assert await store.known_events(["dlv_1"]) == set()
    await store.commit(plan_of(delivery("dlv_1")))
    assert await due(store) == ["dlv_1"]


async def test_postgresqls_lock_comes_back_with_the_connection(postgres: Postgres) -> None:
    """Who has lost the lock with the connection may write only if it can have it again."""
    url = postgres.fresh()
    running = Store.for_running(url)
    try:
        await running.commit(plan_of(delivery("dlv_1")))
        postgres.stop()
        postgres.start()
        await running.commit(plan_of(delivery("dlv_2")))
        with pytest.raises(StoreBusyError):
            Store.for_running(url)
        postgres.stop()
        postgres.start()
        usurper = Store.for_running(url)
        try:
            with pytest.raises(StoreBusyError):
                await running.commit(plan_of(delivery("dlv_3")))
            assert await due(running, now=later(1)) == ["dlv_1", "dlv_2"]
        finally:
            usurper.close()
        await running.commit(plan_of(delivery("dlv_3")))
        assert await due(running) == ["dlv_1", "dlv_2", "dlv_3"]
    finally:
        running.close()
