"""Pages of listings, the newest first: each is had by an index, or ends after a bounded number of rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    Table,
    collate,
    func,
    literal_column,
    select,
    union_all,
)

from relay.model.text import storable
from relay.store.parts import parts

T = TypeVar("T")
P = TypeVar("P")

MOST_ROWS = 200
"""Rows of a page at the most."""
MOST_SCANNED = 100_000
"""Rows that are looked at for one page, where no index leads to what is wanted."""
MOST_SEARCHED = 20_000
"""Rows of which the texts are searched for one page: that takes longer."""
LATE = timedelta(hours=1)
"""How much later than its time something may have been stored, and still be found by it."""
_LONGEST = 200

Arm = Sequence[ColumnElement[bool]]
"""Conditions that an index answers in the order of ``seq``."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T, P]):
    """Rows, and ``next``: what to ask for as ``before`` to have the page behind it, None if there is none.

    ``cut`` tells that looking ended before the page was full, since so much had been looked through: what is
    behind ``next`` was not looked at, and there need not be anything.
    """

    rows: tuple[T, ...]
    next: P | None = None
    cut: bool = False


def bounded(limit: int) -> int:
    """Return how many rows a page has, if so many are asked for."""
    return max(1, min(limit, MOST_ROWS))


def page_by_seq(
    connection: Connection,
    table: Table,
    arms: Sequence[Arm],
    others: Arm,
    read: Callable[[RowMapping], T],
    *,
    before: int | None = None,
    limit: int = 50,
    most: int,
    check: Callable[[T], bool] | None = None,
) -> Page[T, int]:
    """Return the rows for which any of the arms holds (none does if there are none) and all of the others do.

    No row may be of two arms. ``check`` has the last word on a row. At most ``most`` rows of the arms are
    looked at.
    """
    limit, seq = bounded(limit), table.c.seq
    if not arms:
        return Page(())
    behind = [] if before is None else [seq < before]
    end = _end(connection, table, arms, behind, most) if others or check else None
    inside = [*behind, *others, *([] if end is None else [seq >= end])]
    found: list[T] = []
    place: int | None = None
    while True:
        started = inside if place is None else [*inside, seq < place]
        seqs = list(connection.execute(_seqs(table, arms, started, limit + 1)).scalars())
        for row in _rows(connection, table, seqs):
            one = read(row)
            if check is None or check(one):
                if len(found) == limit:
                    return Page(tuple(found), place)
                found.append(one)
                # Only after a row of the page: what the check refuses is cheap to look at again.
                place = row["seq"]
        if len(seqs) <= limit:
            return Page(tuple(found), end, cut=end is not None)
        place = seqs[-1]


def _seqs(table: Table, arms: Sequence[Arm], conditions: Arm, limit: int) -> Select[Any]:
    """Select the numbers of the newest rows of the arms, with the conditions."""
    selects = [select(table.c.seq.label("seq")).where(*arm, *conditions) for arm in arms]
    if len(selects) == 1:
        return selects[0].order_by(table.c.seq.desc()).limit(limit)
    # The arms are merged as they come, each in its order.
    merged: Any = union_all(*selects).order_by(literal_column("seq").desc()).limit(limit)
    return merged  # type: ignore[no-any-return]


def _end(connection: Connection, table: Table, arms: Sequence[Arm], behind: Arm, most: int) -> int | None:
    """Return the number of the last row that is to be looked at, None if there are not that many."""
    newest = _seqs(table, arms, behind, most).subquery()
    least, count = connection.execute(select(func.min(newest.c.seq), func.count())).one()
    return least if count == most else None


def _rows(connection: Connection, table: Table, seqs: Sequence[int]) -> list[RowMapping]:
    found = {}
    for part in parts(seqs):
        for row in connection.execute(select(table).where(table.c.seq.in_(part))).mappings():
            found[row["seq"]] = row
    return [found[seq] for seq in seqs if seq in found]


def between(
    connection: Connection,
    table: Table,
    at: Column[Any],
    since: datetime | None,
    until: datetime | None,
    kept: Callable[[datetime], Any] = lambda moment: moment,
) -> list[ColumnElement[bool]]:
    """Return the conditions for rows of a time, as its column has it: since is included, until is not.

    What was stored in another order than its times, by more than LATE, may be left out.
    """
    conditions: list[ColumnElement[bool]] = []
    if since is not None:
        conditions += [
            at >= kept(since),
            table.c.seq >= _first_at(connection, table, at >= kept(since - LATE)),
        ]
    if until is not None:
        conditions += [at < kept(until), table.c.seq < _first_at(connection, table, at >= kept(until + LATE))]
    return conditions


def _first_at(connection: Connection, table: Table, reached: ColumnElement[bool]) -> int:
    """Return the number of the first row by which a time is reached, as if they were in the order of theirs.

    No index has the times: they grow with the numbers, so that a few dozen rows tell.
    """
    seq = table.c.seq
    low: int = connection.execute(select(func.min(seq))).scalar() or 0
    high: int = (connection.execute(select(func.max(seq))).scalar() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            select(seq, reached).where(seq >= middle).order_by(seq).limit(1)
        ).one_or_none()
        if row is None or row[1]:
            high = middle
        else:
            low = row[0] + 1
    return low


def contains(connection: Connection, text: ColumnElement[str], wanted: str) -> ColumnElement[bool]:
    """Return the condition that a text contains another. Capitals of ASCII are as small letters.

    Other letters are any, since what databases take for the same letter differs: see ``holds``.
    """
    pattern = "".join(_ESCAPED.get(each, each if each.isascii() else "%") for each in wanted[:_LONGEST])
    if connection.dialect.name == "postgresql":
        # Of all collations this one takes the least time.
        return collate(text, "C").ilike(f"%{pattern}%", escape="\\")
    return text.like(f"%{pattern}%", escape="\\")


_ESCAPED = {"%": r"\%", "_": r"\_", "\\": r"\\"}


def holds(wanted: str, *texts: str) -> bool:
    """Tell whether any of the texts contains another, without regard to capitals."""
    small = storable(wanted)[:_LONGEST].lower()
    return any(small in text.lower() for text in texts)


def is_glob(text: str) -> bool:
    """Tell whether a text is a pattern: ``*`` stands for anything, ``?`` for one character."""
    return "*" in text or "?" in text


def matches(text: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Return the condition that a text is what a pattern says."""
    if not is_glob(pattern):
        return text == pattern
    like = "".join(_WILD.get(each, _ESCAPED.get(each, each)) for each in pattern[:_LONGEST])
    return text.like(like, escape="\\")


_WILD = {"*": "%", "?": "_"}
