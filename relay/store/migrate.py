"""Bringing a store's tables up to this release."""

from pathlib import Path

import structlog
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.schema import CreateIndex, CreateTable

from relay.model.errors import StoreError
from relay.store.schema import metadata

_log = structlog.get_logger("relay.store")

HEAD = "0007"
"""The newest revision in ``migrations/versions``; a test keeps it true."""

_UPGRADE_LOCK = 0x6D73725F75706772
"""The bytes of ``msr_upgr``."""

_SCRIPTS = Path(__file__).parent / "migrations"


def revision(engine: Engine) -> str | None:
    """Return the revision of the store's tables, None for an empty store."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def upgrade(reading: Engine, writing: Engine) -> None:
    """Bring the tables up to this release; do nothing, not even take the write lock, if they are.

    Raises StoreError for a store that a newer release has written.
    """
    present = revision(reading)
    if present == HEAD or (present is None and _made(writing)):
        return
    # Imported only when there is something to do: it takes a fifth of a second, and 6 MiB.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    if present is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(present)
        except CommandError:
            raise StoreError(
                f"store: revision {present} is of a newer msr-relay; use that release, or a new store"
            ) from None
        # Nothing listens until it is done, so that this line is all that can be seen of it.
        _log.info(
            "bringing the store up to this release; this may take minutes", from_revision=present, to=HEAD
        )
    with writing.begin() as connection:
        _lock(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _made(writing: Engine) -> bool:
    """Make the tables of an empty store as they are today; tell whether it was empty."""
    with writing.begin() as connection:
        _lock(connection)
        if inspect(connection).get_table_names():
            return False
        for table in metadata.sorted_tables:
            connection.execute(CreateTable(table))
            # Always in the same order: where two would do as well, SQLite takes the one that was made last.
            for index in sorted(table.indexes, key=lambda each: str(each.name)):
                connection.execute(CreateIndex(index))
        # As Alembic makes it.
        connection.execute(
            text(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    return True


def _lock(connection: Connection) -> None:
    """Let one process at a time do this; the next one then finds nothing left to do."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
