"""Many values, or many rows, as one parameter: one statement, which stays the same whatever their number.

A driver that is handed rows runs the statement once for each of them, and takes and gives back Python's lock
every time: under load that takes longer than the writing.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Dialect,
    String,
    Table,
    Text,
    TypeDecorator,
    bindparam,
    cast,
    func,
    select,
    true,
    update,
)
from sqlalchemy.sql.base import Executable

from relay.model.text import storable_tree
from relay.store.inserting import flavour
from relay.store.schema import to_microseconds


class _Json(TypeDecorator[str]):
    """A list as the database takes it apart."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str:
        return as_json(value)


def as_json(value: Any) -> str:
    """Return a value as JSON that every database takes; times are as columns have them."""
    text = json.dumps(value, default=_plain)
    # What is not storable hides behind an escape.
    return json.dumps(_storable(value)) if "\\u0000" in text or "\\ud" in text else text


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_microseconds(value)
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _storable(value: Any) -> Any:
    return storable_tree(json.loads(json.dumps(value, default=_plain)))


def among(column: ColumnElement[Any], name: str, dialect: str) -> ColumnElement[bool]:
    """Return that a column has one of the values that are given as the parameter ``name``, a list."""
    values = bindparam(name, type_=_Json)
    if dialect == "sqlite":
        return column.in_(select(func.json_each(values).table_valued("value").c.value))
    elements = func.json_array_elements_text(cast(values, JSON)).table_valued("value")
    return column.in_(select(cast(elements.c.value, column.type)))


def update_rows(connection: Connection, table: Table, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update rows by their key; all have the same columns, the key among them."""
    if rows:
        names = tuple(rows[0])
        statement = _update(connection.dialect.name, table, key, names)
        connection.execute(statement, {"rows": _values(rows)})


def upsert_rows(
    connection: Connection, table: Table, key: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows, in place of those that have the same key; all have the same columns."""
    if rows:
        names = tuple(rows[0])
        statement = _upsert(connection.dialect.name, table, key, names)
        connection.execute(statement, {"rows": _values(rows)})


def _values(rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    return [list(row.values()) for row in rows]


@lru_cache
def _update(dialect: str, table: Table, key: str, names: tuple[str, ...]) -> Executable:
    given = _given(dialect, table, names)
    values = {name: column for name, column in given.items() if name != key}
    return update(table).where(table.c[key] == given[key]).values(values)


@lru_cache
def _upsert(dialect: str, table: Table, key: tuple[str, ...], names: tuple[str, ...]) -> Executable:
    given = select(*_given(dialect, table, names).values()).where(true())
    made = flavour(dialect).insert(table).from_select(names, given)
    others = {name: made.excluded[name] for name in names if name not in key}
    statement: Executable = made.on_conflict_do_update(index_elements=key, set_=others)
    return statement


def _given(dialect: str, table: Table, names: Collection[str]) -> dict[str, ColumnElement[Any]]:
    """Return the columns of the rows that are given as the parameter ``rows``: a list of lists."""
    rows = bindparam("rows", type_=_Json)
    if dialect == "sqlite":
        each = func.json_each(rows).table_valued("value", name="given").c.value
        return {name: func.json_extract(each, f"$[{place}]") for place, name in enumerate(names)}
    each = func.json_array_elements(cast(rows, JSON)).table_valued("value", name="given").c.value
    return {
        name: cast(each.op("->>", return_type=String())(place), table.c[name].type)
        for place, name in enumerate(names)
    }
