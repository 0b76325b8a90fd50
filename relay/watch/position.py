"""How far a changefeed has been read. Pure; kept in the store as the feed's cursor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from relay.model.ids import stable_id
from relay.msr import Record, Unreadable

BEGINNING = "0"
"""The change_id behind which a feed shows everything."""

_UNKNOWN = datetime(1, 1, 1, tzinfo=UTC)
"""What notary shows for a time that it does not have."""
_REACH = 1.5
"""How much more than the overlap is kept: a busy feed is not swept at every look."""
_PARTS = 5
"""Into how many parts the overlap is divided by marks."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A record, as far as it takes to find it again, and to know it from another one with the same id.

    ``gun`` is a hash: names may be long, and a cursor is to stay small.
    """

    id: str
    at: datetime = _UNKNOWN
    gun: str = ""

    @classmethod
    def of(cls, record: Record | Unreadable) -> "Mark | None":
        """Return the mark of a record, None if it has no id to go on from."""
        if record.id is None:
            return None
        return cls(record.id, _time(record), stable_id("gun", record.gun))

    @classmethod
    def passing(cls, records: Sequence[Record | Unreadable]) -> "list[Mark]":
        """Return the marks of records that follow each other. Only the last may become a head: of the others
        it is not told which repository they are of."""
        marks = [cls(record.id, _time(record)) for record in records[:-1] if record.id is not None]
        last = None if not records else cls.of(records[-1])
        return marks if last is None else [*marks, last]

    def same(self, other: "Mark | None") -> bool:
        """Tell whether both are one record. What could not be read of one of them does not count."""
        if other is None or self.id != other.id:
            return False
        return _UNKNOWN in (self.at, other.at) or (self.at, self.gun) == (other.at, other.gun)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a watch stands in a feed.

    ``head`` is the last record that was read, None before the first; ``behind`` is the change_id behind
    which it shows. ``floor`` is the change_id behind which an overlap may begin at the earliest: just
    before ``start``, so that reading from there shows whether the feed is still the same one. Nothing up
    to ``start`` is told; None: the watch began at the feed's beginning. ``marks`` are records spread over
    the overlap before the head, oldest first.

    ``since``: nothing older than this is told. ``reset`` says why a rebuilt feed is being read again from
    its beginning, None if it is not; ``lost`` is the record that was the head before that, ``reread`` how
    many records have been read since, ``origin`` the record that the watch once began behind.
    """

    head: Mark | None = None
    behind: str = BEGINNING
    floor: str = BEGINNING
    start: Mark | None = None
    marks: tuple[Mark, ...] = ()
    since: datetime | None = None
    origin: Mark | None = None
    reset: str | None = None
    lost: str = ""
    reread: int = 0

    @classmethod
    def after(cls, records: Sequence[Record | Unreadable], since: datetime | None = None) -> "Position":
        """Return where a watch begins that tells only what follows the last of these records.

        The one before it is the floor; with fewer than two that is the feed's beginning.
        """
        marks = [mark for mark in map(Mark.of, records) if mark is not None]
        if not marks:
            return cls(since=since)
        floor = marks[-2].id if len(marks) > 1 else BEGINNING
        return cls(head=marks[-1], behind=floor, floor=floor, start=marks[-1], since=since)

    @classmethod
    def read(cls, text: str) -> "Position":
        """Return the position that ``write`` wrote."""
        return _ADAPTER.validate_json(text)

    def write(self) -> str:
        """Return the position as a text."""
        return _ADAPTER.dump_json(self, exclude_defaults=True).decode()

    def anchor(self, overlap: timedelta) -> str:
        """Return the change_id a whole overlap behind the head, or the floor."""
        if self.marks and self.marks[0].at < _edge(self.marks, overlap):
            return self.marks[0].id
        return self.floor

    def passed(self, marks: Sequence[Mark], overlap: timedelta, now: datetime) -> "Position":
        """Return the position after reading the records that follow the head, in the feed's order.

        ``now`` bounds their times: a record from the future must not make all others look old.
        """
        if not marks:
            return self
        kept = list(self.marks)
        for mark in marks:
            at = min(mark.at, now)
            if at > _UNKNOWN and (not kept or at - kept[-1].at >= overlap / _PARTS):
                kept.append(Mark(mark.id, at))
        edge = _edge(kept, overlap)
        old = [mark for mark in kept if mark.at < edge]
        before = marks[-2] if len(marks) > 1 else self.head
        return replace(
            self,
            head=marks[-1],
            behind=self.floor if before is None else before.id,
            marks=(*old[-1:], *kept[len(old) :]),
            reread=self.reread + len(marks) if self.reset is not None else 0,
        )

    def restarted(self, reason: str, horizon: datetime) -> "Position":
        """Return the position for reading a rebuilt feed from its beginning.

        ``horizon`` is how far back the store remembers: what is older cannot be told from what is known.
        """
        began = self.since or (_UNKNOWN if self.start is None else self.start.at)
        return Position(
            since=max(began, horizon),
            origin=self.start or self.origin,
            reset=reason,
            lost=self.lost if self.head is None else self.head.id,
        )

    def recovered(self) -> "Position":
        """Return the position once a rebuilt feed has been read."""
        return replace(self, reset=None, lost="", reread=0)

    def knows(self, record: Record | Unreadable) -> bool:
        """Tell whether a record is older than the watch by its time or by what it is, wherever it stands.

        One whose time is not known is not.
        """
        if not has_time(record) or not isinstance(record, Record):
            return False
        old = self.since is not None and record.created_at < self.since
        if old or self.origin is None or record.created_at != self.origin.at:
            return old
        return stable_id("gun", record.gun) == self.origin.gun


def _time(record: Record | Unreadable) -> datetime:
    return record.created_at if isinstance(record, Record) and has_time(record) else _UNKNOWN


def has_time(record: Record | Unreadable) -> bool:
    """Tell whether it is known when a record was made."""
    return isinstance(record, Record) and record.created_at.year != _UNKNOWN.year


def _edge(marks: Sequence[Mark], overlap: timedelta) -> datetime:
    """Return the time a whole overlap, and what is kept beyond it, before the last mark."""
    if not marks:
        return _UNKNOWN
    at, span = marks[-1].at, overlap * _REACH
    return at - span if at - _UNKNOWN > span else _UNKNOWN


_ADAPTER = TypeAdapter(Position)
