"""Inserting what may be there already, in SQLite and PostgreSQL alike.

Rows go to the driver itself: a page of a feed has a thousand, which SQLAlchemy takes longer to prepare than
the database to insert. Many rows are one statement: while it runs the other threads run too, and none of them
has to be waited for between two rows.
"""

from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from types import ModuleType
from typing import Any

from sqlalchemy import Boolean, Connection, Table
from sqlalchemy.dialects import sqlite

from relay.model.text import storable
from relay.store.schema import Instant, Words, to_microseconds

_TOGETHER = (500, 50)
"""So many rows go into one statement, as long as there are so many: few sizes, so that few statements have to
be prepared. The rest goes one by one."""

Row = tuple[Any, ...]


def insert_new(connection: Connection, table: Table, new: Sequence[dict[str, Any]]) -> None:
    """Insert the rows that are not there yet; all of them have the same columns."""
    if new:
        names = tuple(new[0])
        insert_many(connection, table, names, bound(table, names, new), "ON CONFLICT DO NOTHING")


def bound(table: Table, names: Sequence[str], new: Sequence[dict[str, Any]]) -> list[Row]:
    """Return the values of rows, in the order of the columns, as the driver takes them."""
    binds = [_BINDS.get(type(table.c[name].type)) for name in names]
    # All values of a column, one column after another: most need nothing done to them.
    columns = [
        values if bind is None else map(bind, values)
        for bind, values in zip(binds, (map(itemgetter(name), new) for name in names), strict=True)
    ]
    return list(zip(*columns, strict=True))


def insert_many(
    connection: Connection, table: Table, names: Sequence[str], found: Sequence[Row], conflict: str = ""
) -> None:
    """Insert rows of values as the driver takes them, in order; ``conflict`` says what to do with those that
    are there already."""
    done = 0
    for many in _TOGETHER:
        while len(found) - done >= many:
            statement = _statement(connection.dialect.name, table.name, tuple(names), many, conflict)
            values = tuple(value for row in found[done : done + many] for value in row)
            connection.exec_driver_sql(statement, values)
            done += many
    if done < len(found):
        statement = _statement(connection.dialect.name, table.name, tuple(names), 1, conflict)
        connection.exec_driver_sql(statement, list(found[done:]))


@cache
def _statement(dialect: str, table: str, names: tuple[str, ...], many: int, conflict: str) -> str:
    mark = "%s" if dialect == "postgresql" else "?"
    row = f"({', '.join([mark] * len(names))})"
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({columns}) VALUES {', '.join([row] * many)} {conflict}"  # noqa: S608


def _text(value: str | None) -> str | None:
    return None if value is None else storable(str(value))


def _moment(value: Any) -> int | None:
    return None if value is None else to_microseconds(value)


_BINDS: dict[type, Callable[[Any], Any]] = {Words: _text, Instant: _moment, Boolean: bool}


def insert_if_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert one row if it is not there yet; tell whether it was new."""
    # SQLAlchemy counts the rows of an insert only when told to, and those of a list of rows never.
    statement = flavour(connection.dialect.name).insert(table).values(row).on_conflict_do_nothing()
    done = connection.execute(statement, execution_options={"preserve_rowcount": True})
    return bool(done.rowcount == 1)


def flavour(dialect: str) -> ModuleType:
    """Return the dialect whose insert knows what to do about conflicts."""
    if dialect != "postgresql":
        return sqlite
    # Its dialects cost 2 MiB, which only those have to pay who use it.
    from sqlalchemy.dialects import postgresql

    return postgresql


def upsert(connection: Connection, table: Table, key: list[str], new: list[dict[str, Any]]) -> None:
    """Insert the rows, in place of those that have the same key."""
    statement = flavour(connection.dialect.name).insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=others), new)
