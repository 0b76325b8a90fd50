"""The JSON form of a message, which webhook consumers rely on."""

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from relay.model.delivery import Reason
from relay.model.event import Event
from relay.model.text import storable
from relay.render.clean import CUT, DEPTH, ITEMS, KEYS, TEXT_CHARACTERS, cut
from relay.render.telling import Telling

MOST_ITEMS: Final = 1000
"""So many events one message holds at the most."""
_OF_ONE: Final = (Reason.REPEAT, Reason.ESCALATION)


def payload(telling: Telling, public_url: str | None) -> dict[str, Any]:
    """The telling as ``{type, timestamp, data}``, JSON types only: a contract that is only ever extended.

    Several events are ``items`` of one ``data``, both ends of an alert two of them. Texts are as MSR gave
    them, but cut to ``TEXT_CHARACTERS``; mappings to ``KEYS``, lists to ``ITEMS``, ``items`` to
    ``MOST_ITEMS``. What no database keeps (NUL, lone surrogates) is U+FFFD. Links that acknowledge are left
    out: whoever reads them may use them, and programs write down what they get.
    """
    if len(telling.events) == 1 and not telling.grouped:
        return _single(telling, telling.events[0], public_url, alone=True)
    items = telling.events[:MOST_ITEMS]
    more = telling.more + len(telling.events) - len(items)
    data: dict[str, Any] = {
        "group": _name(telling),
        "group_id": storable(telling.thread or telling.event.thread),
        "group_by": _plain(telling.group or {}),
        "count": len(items) + more,
        "items": [_single(telling, event, public_url) for event in items],
        "more": more,
        "part": telling.part,
        "parts": telling.parts,
        "reason": str(telling.reason),
        "rule": storable(telling.rule),
    }
    if telling.replay_of is not None:
        data["replay_of"] = telling.replay_of
    return {"type": telling.type, "timestamp": moment(telling.events[-1].happened_at), "data": data}


def _name(telling: Telling) -> str:
    """What a message about several is about, to be read: its rule and what they have in common."""
    if not telling.grouped:
        return storable(telling.event.thread)
    having = ", ".join(f"{word} {value}" for word, value in (telling.group or {}).items() if value)
    return storable(cut(f"{telling.rule}: {having}" if having else telling.rule, TEXT_CHARACTERS))


def _single(telling: Telling, event: Event, public_url: str | None, *, alone: bool = False) -> dict[str, Any]:
    merged = telling.merged(event)
    data: dict[str, Any] = {
        "id": event.alert or event.id,
        "status": str(event.status),
        "severity": str(event.severity),
        "cluster": _plain(event.cluster),
        "summary": _plain(event.summary),
        "subject": _subject(event),
        "seen_at": moment(event.seen_at),
        "labels": _plain(merged.labels),
        "annotations": _plain(merged.annotations),
        "details": _plain(event.details),
        "rule": storable(telling.rule),
        "reason": str(telling.reason if telling.reason in _OF_ONE else Reason.NEW),
        "links": telling.links(event, public_url),
    }
    if event.starts_at is not None:
        data["starts_at"] = moment(event.starts_at)
        data["ends_at"] = None if event.ends_at is None else moment(event.ends_at)
    if event.flapping:
        data["flapping"] = True
    known = telling.acknowledged
    if alone and known is not None:
        data["acknowledged"] = {
            "by": _plain(known.by),
            "at": moment(known.at),
            "note": _plain(known.note),
            "until": None if known.until is None else moment(known.until),
        }
    if telling.replay_of is not None:
        data["replay_of"] = telling.replay_of
    return {"type": event.type, "timestamp": moment(event.happened_at), "data": data}


def _subject(event: Event) -> dict[str, Any]:
    subject = event.subject
    found: dict[str, Any] = {"kind": str(subject.kind), "name": _plain(subject.name)}
    if subject.gun is not None:
        found["gun"] = _plain(subject.gun)
    if subject.replicas:
        found["replicas"] = _plain(subject.replicas)
    return found


def moment(at: datetime) -> str:
    """An aware time as RFC 3339 in UTC, ending in Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


_NUMBERS: Final = (bool, int, float, type(None))


def _plain(value: Any, depth: int = DEPTH) -> Any:
    if isinstance(value, str):
        # Most of all that is told are short plain words.
        return (
            value if value.isascii() and len(value) <= TEXT_CHARACTERS and "\0" not in value else _text(value)
        )
    if isinstance(value, Mapping):
        if depth == 0:
            return CUT
        return {_plain(str(key)): _plain(item, depth - 1) for key, item in islice(value.items(), KEYS)}
    if isinstance(value, list | tuple):
        return CUT if depth == 0 else [_plain(item, depth - 1) for item in value[:ITEMS]]
    if isinstance(value, datetime):
        return moment(value)
    return value if isinstance(value, _NUMBERS) else _text(str(value))


def _text(value: str) -> str:
    return storable(cut(value, TEXT_CHARACTERS))
