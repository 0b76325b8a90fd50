"""An imitation of notary's changefeed, on RethinkDB as MSR has it or on an SQL database.

What it does was read in notary 0.7.0 (`server/storage/rethinkdb.go` and `sqldb.go`), and, for SQL, is held
against the real server by the contract tests.
"""

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from relay.demo.signing import SignedRepository
from relay.model.clock import Clock

_INTEGER = re.compile(r"[+-]?\d+", flags=re.ASCII)
_INT32 = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the feed."""

    id: str
    created_at: datetime
    gun: str
    version: int
    sha256: str
    category: str

    def document(self) -> dict[str, object]:
        """As notary writes it."""
        return {
            "ID": self.id,
            "CreatedAt": go_time(self.created_at),
            "GUN": self.gun,
            "Version": self.version,
            "SHA256": self.sha256,
            "Category": self.category,
        }


class BadQueryError(Exception):
    """The back end cannot read the change id: notary answers 400."""


class BackEndError(Exception):
    """The back end failed: notary answers 500."""


class BackEnd(Protocol):
    """What differs between databases."""

    blank_sha256: str
    """What the column holds when there is none."""

    def next_id(self) -> str:
        """The id of a record that is written now."""

    def id_before(self, entry: Entry, taken: set[str]) -> str:
        """An id for a record that sorts just before an entry."""

    def order(self, entry: Entry) -> tuple[object, ...]:
        """What records are sorted by."""

    def visible_before(self, now: datetime) -> datetime | None:
        """Only records older than that are shown; None: all."""

    def cursor(self, change_id: str, entries: Iterable[Entry]) -> tuple[object, ...] | None:
        """The place in the order that a change id stands for; None for the ends.

        Raises BadQueryError or BackEndError.
        """

    def restart(self) -> None:
        """Begin anew, with an empty database."""


class RethinkDb:
    """UUIDs, ordered by time. A record is shown once it is of a certain age."""

    blank_sha256 = ""

    def __init__(self, random: Random, blackout: timedelta = timedelta(seconds=60)) -> None:
        self._random = random
        self._blackout = blackout

    def next_id(self) -> str:
        """A random UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def id_before(self, entry: Entry, taken: set[str]) -> str:  # noqa: ARG002 - any UUID is free
        """Any id does: the order is that of time."""
        return self.next_id()

    def order(self, entry: Entry) -> tuple[object, ...]:
        """By time, then id."""
        return entry.created_at, entry.id

    def visible_before(self, now: datetime) -> datetime | None:
        """The blackout's end."""
        return now - self._blackout

    def cursor(self, change_id: str, entries: Iterable[Entry]) -> tuple[object, ...] | None:
        """The entry of that id; `0` and `-1` are the ends, anything unknown is an error of the back end."""
        if change_id in {"0", "-1"}:
            return None
        for entry in entries:
            if entry.id == change_id:
                return self.order(entry)
        raise BackEndError("gorethink: The result does not contain any more rows")

    def restart(self) -> None:
        """UUIDs do not begin anew."""


class Sql:
    """Numbers with gaps, shown at once. An unknown one is just a number: nothing comes after it."""

    blank_sha256 = " " * 64

    def __init__(self, random: Random) -> None:
        self._random = random
        self._last = 0

    def next_id(self) -> str:
        """One more, or two: a number that a failed transaction took is lost."""
        self._last += self._random.choice((1, 2))
        return str(self._last)

    def id_before(self, entry: Entry, taken: set[str]) -> str:
        """The nearest number below that is free."""
        free = (str(number) for number in range(int(entry.id) - 1, 0, -1))
        return next(number for number in free if number not in taken)

    def order(self, entry: Entry) -> tuple[object, ...]:
        """By number."""
        return (int(entry.id),)

    def visible_before(self, now: datetime) -> datetime | None:  # noqa: ARG002 - time does not matter here
        """All are shown."""
        return None

    def cursor(self, change_id: str, entries: Iterable[Entry]) -> tuple[object, ...] | None:  # noqa: ARG002
        """The number; one below 1 is an end."""
        try:
            number = go_int(change_id) if change_id else 0
        except ValueError as error:
            raise BadQueryError from error
        return (number,) if number > 0 else None

    def restart(self) -> None:
        """Numbers begin at 1 again."""
        self._last = 0


class Feed:
    """The trust data of some repositories, as far as the changefeed shows it."""

    def __init__(self, back_end: BackEnd, clock: Clock, random: Random) -> None:
        self._back_end = back_end
        self._clock = clock
        self._random = random
        self._entries: list[Entry] = []
        self._signed: dict[str, SignedRepository] = {}

    def sign(self, gun: str, tags: Mapping[str, str] | None = None) -> str:
        """Publish trust data: an `update` one version up, or of version 1. Returns the record's id.

        ``tags`` are SHA-256 in hex by tag; None: a new `latest`.
        """
        now = self._clock.now()
        repository = self._signed.get(gun) or SignedRepository(gun, self._random, now)
        self._signed[gun] = repository
        digest = repository.publish(now, tags)
        return self._add(self._back_end.next_id(), now, gun, repository.version, digest)

    def trust_file(self, gun: str, name: str) -> bytes | None:
        """Return a file of a repository's trust data, None if there is none."""
        return self._signed[gun].file(name) if gun in self._signed else None

    def delete(self, gun: str) -> str | None:
        """Delete trust data: a `deletion`. Of what does not exist nothing is deleted and None returned."""
        if self._signed.pop(gun, None) is None:
            return None
        return self._add(self._back_end.next_id(), self._clock.now(), gun, 0)

    def slip_in(self, gun: str, before: str) -> str:
        """Write a deletion that sorts just before a record which may have been read already."""
        after = next(entry for entry in self._entries if entry.id == before)
        new = self._back_end.id_before(after, {entry.id for entry in self._entries})
        return self._add(new, after.created_at - timedelta(microseconds=1), gun, 0)

    def lose(self, record: str) -> None:
        """Remove a record, as a restored backup does."""
        self._entries = [entry for entry in self._entries if entry.id != record]

    def rebuild(self) -> None:
        """Begin with an empty database."""
        self._entries.clear()
        self._signed.clear()
        self._back_end.restart()

    def select(self, change_id: str, records: int, gun: str | None) -> list[Entry]:
        """What notary answers, oldest first. Raises BadQueryError or BackEndError."""
        mine = [entry for entry in self._entries if gun is None or entry.gun == gun]
        cursor = self._back_end.cursor(change_id, self._entries)
        backwards = records < 0 or change_id.startswith("-")
        shown = sorted((entry for entry in mine if self._is_shown(entry)), key=self._back_end.order)
        if cursor is not None:
            shown = [entry for entry in shown if self._is_beyond(entry, cursor, backwards)]
        count = abs(records)
        return shown[-count:] if backwards else shown[:count]

    def _is_shown(self, entry: Entry) -> bool:
        end = self._back_end.visible_before(self._clock.now())
        return end is None or entry.created_at < end

    def _is_beyond(self, entry: Entry, cursor: tuple[object, ...], backwards: bool) -> bool:
        place = self._back_end.order(entry)
        return place < cursor if backwards else place > cursor

    def _add(self, new: str, now: datetime, gun: str, version: int, digest: str = "") -> str:
        sha256 = digest or self._back_end.blank_sha256
        category = "update" if version else "deletion"
        self._entries.append(Entry(new, now, gun, version, sha256, category))
        return new


def go_int(text: str) -> int:
    """A number as Go reads it into 32 bits; ValueError with Go's words."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text) > 11 or int(text) not in _INT32:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def go_time(moment: datetime) -> str:
    """A time in UTC as Go writes it: RFC 3339 with as many digits of the fraction as are needed."""
    seconds, fraction = f"{moment:%Y-%m-%dT%H:%M:%S}", f"{moment.microsecond:06d}".rstrip("0")
    return f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z"
