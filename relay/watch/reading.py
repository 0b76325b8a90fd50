"""One way through a changefeed, record by record: what of it is to be told. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from relay.model.details import UnreadableRecord
from relay.model.event import Subject, SubjectKind
from relay.model.ids import stable_id
from relay.model.observation import Fact
from relay.model.trust_details import TrustDeletion, TrustUpdate
from relay.msr import Category, Page, Record, Unreadable, split
from relay.watch.position import Mark, Position, has_time

_DELETION: Final = TrustDeletion(record_id="", version=0, sha256="", feed="").plain()
_UPDATE: Final = TrustUpdate(record_id="", version=0, sha256="", feed="").plain()
"""The details of records of which nothing is known: made once, for there are thousands on a page or two."""

Key = tuple[str, ...]
Keyed = tuple[Key, Record | Unreadable]


class LostError(Exception):
    """The feed no longer shows a record that it showed before; the message says how that was noticed."""


@dataclass(slots=True)
class Reading:
    """Records in the feed's order, from ``change_id`` on: which lie behind the head, which may be told."""

    position: Position
    change_id: str
    found: bool = field(init=False)
    """Whether the head has been met, so that what follows is new, and the feed is the one it was."""
    _started: bool = field(init=False)
    _fresh: list[Record | Unreadable] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        position = self.position
        self.found = position.head is None
        self._started = position.start is None or self.change_id != position.floor

    def step(self, record: Record | Unreadable) -> bool:
        """Take the next record; tell whether it may be told. Raises LostError if the start is missing."""
        tell = self._started and not self.position.knows(record)
        if record.id is None:
            return tell
        if self.found:
            self._fresh.append(record)
            return tell
        mark = Mark.of(record)
        assert mark is not None, "it has an id"
        self._started = self._started or mark.same(self.position.start)
        if mark.same(self.position.head):
            self.found = True
            if not self._started:
                raise LostError("the record that the watch began behind is no longer in the feed")
        return tell

    def take(self, page: Page) -> list[Keyed]:
        """Take a page; return the records of it that may be told, each with its key."""
        return [(key_of(record), record) for record in page.records if self.step(record)]

    def fresh(self) -> list[Mark]:
        """Return the marks of the records that were taken behind the head since the last call."""
        fresh, self._fresh = self._fresh, []
        return Mark.passing(fresh)


def key_of(record: Record | Unreadable) -> Key:
    """Return what makes a record this one: a rebuilt feed uses ids again, so the id is not enough."""
    if isinstance(record, Unreadable):
        return ("unreadable", record.id or "", stable_id("raw", record.raw))
    return (record.id, record.created_at.isoformat(), record.gun)


def fact_of(record: Record | Unreadable, source: str, registry_host: str, now: datetime) -> Fact:
    """Return what a record of the feed ``source`` tells; ``now`` stands for a time that it does not have."""
    name = split(record.gun, registry_host).repository
    subject = Subject(SubjectKind.REPOSITORY, name, gun=record.gun)
    if isinstance(record, Unreadable):
        return Fact(
            type="trust.unreadable",
            identity=key_of(record),
            subject=subject,
            summary=f"A record of the changefeed{f' about {name}' if name else ''} cannot be read",
            happened_at=now,
            details=UnreadableRecord(reason=record.reason, excerpt=record.raw, feed=source).plain(),
        )
    deleted = record.category is Category.DELETION
    what = "was deleted" if deleted else f"was updated to version {record.version}"
    return Fact(
        type="trust.deleted" if deleted else "trust.updated",
        identity=key_of(record),
        subject=subject,
        summary=f"Trust data of {name or 'a repository without a name'} {what}",
        happened_at=record.created_at if has_time(record) else now,
        details={
            **(_DELETION if deleted else _UPDATE),
            "record_id": record.id,
            "version": record.version,
            "sha256": record.sha256,
            "feed": source,
        },
    )
