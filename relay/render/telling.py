"""What one message tells, and the JSON form of it that webhook consumers rely on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from relay.model.event import Event, Status
from relay.model.severity import Severity
from relay.model.text import storable
from relay.render.clean import CUT, DEPTH, ITEMS, TEXT_CHARACTERS, cut


@dataclass(frozen=True, slots=True)
class Telling:
    """What one message tells: at least one event, by which rule, through which channel.

    ``delivery`` is the id that the receiver sees; ``replay_of`` the delivery that it repeats on demand.
    """

    events: tuple[Event, ...]
    rule: str
    channel: str
    delivery: str
    replay_of: str | None = None

    @property
    def event(self) -> Event:
        """The event to speak of: the latest one if all are about one thing, else the first of the worst."""
        if self.grouped:
            return max(self.events, key=lambda each: each.severity.rank)
        return self.events[-1]

    @property
    def grouped(self) -> bool:
        """Whether it is about more than one thing."""
        return len({event.thread for event in self.events}) > 1

    @property
    def missed(self) -> bool:
        """Whether an alert began and ended before the receiver heard of it: both ends come in one."""
        told = [event.status for event in self.events]
        return not self.grouped and told[0] is Status.FIRING and told[-1] is Status.RESOLVED

    @property
    def type(self) -> str:
        """The type that all events have, else ``group``."""
        types = {event.type for event in self.events}
        return types.pop() if len(types) == 1 else "group"

    @property
    def severity(self) -> Severity:
        """The worst of the events."""
        return max((event.severity for event in self.events), key=lambda each: each.rank)


def links(event: Event, public_url: str | None) -> dict[str, str]:
    """Where the event, and its alert if it has one, can be looked at; nothing without a public URL."""
    if not public_url:
        return {}
    base = public_url.rstrip("/")
    found = {"event": f"{base}/events/{event.id}"}
    if event.alert is not None:
        found["alert"] = f"{base}/alerts/{event.alert}"
    return found


def payload(telling: Telling, public_url: str | None) -> dict[str, Any]:
    """The telling as ``{type, timestamp, data}``, JSON types only: a contract that is only ever extended.

    Several events are ``items`` of one ``data``. Texts are as MSR gave them, but cut to ``TEXT_CHARACTERS``;
    lists, ``items`` among them, to ``ITEMS``. What no database keeps (NUL, lone surrogates) is U+FFFD.
    """
    if len(telling.events) == 1:
        return _single(telling, telling.events[0], public_url)
    data: dict[str, Any] = {
        "group": storable(telling.rule if telling.grouped else telling.event.thread),
        "count": len(telling.events),
        "items": [_single(telling, event, public_url) for event in telling.events[:ITEMS]],
        "rule": storable(telling.rule),
    }
    if telling.replay_of is not None:
        data["replay_of"] = telling.replay_of
    return {"type": telling.type, "timestamp": moment(telling.events[-1].happened_at), "data": data}


def _single(telling: Telling, event: Event, public_url: str | None) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": event.alert or event.id,
        "status": str(event.status),
        "severity": str(event.severity),
        "cluster": _plain(event.cluster),
        "summary": _plain(event.summary),
        "subject": _subject(event),
        "seen_at": moment(event.seen_at),
        "labels": _plain(event.labels),
        "annotations": _plain(event.annotations),
        "details": _plain(event.details),
        "rule": storable(telling.rule),
        "links": links(event, public_url),
    }
    if event.starts_at is not None:
        data["starts_at"] = moment(event.starts_at)
        data["ends_at"] = None if event.ends_at is None else moment(event.ends_at)
    if event.flapping:
        data["flapping"] = True
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
        return storable(cut(value, TEXT_CHARACTERS))
    if isinstance(value, Mapping):
        if depth == 0:
            return CUT
        return {_plain(str(key)): _plain(item, depth - 1) for key, item in islice(value.items(), ITEMS)}
    if isinstance(value, list | tuple):
        return CUT if depth == 0 else [_plain(item, depth - 1) for item in value[:ITEMS]]
    if isinstance(value, datetime):
        return moment(value)
    return value if isinstance(value, _NUMBERS) else storable(cut(str(value), TEXT_CHARACTERS))
