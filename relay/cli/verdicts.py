"""What verifying the evidence has shown, for people and programs."""

from collections.abc import Iterator
from typing import Any

from relay.cli.output import exact
from relay.engine.evidence import Verdict, Verifier
from relay.model.evidence import Entry


def document(verdict: Verdict, verifier: Verifier) -> dict[str, Any]:
    """Return what was found, as JSON types."""
    broken, anchor = verdict.broken, verdict.last_anchor
    return {
        "holds": broken is None,
        "broken": None if broken is None else {"entry": broken.seq, "why": broken.why},
        "sure_through": verifier.sure_through(),
        "entries": verdict.entries,
        "first": None if verdict.first is None else verdict.first.seq,
        "head": {"entry": verdict.head.seq, "hash": verdict.head.hash},
        "pruned": verdict.pruned,
        "keys": sorted(verifier.keys),
        "signed_by": sorted(verdict.claimed),
        "signatures": verdict.signatures,
        "signed_through": verdict.signed_through,
        "last_anchor": None if anchor is None else anchor.content,
        "anchors_met": verdict.anchored,
        "anchors_not_comparable": [str(each) for each in verdict.unreached],
    }


def fields(verdict: Verdict, verifier: Verifier) -> Iterator[tuple[str, str]]:
    """Yield what is known of a chain, as label and value."""
    first, last = verdict.first, verdict.last
    if first is not None and last is not None:
        holds = "" if verdict.broken is None else " hold"
        yield "entries", f"{verdict.entries}{holds}: {first.seq} ({_at(first)}) to {last.seq} ({_at(last)})"
        yield "head", str(verdict.head)
    if verdict.pruned:
        since = "" if verdict.pruned_from is None else f", the first of {_when(verdict.pruned_from)}"
        yield "pruned", f"{verdict.pruned}{since}; a checkpoint stands for them"
    if verdict.last_anchor is not None:
        content, told = verdict.last_anchor.content, verdict.last_anchor
        yield "last anchor", f"{content.get('seq')}:{content.get('hash')} to {told.subject}, {_at(told)}"
    if verdict.anchored:
        yield "anchors", f"{verdict.anchored} that you gave fit"
    if verdict.signatures:
        through = (
            f", vouching for everything up to entry {verdict.signed_through}"
            if verdict.signed_through
            else ""
        )
        yield "signatures", f"{verdict.signatures} good{through}"
    for key in sorted(verdict.claimed):
        yield "signed by", key if key in verifier.keys else f"{key} (not checked)"


def notes(verdict: Verdict, verifier: Verifier, *, file: bool, partial: bool) -> Iterator[str]:
    """Yield what a reader of the verdict should know or do."""
    if verdict.broken is not None:
        sure = verifier.sure_through()
        yield (
            f"Nothing contradicts what is up to entry {sure}." if sure else "Nothing in it can be relied on."
        )
        yield "Keep a copy of the store as it is. Compare with exports, and with messages that told anchors."
        if file and not partial and "missing" in verdict.broken.why:
            yield "If only a part was exported, --partial verifies what is there."
        return
    if verdict.unreached:
        told = ", ".join(str(each) for each in verdict.unreached)
        yield f"Nothing can be said about these anchors, their entries are not here: {told}."
    if partial:
        yield "Whether something was left out, only the whole chain can tell."
        return
    if verifier.keys and not verdict.signatures:
        yield "Nothing is signed by the key yet: it proves nothing about this chain."
    elif verifier.keys and verdict.signed_through < verdict.head.seq:
        rest = f"{verdict.signed_through + 1} to {verdict.head.seq}"
        yield f"No signature covers what came last: entries {rest}."
    if not verdict.anchored:
        anew = "" if verdict.signed_through else "written everything anew, or "
        note = "." if file else ", and changed the store's note of it."
        yield f"Only --anchor tells whether somebody has {anew}removed the end{note}"


def _at(entry: Entry) -> str:
    return "?" if entry.time is None else exact(entry.time)


def _when(at: int) -> str:
    found = Entry(0, at, None, "", "", "", None, "", "").time
    return "?" if found is None else exact(found)
