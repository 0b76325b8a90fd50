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
    or_,
    select,
    union_all,
)

from relay.model.text import storable
from relay.store.parts import parts
from relay.store.schema import SUBJECT_LENGTH, subject_cut

T = TypeVar("T")
P = TypeVar("P")

MOST_ROWS = 200
"""Rows of a page at the most."""
MOST_SCANNED = 50_000
"""Rows that are looked at for one page, where no index leads to what is wanted."""
MOST_SEARCHED = 20_000
"""Rows of which the texts are searched for one page: that takes longer."""
_FIRST_LOOK = 1_000
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
    within: Arm = (),
    before: int | None = None,
    limit: int = 50,
    most: int,
) -> Page[T, int]:
    """Return the rows for which any of the arms holds (none does if there are none) and all of the others do.

    No row may be of two arms. ``within`` are conditions of ``seq``: what is outside is not looked at. At most
    ``most`` rows of the arms are looked at.
    """
    limit, seq = bounded(limit), table.c.seq
    if not arms:
        return Page(())
    place, seqs = before, list[int]()
    # What is not rare is found among the first rows: only what is rare costs looking at many.
    for size in (most,) if most <= _FIRST_LOOK else (_FIRST_LOOK, most - _FIRST_LOOK):
        behind = [*within, *([] if place is None else [seq < place])]
        place = _end(connection, table, arms, behind, size) if others else None
        inside = [*behind, *others, *([] if place is None else [seq >= place])]
        seqs += connection.execute(_seqs(table, arms, inside, limit + 1 - len(seqs))).scalars()
        if place is None or len(seqs) > limit:
            break
    rows = tuple(map(read, _rows(connection, table, seqs[:limit])))
    if len(seqs) > limit:
        return Page(rows, seqs[limit - 1])
    return Page(rows, place, cut=place is not None)


def _seqs(table: Table, arms: Sequence[Arm], conditions: Arm, limit: int) -> Select[Any]:
    """Select the numbers of the newest rows of the arms, with the conditions."""
    newest = [
        select(table.c.seq).where(*arm, *conditions).order_by(table.c.seq.desc()).limit(limit) for arm in arms
    ]
    if len(newest) == 1:
        return newest[0]
    # Each by itself: PostgreSQL would read all that the arms have, and put it in order.
    merged = union_all(*(select(each.subquery().c.seq) for each in newest)).subquery()
    return select(merged.c.seq).order_by(merged.c.seq.desc()).limit(limit)


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
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """Return between which numbers rows of a time are, and the conditions that they are of that time.

    ``since`` is included, ``until`` is not. What was stored in another order than its times, by more than
    LATE, may be left out.
    """
    numbers: list[ColumnElement[bool]] = []
    times: list[ColumnElement[bool]] = []
    if since is not None:
        numbers.append(table.c.seq >= _first_at(connection, table, at >= kept(_moved(since, -LATE))))
        times.append(at >= kept(since))
    if until is not None:
        numbers.append(table.c.seq < _first_at(connection, table, at >= kept(_moved(until, LATE))))
        times.append(at < kept(until))
    return numbers, times


def _moved(at: datetime, by: timedelta) -> datetime:
    """Return a time that was moved, or at the ends of all time as it is."""
    try:
        return at + by
    except OverflowError:
        return at


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
    """Return the condition that a text contains another, without regard to capitals.

    Of other letters than ASCII's databases do not agree which are the same: those are found as they are
    written, all small, all capitals, or the first one a capital.
    """
    wanted = storable(wanted)[:_LONGEST]
    spelled = dict.fromkeys([wanted])
    if not wanted.isascii():
        spelled |= dict.fromkeys([wanted.lower(), wanted.upper(), wanted.capitalize()])
    patterns = [f"%{''.join(_ESCAPED.get(each, each) for each in one)}%" for one in spelled]
    if connection.dialect.name == "postgresql":
        # Of all collations this one takes the least time.
        return or_(*(collate(text, "C").ilike(each, escape="\\") for each in patterns))
    return or_(*(text.like(each, escape="\\") for each in patterns))


_ESCAPED = {"%": r"\%", "_": r"\_", "\\": r"\\"}


def named(subject: Column[Any], name: str) -> Arm:
    """Return the conditions that a subject has a name, which the index of its beginning answers."""
    # SQLite would put the value of a plain comparison into the other condition, and not know the index in it.
    return [subject_cut == name[:SUBJECT_LENGTH], func.coalesce(subject, "") == name]


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
