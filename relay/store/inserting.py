"""Inserting what may be there already, in SQLite and PostgreSQL alike."""

from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def insert_new(connection: Connection, table: Table, new: list[dict[str, Any]]) -> None:
    """Insert the rows that are not there yet."""
    if new:
        connection.execute(flavour(connection).insert(table).on_conflict_do_nothing(), new)


def insert_if_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert one row if it is not there yet; tell whether it was new."""
    # SQLAlchemy counts the rows of an insert only when told to, and those of a list of rows never.
    statement = flavour(connection).insert(table).values(row).on_conflict_do_nothing()
    done = connection.execute(statement, execution_options={"preserve_rowcount": True})
    return bool(done.rowcount == 1)


def flavour(connection: Connection) -> ModuleType:
    """Return the dialect whose insert knows what to do about conflicts."""
    if connection.dialect.name != "postgresql":
        return sqlite
    # Its dialects cost 2 MiB, which only those have to pay who use it.
    from sqlalchemy.dialects import postgresql

    return postgresql


def upsert(connection: Connection, table: Table, key: list[str], new: list[dict[str, Any]]) -> None:
    """Insert the rows, in place of those that have the same key."""
    statement = flavour(connection).insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=others), new)
