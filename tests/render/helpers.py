"""What the tests of messages share: a clock that stands still, tellings, hostile events."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from relay.model.catalogue import CATALOGUE
from relay.model.details import Flaps
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.render import Telling

NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
PUBLIC = "https://relay.example.com"
PARTS = {
    "slack": ("json",),
    "email": ("subject.txt", "txt", "html"),
    "webhook": ("json",),
    "apprise": ("title.txt", "txt"),
    "console": ("txt",),
}
PLACES = [(kind, part) for kind, parts in PARTS.items() for part in parts]


class StillClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    async def wait(self, event: asyncio.Event, seconds: float | None) -> bool:
        raise NotImplementedError


def telling(*events: Event, **other: Any) -> Telling:
    return Telling(events, **{"rule": "trust deletions", "channel": "security", "delivery": "dlv_1"} | other)


def statuses(type_name: str) -> tuple[Status, ...]:
    return (Status.FIRING, Status.RESOLVED) if CATALOGUE[type_name].lasting else (Status.EVENT,)


def every_event() -> Iterator[Event]:
    for type_name in CATALOGUE:
        for status in statuses(type_name):
            yield sample(type_name, status)


def flapping(type_name: str, changes: int = 7, seconds: float = 600.0) -> Event:
    """A firing that flaps; with no changes, one that has settled."""
    event = sample(type_name)
    flaps = Flaps(changes=changes, within_seconds=seconds).plain()
    return replace(event, flapping=changes > 0, details={**event.details, "flaps": flaps})


def hostile(event: Event, text: str) -> Event:
    """The event with the text in place of every text that comes from outside."""
    subject = event.subject
    return replace(
        event,
        cluster=None if event.cluster is None else text,
        summary=text,
        subject=replace(subject, name=text, gun=subject.gun and text, replicas=(text, text)),
        labels={text: text},
        annotations={text: text},
        details=_all(event.details, text),
    )


def _all(value: Any, text: str) -> Any:
    if isinstance(value, dict):
        return {key: _all(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_all(item, text) for item in value]
    return text if isinstance(value, str) and not _is_time(value) else value


def _is_time(value: str) -> bool:
    # The relay's own models write times; a text from outside cannot stand in their place.
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return "T" in value
