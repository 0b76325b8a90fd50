"""How far a changefeed has been read. Pure; kept in the store as the feed's cursor."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from relay.msr import Record, Unreadable

BEGINNING = "0"
"""The change_id behind which a feed shows everything."""

_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_PARTS = 10
"""Into how many parts the overlap is divided by marks."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A record, as far as it takes to find it again, and to know it from another one with the same id."""

    id: str
    at: datetime = _EPOCH
    gun: str = ""

    @classmethod
    def of(cls, record: Record | Unreadable) -> "Mark | None":
        """Return the mark of a record, None if it has no id to go on from."""
        if isinstance(record, Record):
            return cls(record.id, record.created_at, record.gun)
        return None if record.id is None else cls(record.id, gun=record.gun)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a watch stands in a feed.

    ``head`` is the last record that was read, None before the first. ``floor`` is the change_id behind
    which an overlap may begin at the earliest: just before ``start``, so that reading from there shows
    whether the feed is still the same one. Nothing up to ``start`` is told; None: the watch began at the
    feed's beginning. ``marks`` are records spread over the overlap before the head, oldest first.

    ``since``: after a rebuild nothing older than this is told. ``reset`` says why the feed is being read
    again from its beginning, None if it is not; ``lost`` is the record that was the head before that,
    ``reread`` how many records have been read since.
    """

    head: Mark | None = None
    floor: str = BEGINNING
    start: Mark | None = None
    marks: tuple[Mark, ...] = ()
    since: datetime | None = None
    reset: str | None = None
    lost: str = ""
    reread: int = 0

    @classmethod
    def behind(cls, records: Sequence[Record | Unreadable]) -> "Position":
        """Return where a watch begins that tells only what follows the last of these records.

        The one before it is the floor; with fewer than two that is the feed's beginning.
        """
        marks = [mark for mark in map(Mark.of, records) if mark is not None]
        if not marks:
            return cls()
        floor = marks[-2].id if len(marks) > 1 else BEGINNING
        return cls(head=marks[-1], floor=floor, start=marks[-1])

    @classmethod
    def read(cls, text: str) -> "Position":
        """Return the position that ``write`` wrote."""
        return _ADAPTER.validate_json(text)

    def write(self) -> str:
        """Return the position as a text."""
        return _ADAPTER.dump_json(self).decode()

    def anchor(self, overlap: timedelta) -> str:
        """Return the change_id a whole overlap behind the head, or the floor."""
        if self.head is None:
            return self.floor
        old = [mark for mark in self.marks if mark.at <= _before(self.head.at, overlap)]
        return old[-1].id if old else self.floor

    def passed(self, marks: Sequence[Mark], overlap: timedelta) -> "Position":
        """Return the position after reading the records that follow the head, in the feed's order."""
        if not marks:
            return self
        kept = list(self.marks)
        for mark in marks:
            if not kept or mark.at - kept[-1].at >= overlap / _PARTS:
                kept.append(mark)
        head = marks[-1]
        edge = _before(max(head.at, kept[-1].at), overlap)
        old = [mark for mark in kept if mark.at <= edge]
        needed = (*old[-1:], *(mark for mark in kept if mark.at > edge))
        reread = self.reread + len(marks) if self.reset is not None else 0
        return replace(self, head=head, marks=needed, reread=reread)

    def restarted(self, reason: str, horizon: datetime) -> "Position":
        """Return the position for reading a rebuilt feed from its beginning.

        ``horizon`` is how far back the store remembers: what is older cannot be told from what is known.
        """
        began = self.since or (_EPOCH if self.start is None else self.start.at)
        lost = "" if self.head is None else self.head.id
        return Position(since=max(began, horizon), reset=reason, lost=lost)

    def recovered(self) -> "Position":
        """Return the position once a rebuilt feed has been read."""
        return replace(self, reset=None, lost="", reread=0)


def _before(at: datetime, span: timedelta) -> datetime:
    return at - span if at - _EPOCH > span else _EPOCH


_ADAPTER = TypeAdapter(Position)
