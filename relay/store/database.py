"""Opening a database: drivers, pragmas, errors, and the lock that keeps a second process out."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from relay.model.errors import StoreBusyError, StoreError

_ADVISORY_LOCK = 0x6D73725F72656C79
"""Any number will do, as long as it is the same in every release: the bytes of ``msr_rely``."""


def parse_url(url: str) -> URL:
    """Return the database's URL with the driver that the product uses.

    Raises StoreError if it is neither ``sqlite:///FILE`` nor ``postgresql://…``.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError("store: not a database URL; write sqlite:///relay.db or postgresql://…") from None
    kind = parsed.drivername.partition("+")[0]
    if kind == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise StoreError("store: SQLite needs a file, as in sqlite:///relay.db")
        return parsed.set(drivername="sqlite")
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError(f"store: {kind} is not supported; write sqlite:///relay.db or postgresql://…")


def connect(url: URL, *, writing: bool) -> Engine:
    """Return an engine for one thread: transactions of a writing one take the write lock at once.

    Raises StoreError if the driver is not installed.
    """
    if url.drivername == "sqlite":
        engine = create_engine(url, pool_size=1, max_overflow=0)
        event.listen(engine, "connect", _set_up_sqlite)
        # The driver's own idea of when to begin a transaction is switched off by isolation_level=None.
        begin = "BEGIN IMMEDIATE" if writing else "BEGIN"
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine
    try:
        return create_engine(url, pool_size=1, max_overflow=0, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise StoreError("store: PostgreSQL needs a driver: pip install 'msr-relay[postgres]'") from None


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "auto_vacuum=INCREMENTAL",
        "journal_mode=WAL",
        "synchronous=FULL",
        "busy_timeout=5000",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the database's errors into StoreError: the driver's own words, without statement and values."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        raise StoreError(f"store: {' '.join(str(cause).split())}") from None


def file_of(url: URL) -> Path | None:
    """Return the file of an SQLite database, None for a server."""
    return Path(url.database or "") if url.drivername == "sqlite" else None


class Lock(Protocol):
    """Held by the one process that may run on a store."""

    def release(self) -> None:
        """Let another process have it."""


def lock(url: URL) -> Lock:
    """Take the store for this process, until it ends. Raises StoreBusyError if another one has it."""
    path = file_of(url)
    return _FileLock(path) if path is not None else _AdvisoryLock(url)


class _FileLock:
    """A lock on a file beside the database: the kernel lets go of it however the process ends."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(database.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"store: cannot write beside {database}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise StoreBusyError(f"store: another msr-relay runs on {database}; stop it first") from None

    def release(self) -> None:
        os.close(self._file)


class _AdvisoryLock:
    """PostgreSQL's advisory lock: the server lets go of it when the connection ends."""

    def __init__(self, url: URL) -> None:
        self._engine = connect(url, writing=True)
        with plain_errors():
            self._connection: Connection = self._engine.connect()
            statement = text("SELECT pg_try_advisory_lock(:key)")
            taken = self._connection.execute(statement, {"key": _ADVISORY_LOCK}).scalar()
            self._connection.commit()
        if not taken:
            self.release()
            raise StoreBusyError("store: another msr-relay runs on this database; stop it first")

    def release(self) -> None:
        self._connection.close()
        self._engine.dispose()
