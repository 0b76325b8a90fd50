"""What the evidence says, for people: an entry in a few words, a repository's history. Pure."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from relay.engine.evidence import Verdict, Verifier
from relay.model.evidence import Entry, Head, Kind, canonical

DELETED: Final = "trust.deleted"
UPDATED: Final = "trust.updated"
UNREADABLE: Final = "trust.unreadable"
_ABOUT_THE_CHAIN: Final = (Kind.ANCHOR, Kind.CHECKPOINT)
_SUBJECTS: Final = 10_000
"""So many names are remembered, to name the near miss."""


class SignedTag(NamedTuple):
    """A tag, the role that signed it, and what it stands for: SHA-256 in hex and size in bytes, if known."""

    name: str
    role: str
    sha256: str
    length: int | None


class Signers(NamedTuple):
    """A role, and the ids of the keys that have signed its metadata."""

    role: str
    keys: tuple[str, ...]


class Said(NamedTuple):
    """What an entry of a repository says."""

    entry: Entry
    what: str
    """``deleted``, ``updated``, ``unreadable``, ``snapshot``, or the kind of what this release knows not."""
    words: str
    """The same in a few words."""
    facts: tuple[tuple[str, str], ...]
    """Label and value."""
    tags: tuple[SignedTag, ...]
    signers: tuple[Signers, ...]
    proven: bool
    """Whether the chain holds up to here."""

    @property
    def seen_at(self) -> datetime | None:
        """When the relay saw it; None if the store has no time there."""
        return self.entry.time

    @property
    def happened_at(self) -> datetime | None:
        """When it happened by notary's clock; None if that is not known."""
        return _time(self.entry.content.get("happened_at"))


def said(entry: Entry, *, proven: bool = False) -> Said:
    """Return what an entry of a repository says; ``proven``: the chain is known to hold up to it."""
    content = entry.content
    snapshot = entry.kind == Kind.SNAPSHOT
    return Said(
        entry,
        what(entry),
        words(entry),
        _facts(entry),
        tags_of(content) if snapshot else lost_tags(content),
        signers_of(content) if snapshot else (),
        proven,
    )


def what(entry: Entry) -> str:
    """Return in one word what an entry says."""
    if entry.kind != Kind.RECORD:
        return str(entry.kind)
    types = {DELETED: "deleted", UPDATED: "updated", UNREADABLE: "unreadable"}
    return types.get(str(entry.content.get("type")), "record")


def words(entry: Entry) -> str:
    """Return in a few words what an entry says."""
    content = entry.content
    details = _mapping(content.get("details"))
    match what(entry):
        case "deleted":
            count = len(lost_tags(content))
            return f"trust data deleted{f' with {count} signed tag{_s(count)}' if count else ''}"
        case "updated":
            return f"trust data updated to version {details.get('version')}"
        case "unreadable":
            return f"a record that cannot be read: {details.get('reason')}"
        case Kind.SNAPSHOT:
            return _snapshot_words(content)
        case Kind.ANCHOR:
            return f"entry {content.get('seq')} was told to {entry.subject}"
        case Kind.CHECKPOINT:
            return f"stands for {content.get('count')} entries that were pruned"
        case other:
            return str(content.get("type", other))


def _snapshot_words(content: Mapping[str, Any]) -> str:
    if content.get("verified") is False:
        return f"trust data that does not verify: {content.get('why') or 'no reason is given'}"
    count = len(tags_of(content))
    return f"trust data examined: {count} signed tag{_s(count)}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def lost_tags(content: Mapping[str, Any]) -> tuple[SignedTag, ...]:
    """Return the tags that were lost with a deletion, as far as the body of its record lists them."""
    listed = _mapping(_mapping(content.get("details")).get("lost")).get("tags")
    found = (_mapping(each) for each in listed) if isinstance(listed, list) else ()
    return tuple(_tag(_text(each.get("tag")), _text(each.get("role")), each) for each in found)


def tags_of(content: Mapping[str, Any]) -> tuple[SignedTag, ...]:
    """Return the signed tags of a snapshot's body, by name.

    They are under ``tags``, by role and name; each is a mapping with ``sha256`` and ``length``, or a list of
    the two. What is anything else is shown as it is.
    """
    found = [
        _tag(str(name), str(role), value)
        for role, tags in _mapping(content.get("tags")).items()
        for name, value in _mapping(tags).items()
    ]
    return tuple(sorted(found, key=lambda each: (each.name, each.role)))


def _tag(name: str, role: str, value: object) -> SignedTag:
    if isinstance(value, Mapping):
        sha256, length = value.get("sha256"), value.get("length")
    elif isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 2:
        sha256, length = value
    else:
        sha256, length = value, None
    return SignedTag(name, role, _text(sha256), length if isinstance(length, int) else None)


def signers_of(content: Mapping[str, Any]) -> tuple[Signers, ...]:
    """Return who signed, of a snapshot's body: under ``signers``, the ids of keys by role."""
    return tuple(
        Signers(str(role), tuple(map(_text, keys if isinstance(keys, list | tuple) else [keys])))
        for role, keys in _mapping(content.get("signers")).items()
    )


def _facts(entry: Entry) -> tuple[tuple[str, str], ...]:
    content = entry.content
    details = _mapping(content.get("details"))
    found = [
        ("Signed as", content.get("gun")),
        ("Version", details.get("version") if what(entry) == "updated" else None),
        ("SHA-256 of its timestamp", details.get("sha256") or content.get("sha256")),
        ("Versions", _listed(content.get("versions"))),
        ("Reason", details.get("reason") or content.get("why")),
        ("Lost", details.get("lost_unknown") and f"not known: {details['lost_unknown']}"),
        ("Record begins", details.get("excerpt")),
        ("Record", details.get("record_id")),
        ("Read from", details.get("feed") and f"changefeed of {details['feed']}"),
        ("Event", content.get("event")),
    ]
    return tuple((label, _text(value)) for label, value in found if value not in (None, ""))


def _listed(value: object) -> str:
    return ", ".join(f"{role} {number}" for role, number in _mapping(value).items())


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else canonical(value)


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


@dataclass(frozen=True, slots=True)
class History:
    """A repository's history, in the order in which it was seen.

    ``said`` are the latest entries, ``omitted`` how many before them are not listed; ``deletions`` are the
    latest deletions, ``counts`` how often there was what of all.
    """

    repository: str
    cluster: str | None
    said: tuple[Said, ...]
    omitted: int
    deletions: tuple[Said, ...]
    counts: Mapping[str, int]
    first_at: datetime | None
    last_at: datetime | None
    clusters: tuple[str, ...]
    verdict: Verdict


class Historian:
    """Goes through the whole evidence once: gathers what is about a repository, and verifies the chain.

    The repository goes by its name or the name it was signed under. Of its entries the latest ``most`` are
    kept; what comes after a broken entry is gathered too, and marked.
    """

    def __init__(self, repository: str, cluster: str | None, verifier: Verifier, most: int = 1000) -> None:
        self._repository = repository
        self._cluster = cluster
        self._verifier = verifier
        self._most = most
        self._latest: deque[Said] = deque(maxlen=most)
        self._deletions: deque[Said] = deque(maxlen=most)
        self._counts: dict[str, int] = {}
        self._clusters: set[str] = set()
        self._times: list[datetime] = []
        self._gun = f'"gun":{canonical(repository)}'
        self._count = 0
        self.subjects: set[str] = set()
        """The names of repositories that were met, a bounded number of them."""

    def take(self, entries: Iterable[Entry]) -> bool:
        """Take the next entries; always go on."""
        for entry in entries:
            if self._verifier.verdict.broken is None:
                self._verifier.take([entry])
            if entry.kind in _ABOUT_THE_CHAIN:
                continue
            if len(self.subjects) < _SUBJECTS and isinstance(entry.subject, str):
                self.subjects.add(entry.subject)
            if self._is_about(entry):
                self._add(entry)
        return True

    def _is_about(self, entry: Entry) -> bool:
        if self._cluster is not None and entry.cluster != self._cluster:
            return False
        if entry.subject == self._repository:
            return True
        # To read every body would take long.
        named = isinstance(entry.body, str) and self._gun in entry.body
        return named and entry.content.get("gun") == self._repository

    def _add(self, entry: Entry) -> None:
        found = said(entry, proven=True)
        self._count += 1
        self._latest.append(found)
        self._counts[found.what] = self._counts.get(found.what, 0) + 1
        self._clusters.add(str(entry.cluster or "?"))
        if found.what == "deleted":
            self._deletions.append(found)
        if found.seen_at is not None:
            self._times = [*self._times[:1], found.seen_at]

    def finish(self, noted: Head | None) -> History | None:
        """Return the history, None if nothing is about the repository."""
        verdict = self._verifier.finish(noted)
        if not self._count:
            return None
        sure = self._verifier.sure_through()
        return History(
            repository=self._repository,
            cluster=self._cluster,
            said=tuple(_judged(self._latest, sure)),
            omitted=self._count - len(self._latest),
            deletions=tuple(_judged(self._deletions, sure)),
            counts=self._counts,
            first_at=self._times[0] if self._times else None,
            last_at=self._times[-1] if self._times else None,
            clusters=tuple(sorted(self._clusters)),
            verdict=verdict,
        )


def _judged(found: Iterable[Said], sure: int) -> Iterator[Said]:
    for each in found:
        seq = each.entry.seq
        yield each._replace(proven=isinstance(seq, int) and seq <= sure)
