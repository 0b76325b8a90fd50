"""Groups: what a rule gathers for a while to tell it in one message. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from relay.engine.rules import GroupOptions
from relay.model.event import Event, SubjectKind, namespace_of
from relay.model.ids import stable_id
from relay.model.plan import Group


def common(event: Event, options: GroupOptions) -> dict[str, str]:
    """Return what the event has in common with the others of its group."""
    return {word: _value(event, word) for word in options.by}


def key_of(rule: str, having: Mapping[str, str]) -> str:
    """Return what names a group: its rule, and what its members have in common."""
    return stable_id("key", rule, *(part for item in sorted(having.items()) for part in item))


def join(known: Group | None, key: str, at: datetime, options: GroupOptions, *, lasts: bool) -> Group:
    """Return the group as it is once something has joined it at ``at``.

    What comes before it is told is told with it. What comes later is told one interval after the last
    message. After that the group is a new one, unless alerts of it still fire (``lasts``).
    """
    if known is not None and known.opened_at <= at:
        if at <= known.due_at:
            return known
        if at <= known.due_at + options.interval:
            return replace(known, due_at=known.due_at + options.interval)
        if lasts:
            return replace(known, due_at=at + options.wait)
    return Group(stable_id("grp", key, at.isoformat()), key, at, at + options.wait)


def _value(event: Event, word: str) -> str:
    subject = event.subject
    repository = subject.name if subject.kind is SubjectKind.REPOSITORY else ""
    match word:
        case "type":
            return event.type
        case "severity":
            return str(event.severity)
        case "cluster":
            return event.cluster or ""
        case "subject":
            return f"{subject.kind} {subject.name}"
        case "repository":
            return repository
        case "namespace":
            return namespace_of(repository)
        case "replica":
            return subject.name if subject.kind is SubjectKind.REPLICA else ", ".join(subject.replicas)
        case _:
            return event.labels.get(word.removeprefix("labels."), "")
