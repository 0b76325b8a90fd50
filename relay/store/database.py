"""Opening a database: drivers, pragmas, errors, and the lock that keeps a second process out."""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DisconnectionError, SQLAlchemyError

from relay.model.errors import StoreBusyError, StoreError

_ADVISORY_LOCK = 0x6D73725F72656C79
"""Any number will do, as long as it is the same in every release: the bytes of ``msr_rely``."""


def parse_url(url: str) -> URL:
    """Return the database's URL with the driver that the product uses.

    Raises StoreError if it is neither ``sqlite:///FILE`` nor ``postgresql://…``.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # SQLAlchemy takes the rest of a password with an @ or / for a port, and shows it.
        raise StoreError(
            "store: not a database URL; write sqlite:///relay.db or postgresql://…, "
            "with @ / : % in a password as %40 %2F %3A %25"
        ) from None
    kind = parsed.drivername.partition("+")[0]
    if kind == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise StoreError("store: SQLite needs a file, as in sqlite:///relay.db")
        return parsed.set(drivername="sqlite")
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError(f"store: {kind} is not supported; write sqlite:///relay.db or postgresql://…")


def connect(url: URL, *, writing: bool, alone: bool = False) -> Engine:
    """Return an engine for one thread: transactions of a writing one take the write lock at once.

    ``alone``: every connection takes PostgreSQL's advisory lock, so that after a lost connection nothing
    is written unless the lock is had again; else StoreBusyError. Raises StoreError if the driver is not
    installed or the URL has an option that it does not know.
    """
    try:
        path = file_of(url)
        return _connect_server(url, writing, alone) if path is None else _connect_file(url, path, writing)
    except ModuleNotFoundError:
        raise StoreError("store: PostgreSQL needs a driver: pip install 'msr-relay[postgres]'") from None
    except (ArgumentError, ValueError):
        raise StoreError("store: the database URL has an option that the driver does not take") from None


def _connect_file(url: URL, path: Path, writing: bool) -> Engine:
    engine = create_engine(url, pool_size=1, max_overflow=0)
    event.listen(engine, "connect", _set_up_sqlite)
    if writing:
        event.listen(engine, "connect", _set_up_writing)
    # The driver's own idea of when to begin a transaction is switched off by isolation_level=None.
    begin = "BEGIN IMMEDIATE" if writing else "BEGIN"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))

    # SQLite would go on writing into a file that was deleted or replaced, and make a missing one anew.
    def before_connecting(*_: Any) -> None:
        if not path.exists():
            raise sqlite3.OperationalError(f"{path} is gone")

    def remember_file(_connection: Any, record: Any) -> None:
        record.info["file"] = _identity(path)

    def compare_file(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["file"] != _identity(path):
            raise DisconnectionError

    event.listen(engine, "do_connect", before_connecting)
    event.listen(engine, "connect", remember_file)
    event.listen(engine, "checkout", compare_file)
    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _connect_server(url: URL, writing: bool, alone: bool) -> Engine:
    # A reader sees one state of things, however many statements it needs.
    level = "READ COMMITTED" if writing else "REPEATABLE READ"
    bounds = {name: value for name, value in _BOUNDS.items() if name not in url.query}
    engine = create_engine(
        url, pool_size=1, max_overflow=0, pool_pre_ping=True, isolation_level=level, connect_args=bounds
    )
    if writing:
        event.listen(engine, "connect", _make_commits_durable)
    if alone:
        event.listen(engine, "connect", _take_advisory_lock)
    return engine


_BOUNDS = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
"""In seconds: a server that is not there any more is noticed. The URL's own options go before these."""


def _make_commits_durable(connection: Any, _record: Any) -> None:
    """Have COMMIT wait for the disk, whatever the server's default; stricter settings stay."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()


_LOCK_WAIT = "2s"
"""How long the lock is waited for: a server needs a moment to notice that whoever had it is gone, and a relay
that was killed is often started again at once."""
_LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's SQLSTATE for that: https://www.postgresql.org/docs/current/errcodes-appendix.html"""


def _take_advisory_lock(connection: Any, _record: Any) -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_WAIT,))
            cursor.execute("SELECT pg_advisory_lock(%s)", (_ADVISORY_LOCK,))
        connection.commit()
    except Exception as error:
        if getattr(error, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        connection.close()
        raise StoreBusyError("store: another msr-relay runs on this database; stop it first") from None


def create_file(path: Path) -> None:
    """Make an empty file that only its owner may read, if there is none. Raises StoreError if that fails."""
    try:
        # An existing file is not opened: closing it would drop the locks that this process has on it.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise StoreError(f"store: cannot make {path}: {error.strerror}") from None


def _set_up_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        "busy_timeout=5000",
        "auto_vacuum=INCREMENTAL",
        "journal_mode=WAL",
        "synchronous=FULL",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _set_up_writing(connection: sqlite3.Connection, _record: Any) -> None:
    """Let pages that are written again soon stay in memory, 16 MiB of them, and in the write-ahead log,
    32 MiB of the 64 that it may keep: an index of ids is written all over."""
    for pragma in ("cache_size=-16384", "wal_autocheckpoint=8000"):
        connection.execute(f"PRAGMA {pragma}").close()


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the database's errors into StoreError: the driver's own words, without statement and values."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        # PostgreSQL's whole text goes on with the statement and the row.
        primary = getattr(getattr(cause, "diag", None), "message_primary", None)
        raise StoreError(f"store: {' '.join((primary or str(cause)).split())}") from None


def file_of(url: URL) -> Path | None:
    """Return the file of an SQLite database, None for a server."""
    return Path(url.database or "") if url.drivername == "sqlite" else None


class FileLock:
    """A lock on a file beside the database: the kernel lets go of it however the process ends."""

    def __init__(self, database: Path) -> None:
        """Take it, until this process ends. Raises StoreBusyError if another one has it."""
        # Whatever the name under which the database is opened, its lock is the same file.
        database = database.resolve()
        path = database.with_name(database.name + ".lock")
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"store: cannot write beside {database}: {error.strerror}") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise StoreBusyError(f"store: another msr-relay runs on {database}; stop it first") from None
        except OSError as error:
            os.close(self._file)
            raise StoreError(f"store: cannot lock {path}: {error.strerror}") from None

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._file)
