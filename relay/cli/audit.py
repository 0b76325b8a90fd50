"""``msr-relay audit list`` and ``show``: what the evidence log holds."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from relay.cli.moments import local, moment
from relay.cli.opening import configure, existing_store
from relay.cli.output import WIDE, clean, console, exact, print_fields, print_json, table, word
from relay.engine.exports import FIELDS
from relay.engine.history import what, words
from relay.model.clock import SystemClock
from relay.model.errors import NotFoundError
from relay.model.evidence import Entry, Kind
from relay.settings import Configuration
from relay.store import Stretch

_SHORT_HASH = 16
_RED = {"deleted": "bold red", "unreadable": "red"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries, as it was typed."""

    cluster: str | None
    repository: str | None
    kind: Kind | None
    since: str | None
    until: str | None

    def stretch(self, zone: str, now: datetime) -> Stretch:
        """Return the same for the store. Raises MomentError."""
        since = None if self.since is None else moment(self.since, "--since", zone, now)
        until = None if self.until is None else moment(self.until, "--until", zone, now)
        return Stretch(self.cluster, self.kind, self.repository, since, until)

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Wanted(None, None, None, None, None)


def listing(config: Path | None, wanted: Wanted, before: int | None, limit: int, *, as_json: bool) -> None:
    """List entries, the newest first."""
    asyncio.run(_list(configure(config), wanted, before, limit, as_json=as_json))


async def _list(
    configuration: Configuration, wanted: Wanted, before: int | None, limit: int, *, as_json: bool
) -> None:
    zone = configuration.settings.timezone
    stretch = wanted.stretch(zone, SystemClock().now())
    found: list[Entry] = []

    def take(page: Sequence[Entry]) -> bool:
        # One more than is shown, to know whether there are more.
        found.extend(page[: limit + 1 - len(found)])
        return len(found) <= limit

    async with existing_store(configuration) as store:
        await store.walk_evidence(replace(stretch, before=before, newest_first=True), take)
        first, last = await store.evidence_span()
    shown, more = found[:limit], len(found) > limit
    following = shown[-1].seq if more else None
    if as_json:
        entries = [document(entry) for entry in shown]
        print_json({"first": first, "last": last, "before": following, "entries": entries})
        return
    out = console()
    if not last:
        out.print(Text("No evidence yet: the first record of the changefeed makes the first entry."))
        return
    if not shown:
        out.print(Text("No such entries."))
    else:
        wide = out.width >= WIDE
        lines = [
            (
                entry.seq,
                _seen(entry, zone),
                word(entry.kind),
                entry.cluster or "-",
                entry.subject or "-",
                Text(clean(words(entry)), _RED.get(what(entry), "")),
                *([str(entry.hash)[:_SHORT_HASH]] if wide else []),
            )
            for entry in shown
        ]
        heads = ("entry", "seen", "kind", "cluster", "about", "what", *(["hash"] if wide else []))
        out.print(table(heads, lines, fold=("seen", "cluster", "about", "what")))
    older = f" Older ones: --before {following}." if more else ""
    out.print(Text(f"In all: entries {first} to {last}; audit verify tells whether they hold.{older}", "dim"))


def _seen(entry: Entry, zone: str) -> str:
    return "?" if entry.time is None else local(entry.time, zone)


def document(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON types: its fields as they are, and what they mean."""
    found = {name: getattr(entry, name) for name in FIELDS}
    seen = None if entry.time is None else exact(entry.time)
    return {**found, "seen_at": seen, "what": words(entry), "content": dict(entry.content)}


def show(config: Path | None, number: int, *, as_json: bool) -> None:
    """Show one entry."""
    asyncio.run(_show(configure(config), number, as_json=as_json))


async def _show(configuration: Configuration, number: int, *, as_json: bool) -> None:
    found: list[Entry] = []

    def take(page: Sequence[Entry]) -> bool:
        # The entry, and the one before it.
        found.extend(page[: 2 - len(found)])
        return len(found) < 2

    async with existing_store(configuration) as store:
        await store.walk_evidence(Stretch(before=number + 1, newest_first=True), take)
        first, last = await store.evidence_span()
    if not found or found[0].seq != number:
        raise NotFoundError(_missing(number, first, last))
    entry, before = found[0], (found[1] if len(found) > 1 and found[1].seq == number - 1 else None)
    follows = None if before is None else before.hash == entry.prev
    if as_json:
        print_json({**document(entry), "intact": entry.intact, "follows": follows})
        return
    zone = configuration.settings.timezone
    print_fields(console(), _fields(entry, zone, follows=follows))


def _missing(number: int, first: int, last: int) -> str:
    if not last:
        return f"there is no entry {number}: there is no evidence yet"
    if first <= number <= last:
        return (
            f"entry {number} is missing, though there are some before and after: run msr-relay audit verify"
        )
    pruned = f"; those before {first} were pruned" if number < first else ""
    return f"there is no entry {number}: the evidence has entries {first} to {last}{pruned}"


def _fields(entry: Entry, zone: str, *, follows: bool | None) -> Iterator[tuple[str, object]]:
    yield "entry", entry.seq
    yield "what", Text(clean(words(entry)), _RED.get(what(entry), ""))
    yield "seen", "?" if entry.time is None else f"{exact(entry.time)} ({local(entry.time, zone)})"
    yield "cluster", entry.cluster
    yield "kind", entry.kind
    yield "about", entry.subject
    yield "body", entry.body
    yield "signature", entry.signature
    yield "before it", entry.prev
    yield "hash", entry.hash
    if entry.intact:
        yield "content", Text("fits its hash", "green")
    else:
        yield "content", Text("was changed: it does not fit its hash", "bold red")
    if follows is not None and entry.kind != Kind.CHECKPOINT:
        fits = Text("yes", "green") if follows else Text("no: one of the two was replaced", "bold red")
        yield "follows", Text.assemble(fits, f" (entry {entry.seq - 1})")
