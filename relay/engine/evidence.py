"""Evidence: what of the events goes into the chain, and whether a chain holds. Pure."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import to_json

from relay.engine import signing
from relay.model.details import TrustRecord
from relay.model.event import Event
from relay.model.evidence import Broken, Chain, Draft, Entry, Head, Kind, anchor_body, canonical, statement
from relay.model.trust import Snapshot

ANCHORED: Final = "evidence.anchored"
UPDATED: Final = "trust.updated"
RECORDS: Final = frozenset({UPDATED, "trust.deleted", "trust.unreadable"})
"""The types of events that are records of notary's changefeed."""

_RECORD: Final = sorted(TrustRecord.model_fields)
_SIGNED: Final = (Kind.ANCHOR, Kind.CHECKPOINT)


def drafts(events: Iterable[Event], snapshots: Iterable[Snapshot] = ()) -> tuple[Draft, ...]:
    """Return what of the events, and of what was found, goes into the chain, in their order.

    They are to be those that are new: each becomes an entry, however often the same one is handed over.
    """
    told = (_DRAFTED[event.type](event) for event in events if event.type in _DRAFTED)
    return (*told, *(_snapshot(each) for each in snapshots))


def _snapshot(found: Snapshot) -> Draft:
    head = found.head
    body = {
        **({} if found.state is None else json.loads(found.state)),
        "event": head.event,
        "gun": head.gun,
        "record_id": head.record,
        "version": head.version,
        "sha256": head.sha256,
        "written_at": head.at.isoformat(),
        "verified": found.state is not None,
        "why": found.problem,
    }
    return Draft(found.at, Kind.SNAPSHOT, canonical(body), head.cluster, head.repository)


def _anchor(event: Event) -> Draft:
    details = event.details
    return Draft(
        at=event.seen_at,
        kind=Kind.ANCHOR,
        body=anchor_body(Head(details["seq"], details["hash"])),
        subject=event.subject.name,
        signature=details["signature"],
    )


def _record(event: Event) -> Draft:
    details = event.details
    if event.type == UPDATED:
        # As it was seen: what examining it brought is an entry of its own.
        details = {name: details[name] for name in _RECORD}
    # In the order of the canonical form.
    body = {
        "details": details,
        "event": event.id,
        "gun": event.subject.gun,
        "happened_at": event.happened_at.isoformat(),
        "type": event.type,
    }
    # Of such texts and numbers that is the same, in a quarter of the time.
    written = to_json(body).decode() if event.type == UPDATED else canonical(body)
    return Draft(event.seen_at, Kind.RECORD, written, event.cluster, event.subject.name)


_DRAFTED: Final[Mapping[str, Callable[[Event], Draft]]] = {
    ANCHORED: _anchor,
    **dict.fromkeys(RECORDS, _record),
}
"""What becomes of the events of each type; those of other types leave no entry."""


@dataclass(slots=True)
class Verdict:
    """What is known of a chain after going through it.

    ``broken`` is the first entry that does not hold. ``entries`` that hold are there, from ``first`` on. The
    last signature that is good vouches for everything up to ``signed_through``. ``claimed`` are the public
    keys that signatures name, whether or not these were looked at. ``last_anchor`` is the last entry that was
    told elsewhere. ``unreached`` are given anchors of entries that are not there to be compared: nothing can
    be said about them.
    """

    broken: Broken | None = None
    entries: int = 0
    first: Entry | None = None
    last: Entry | None = None
    head: Head = field(default_factory=Head)
    pruned: int = 0
    pruned_from: int | None = None
    unsigned_through: int = 0
    signatures: int = 0
    signed_through: int = 0
    claimed: set[str] = field(default_factory=set)
    last_anchor: Entry | None = None
    anchored: int = 0
    unreached: tuple[Head, ...] = ()


class Verifier:
    """Goes through a chain in constant memory.

    ``keys`` are the public keys by which anchors and checkpoints must be signed; none: signatures are not
    looked at. Those up to ``unsigned_until`` need none; with ``signed`` there must be at least one signature.
    ``anchors`` are heads that were told elsewhere. With ``gaps`` it is a part of a chain that is looked at,
    from which entries were left out.
    """

    def __init__(
        self,
        keys: Collection[str] = (),
        anchors: Iterable[Head] = (),
        unsigned_until: int = 0,
        *,
        signed: bool = False,
        gaps: bool = False,
    ) -> None:
        self.verdict = Verdict()
        self.keys = frozenset(keys)
        self._signed = signed
        self._unsigned_until = unsigned_until
        self._gaps = gaps
        self._met: set[Head] = set()
        self._anchors: dict[int, list[Head]] = {}
        for each in anchors:
            self._anchors.setdefault(each.seq, []).append(each)
        self._chain = Chain(gaps=gaps)

    def take(self, entries: Iterable[Entry]) -> bool:
        """Take the next entries; tell whether to go on."""
        for entry in entries:
            verdict = self.verdict
            verdict.broken = self._chain.step(entry) or self._signature(entry) or self._anchor()
            if verdict.broken is not None:
                return False
            verdict.first, verdict.last = verdict.first or entry, entry
            verdict.entries += 1
            if entry.signature is not None:
                verdict.claimed.add(entry.signature.partition(":")[0])
            if entry.kind == Kind.ANCHOR:
                verdict.last_anchor = entry
            verdict.head = self._chain.head
        return True

    def finish(self, noted: Head | None) -> Verdict:
        """Look at the end; ``noted`` is what the store has noted as the last entry that it wrote."""
        verdict, chain = self.verdict, self._chain
        verdict.broken = verdict.broken or chain.ends(noted) or self._beyond() or self._unsigned()
        if chain.checkpoint is not None:
            verdict.pruned, verdict.pruned_from = chain.checkpoint.count, chain.checkpoint.first_at
        told = (each for _, known in sorted(self._anchors.items()) for each in known)
        verdict.unreached = tuple(each for each in told if each not in self._met)
        return verdict

    def finish_file(self) -> Verdict:
        """Look at the end of a chain that came without the store's note."""
        return self.finish(self._chain.head if self.verdict.entries else None)

    @property
    def next(self) -> int:
        """The number of the entry that should come next."""
        return self._chain.head.seq + 1

    def sure_through(self) -> int:
        """Return up to which entry nothing contradicts anything, by what is known so far."""
        broken = self.verdict.broken
        if broken is None:
            return self._chain.head.seq
        if not broken.earlier:
            return broken.seq - 1
        vouched = [each.seq for each in self._met]
        return max(vouched, default=0) if not self.keys else max([self.verdict.signed_through, *vouched])

    def _anchor(self) -> Broken | None:
        head = self._chain.head
        for each in self._anchors.get(head.seq, ()):
            if each.hash != head.hash:
                why = f"has the hash {head.hash}, but the anchor says {each.hash}"
                return Broken(head.seq, why, earlier=True)
            self._met.add(each)
            self.verdict.anchored = len(self._met)
        return None

    def _beyond(self) -> Broken | None:
        if self._gaps:
            return None
        end = self._chain.head.seq
        latest = max(self._anchors, default=0)
        return None if latest <= end else Broken(end + 1, f"is missing: there is an anchor of entry {latest}")

    def _unsigned(self) -> Broken | None:
        if not self._signed or self.verdict.signatures or not self.verdict.entries:
            return None
        why = "is the last one, and nothing up to it is signed by the key that was given"
        return Broken(self._chain.head.seq, why, earlier=True)

    def _signature(self, entry: Entry) -> Broken | None:
        if not self.keys or entry.kind not in _SIGNED:
            return None
        checkpoint = self._chain.checkpoint if entry.kind == Kind.CHECKPOINT else None
        if entry.signature is None:
            if entry.seq <= self._unsigned_until:
                return None
            why = f"is not signed; --unsigned-until {entry.seq} lets that pass"
            return Broken(entry.seq, why, earlier=True)
        wrong = signing.trouble(entry.signature, statement(entry.kind, entry.body), self.keys)
        if wrong is not None:
            return Broken(entry.seq, wrong, earlier=True)
        if checkpoint is not None and checkpoint.unsigned > self._unsigned_until:
            stands = f"stands for entries that its key did not vouch for, up to {checkpoint.unsigned}"
            return Broken(entry.seq, f"{stands}; --unsigned-until {checkpoint.unsigned} lets that pass")
        self.verdict.signatures += 1
        if not self._gaps:
            self.verdict.signed_through = max(self.verdict.signed_through, _states(entry))
        return None


def _states(entry: Entry) -> int:
    content: Mapping[str, Any] = entry.content
    seq = content.get("seq" if entry.kind == Kind.ANCHOR else "through")
    return seq if isinstance(seq, int) else 0
