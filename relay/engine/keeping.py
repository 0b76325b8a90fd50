"""Trust data: what records say about what is kept, what was lost with a deletion, what waits. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from relay.engine.intervals import TimeInterval, contains_any
from relay.model.event import Event, namespace_of
from relay.model.patterns import Patterns
from relay.model.trust import Head, Kept, trust_key
from relay.trust import State
from relay.trust.typed import lost

UPDATED: Final = "trust.updated"
DELETED: Final = "trust.deleted"

_FRESH: Final = timedelta(minutes=10)
"""Only what happened so lately is worth waiting for: an old feed is told as it is read."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What the configuration says of a cluster's trust data: which repositories are examined, and how long
    an update waits for that before it is told as it is."""

    repositories: Patterns
    patience: timedelta = timedelta(minutes=1)

    def takes(self, event: Event) -> bool:
        """Tell whether the repository of an event is examined."""
        return bool(event.subject.gun) and self.repositories.match(event.subject.name)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about the repositories of a report before it: what is kept, by key, and how many
    deletions there were in each namespace (None: not known)."""

    kept: Mapping[str, Kept]
    deletions: Mapping[str, int | None]


def heads_of(events: Iterable[Event], keeping: Keeping | None) -> tuple[Head, ...]:
    """Return what records say about their repositories, in their order."""
    found = (event for event in events if event.type in (UPDATED, DELETED) and event.subject.gun)
    return tuple(_head(event, keeping) for event in found)


def _head(event: Event, keeping: Keeping | None) -> Head:
    details = event.details
    return Head(
        cluster=event.cluster or "",
        gun=event.subject.gun or "",
        repository=event.subject.name,
        record=details["record_id"],
        event=event.id,
        # A clock of MSR that is ahead must not make what comes later look old.
        at=min(event.happened_at, event.seen_at),
        version=details["version"],
        sha256=details["sha256"],
        deleted=event.type == DELETED,
        wanted=keeping is not None and event.type == UPDATED and keeping.takes(event),
    )


GONE: Final = "it was deleted before it could be examined"


def that_wait(events: Sequence[Event], keeping: Keeping | None) -> tuple[Event, ...]:
    """Return those that are told only once they have been examined: then it is known what they are.

    What is deleted later in the same report cannot be.
    """
    if keeping is None:
        return ()
    gone: set[str] = set()
    found = []
    for event in reversed(events):
        if event.type == DELETED:
            gone.add(key_of(event))
        fresh = event.seen_at - event.happened_at < _FRESH
        if event.type == UPDATED and fresh and keeping.takes(event) and key_of(event) not in gone:
            found.append(event)
    return tuple(reversed(found))


def key_of(event: Event) -> str:
    """Return what names the repository of an event in the store."""
    return trust_key(event.cluster or "", event.subject.gun or "")


def with_losses(
    events: Sequence[Event],
    known: Known,
    keeping: Keeping | None,
    windows: Sequence[TimeInterval] | None,
) -> list[Event]:
    """Return a report's events, the deletions among them with what is known about them."""
    heads = {key: each.head for key, each in known.kept.items()}
    gone = {event.subject.gun for event in events if event.type == DELETED}
    counts = dict(known.deletions)
    told = []
    for event in events:
        if event.type == DELETED:
            namespace = namespace_of(event.subject.name)
            told.append(
                replace(
                    event,
                    details={
                        **event.details,
                        **_loss(event, known.kept.get(key_of(event)), heads.get(key_of(event)), keeping),
                        **_circumstances(event, counts.get(namespace), windows),
                    },
                )
            )
            before = counts.get(namespace)
            counts[namespace] = None if before is None else before + 1
        else:
            told.append(event)
        if event.subject.gun in gone:
            for head in heads_of([event], keeping):
                heads[head.key] = head
    return told


def _circumstances(
    event: Event, deletions: int | None, windows: Sequence[TimeInterval] | None
) -> dict[str, Any]:
    # When what left no record happened is not known.
    known = event.details.get("found_by") != "reconciliation"
    return {
        "outside_change_window": not contains_any(windows, event.happened_at) if windows and known else None,
        "first_in_namespace": None if deletions is None or not event.subject.name else not deletions,
    }


def _loss(event: Event, kept: Kept | None, last: Head | None, keeping: Keeping | None) -> dict[str, Any]:
    why = ""
    if keeping is None:
        why = "the watcher `trust` is off"
    elif not keeping.takes(event):
        why = "the watcher `trust` does not keep this repository"
    elif kept is None or kept.state is None:
        why = "the relay had not examined it yet"
    elif kept.lost_at is not None:
        why = "it was written anew after an earlier deletion, and deleted before the relay could examine it"
    if why or kept is None or kept.state is None:
        return {"lost": None, "lost_unknown": why}
    exact = last is None or last.deleted or last.sha256 == kept.state_sha256
    return {"lost": lost(State.read(kept.state), kept.state_at, exact=exact).plain(), "lost_unknown": ""}
