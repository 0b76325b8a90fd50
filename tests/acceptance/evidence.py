"""The evidence that a relay left in its store, verified."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from relay.engine.evidence import Verdict, Verifier
from relay.model.evidence import Entry, Head, Kind
from relay.store import Store, Stretch


def evidence(file: Path, *anchors: Head, keys: Collection[str] = ()) -> tuple[list[Entry], Verdict]:
    """The entries in a store's file, in order, and the verdict on them."""
    found: list[Entry] = []
    verifier = Verifier(keys, anchors)

    def take(page: Sequence[Entry]) -> bool:
        found.extend(page)
        verifier.take(page)
        return True

    async def walk() -> Verdict:
        store = Store(f"sqlite:///{file}")
        try:
            return verifier.finish(await store.walk_evidence(Stretch(), take))
        finally:
            store.close()

    return found, asyncio.run(walk())


def recorded(file: Path) -> Counter[str]:
    """How often each repository's deletion is in the evidence, which holds."""
    found, verdict = evidence(file)
    assert verdict.broken is None
    events = [entry.content["event"] for entry in found if entry.kind == Kind.RECORD]
    assert len(events) == len(set(events)), "no record is there twice"
    return Counter(entry.subject for entry in found if entry.content.get("type") == "trust.deleted")
