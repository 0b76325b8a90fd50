"""The evidence log: entries of which each holds the hash of the one before.

An entry's hash is SHA-256 over ``msr-relay/evidence/entry/1``, a newline, and the JSON list of its fields
(UTF-8, no blanks, no escapes but those that JSON needs): seq, at (microseconds since 1970), cluster, kind,
subject, body, signature, prev. It covers the signature too,
so that no column can be changed unnoticed. What is signed is ``msr-relay/evidence/KIND/1``, a newline, and
the body: it states a hash of the chain, so the signature vouches for everything before.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, Protocol

from pydantic_core import PydanticSerializationError, to_json

from relay.model.errors import Exit, RelayError

GENESIS: Final = "0" * 64
"""What the first entry of a chain has for the hash before it."""

_ENTRY: Final = b"msr-relay/evidence/entry/1\n"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Kind(StrEnum):
    """What entries hold; others may come, and verify as well."""

    RECORD = "record"
    """A record of notary's changefeed, as it was seen."""
    SNAPSHOT = "snapshot"
    """The trust data of a repository, as it was examined after an update."""
    ANCHOR = "anchor"
    """The head of the chain, told elsewhere."""
    CHECKPOINT = "checkpoint"
    """What stands for the entries that were pruned: always the first one."""


class BrokenChainError(RelayError):
    """The evidence does not hold together; the message names the first entry that is broken."""

    exit = Exit.BROKEN


class Signer(Protocol):
    """Signs what an entry states, and knows its own signatures."""

    def sign(self, statement: bytes) -> str:
        """Return the signature as entries keep it."""

    def made(self, signature: str | None, statement: bytes) -> bool:
        """Tell whether the signature is its own, and good."""


# Made once: json.dumps makes one at every call. A store that was tampered with may hold bytes.
_canonical: Final[Callable[[Any], str]] = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=repr
).encode


def canonical(value: Any) -> str:
    """Return a JSON value in the one form in which bodies are kept: sorted keys, no blanks, UTF-8."""
    return _canonical(value)


def statement(kind: str, body: str) -> bytes:
    """Return what the signature of an entry is over."""
    return f"msr-relay/evidence/{kind}/1\n{body}".encode(errors="surrogateescape")


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry that has no place in the chain yet; whoever hands it over decides that it belongs there."""

    at: datetime
    kind: str
    body: str
    cluster: str | None = None
    subject: str = ""
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as the store has it; after tampering, a field may be of any type.

    ``at`` is when the relay saw it, in microseconds since 1970. ``subject`` is the repository of a record,
    the channel of an anchor. ``body`` is canonical JSON.
    """

    seq: int
    at: int
    cluster: str | None
    kind: str
    subject: str
    body: str
    signature: str | None
    prev: str
    hash: str

    @property
    def time(self) -> datetime | None:
        """When the relay saw it; None if the store has no time there."""
        try:
            return _EPOCH + self.at * _MICROSECOND
        except (TypeError, OverflowError):
            return None

    @property
    def content(self) -> Mapping[str, Any]:
        """What the body holds; empty if it is no JSON object."""
        try:
            found = json.loads(self.body)
        except (TypeError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def intact(self) -> bool:
        """Whether its content fits its hash."""
        # SQLite keeps any type in any column, and the same bytes as a text or as a blob look alike in JSON.
        typed = type(self.seq) is type(self.at) is int
        texts = (self.kind, self.subject, self.body, self.prev, self.hash)
        typed = typed and all(isinstance(each, str) for each in texts)
        typed = typed and all(isinstance(each, str | None) for each in (self.cluster, self.signature))
        return typed and self.digest() == self.hash

    def digest(self) -> str:
        """Return the hash that fits the other fields."""
        found = (
            self.seq,
            self.at,
            self.cluster,
            self.kind,
            self.subject,
            self.body,
            self.signature,
            self.prev,
        )
        return _digest(found)


def microseconds(at: datetime) -> int:
    """Return an aware time as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def link(seq: int, draft: Draft, prev: str) -> Entry:
    """Return the draft as the entry of that number behind the one of that hash."""
    return Entry(*fields(seq, draft, prev))


def fields(seq: int, draft: Draft, prev: str) -> tuple[Any, ...]:
    """Return the fields of that entry, in their order: making an entry takes as long as hashing it."""
    at = (draft.at - _EPOCH) // _MICROSECOND
    found = (seq, at, draft.cluster, draft.kind, draft.subject, draft.body, draft.signature, prev)
    return (*found, _digest(found))


def _digest(found: tuple[Any, ...]) -> str:
    try:
        # Three times as fast as json, and the same for what the relay writes itself.
        listed = to_json(found)
    except PydanticSerializationError:
        listed = _canonical(found).encode(errors="surrogateescape")
    return sha256(_ENTRY + listed).hexdigest()


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry of a chain: its number, 0 for none yet, and its hash."""

    seq: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def read(cls, text: str) -> "Head":
        """Return what ``SEQ:HASH`` says. Raises ValueError for anything else."""
        seq, _, found = text.strip().partition(":")
        digits = len(found) == len(GENESIS) and set(found.lower()) <= set("0123456789abcdef")
        if not (seq.isascii() and seq.isdigit() and len(seq) < 19 and digits):
            raise ValueError(f"{text[:100]!r} is no SEQ:HASH, with a hash of 64 hexadecimal digits")
        return cls(int(seq), found.lower())


def anchor_body(head: Head) -> str:
    """Return the body of an anchor, which is what its signature is over: always the entry just before it."""
    return canonical({"seq": head.seq, "hash": head.hash})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What stands for pruned entries: all up to ``through``, whose hash is ``hash``.

    ``first_at`` and ``last_at`` are the times of the first and last of them, in microseconds since 1970.
    Those up to ``unsigned`` were pruned, or anchored, without the key that signs this one.
    """

    through: int
    hash: str
    count: int
    first_at: int
    last_at: int
    unsigned: int

    @classmethod
    def of(cls, entry: Entry) -> "Checkpoint":
        """Return the checkpoint of an entry. Raises ValueError if it is none."""
        content = entry.content
        numbers = [content.get(name) for name in ("through", "count", "first_at", "last_at", "unsigned")]
        if entry.kind != Kind.CHECKPOINT or not all(type(number) is int for number in numbers):
            raise ValueError("it is no checkpoint")
        found = cls(**{name: content[name] for name in cls.__slots__})
        if (found.through, found.hash) != (entry.seq, entry.prev):
            raise ValueError("it stands for other entries than its place says")
        return found

    def entry(self, now: datetime, signer: Signer | None) -> Entry:
        """Return it as the entry that takes the place of the last one pruned."""
        body = canonical({name: getattr(self, name) for name in self.__slots__})
        signature = None if signer is None else signer.sign(statement(Kind.CHECKPOINT, body))
        draft = Draft(now, Kind.CHECKPOINT, body, signature=signature)
        return link(self.through, draft, self.hash)


@dataclass(frozen=True, slots=True)
class Broken:
    """The first entry that does not hold, or is missing, and why.

    ``earlier``: it is known by what contradicts it, and what was changed may as well lie before it.
    """

    seq: int
    why: str
    earlier: bool = False

    def __str__(self) -> str:
        return f"entry {self.seq} {self.why}"


class Chain:
    """Follows a chain, entry by entry, in constant memory.

    With ``gaps`` entries may be left out of it: those that stand side by side still have to fit.
    """

    def __init__(self, *, gaps: bool = False) -> None:
        self.head = Head()
        self._gaps = gaps
        self.checkpoint: Checkpoint | None = None
        self._begun = False

    def step(self, entry: Entry) -> Broken | None:
        """Take the next entry; return what is wrong with it, or with what should stand before it."""
        first, self._begun = not self._begun, True
        intact = entry.intact
        if first and entry.kind == Kind.CHECKPOINT and intact:
            return self._begin(entry)
        expected = self.head.seq + 1
        if self._gaps and entry.seq > expected:
            self.head, expected = Head(entry.seq - 1, entry.prev), entry.seq
        if entry.seq != expected:
            if first and not intact:
                return Broken(entry.seq, "was changed: its content does not fit its hash")
            if entry.seq < expected:
                return Broken(entry.seq, "is not of this chain: its number is too low")
            last = entry.seq - 1
            which = "is missing" if last == expected else f"is missing, and all up to entry {last}"
            return Broken(expected, f"{which}; no checkpoint stands for it" if first else which)
        if not intact:
            return Broken(entry.seq, "was changed: its content does not fit its hash")
        if entry.kind == Kind.CHECKPOINT:
            return Broken(entry.seq, "is a checkpoint, which only the first entry can be")
        if entry.prev != self.head.hash:
            why = f"does not follow entry {self.head.seq}: one of the two was replaced"
            return Broken(entry.seq, why, earlier=True)
        if entry.kind == Kind.ANCHOR and entry.body != anchor_body(self.head):
            return Broken(
                entry.seq, "is an anchor of another chain: an entry before it was replaced", earlier=True
            )
        self.head = Head(entry.seq, entry.hash)
        return None

    def _begin(self, entry: Entry) -> Broken | None:
        try:
            self.checkpoint = Checkpoint.of(entry)
        except (ValueError, TypeError) as error:
            return Broken(entry.seq, f"was not written by the relay: {error}")
        self.head = Head(self.checkpoint.through, self.checkpoint.hash)
        return None

    def ends(self, noted: Head | None) -> Broken | None:
        """Return what is wrong with the end, by what the store has noted as the last entry it wrote."""
        if noted == self.head or (noted is None and not self._begun):
            return None
        if noted is None:
            return Broken(self.head.seq, "is the last one, but the store's note of that is gone")
        if noted.seq > self.head.seq:
            return Broken(self.head.seq + 1, f"is missing: the store has written up to entry {noted.seq}")
        if noted.seq < self.head.seq:
            return Broken(noted.seq + 1, f"was not written by the relay: its last one is {noted.seq}")
        return Broken(noted.seq, "has another hash than the store noted when it wrote it")
