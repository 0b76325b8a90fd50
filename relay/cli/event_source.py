"""The event that ``--event`` means: the sample of a type, or what a file holds."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from relay.cli.opening import near
from relay.model.catalogue import CATALOGUE
from relay.model.errors import Exit, NotFoundError, RelayError
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.settings import Settings

_MAX_BYTES = 1024 * 1024
_QUIET = {"id", "alert", "status", "labels", "annotations", "seen_at", "starts_at", "ends_at", "flapping"}
"""What no note is made of when a file does not have it."""
_OF_MESSAGE = {"rule", "links", "reason", "acknowledged", "replay_of"}
"""What a webhook's body says of the message and not of the event."""


class EventFileError(RelayError):
    """What was given as an event is none."""

    exit = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Found:
    """An event, and what of it was not given but taken from the sample of its type."""

    event: Event
    filled: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """What to say of the filled fields; empty for none."""
        names = ", ".join(self.filled)
        return f"taken from the sample of {self.event.type}: {names}" if names else ""


def find_event(source: str, status: str | None, settings: Settings) -> Found:
    """Return the event: ``source`` is an event type, a file, or ``-`` for standard input.

    A sample is of the first configured cluster, with its labels, and has the configured severity. Raises
    NotFoundError for neither type nor file, EventFileError for a file that holds no event.
    """
    if source in CATALOGUE:
        return Found(_sample(source, _status(source, status), settings))
    if source == "-":
        return _read("standard input", sys.stdin.buffer.read(_MAX_BYTES + 1), status, settings)
    path = Path(source)
    if not path.is_file():
        raise NotFoundError(f"{source} is no file and no event type: {near(source, CATALOGUE)}")
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise EventFileError(f"{source}: cannot be read: {error.strerror}") from None
    return _read(source, raw, status, settings)


def _status(type_name: str, wanted: str | None) -> Status | None:
    if wanted is None:
        return None
    allowed = [Status.FIRING, Status.RESOLVED] if CATALOGUE[type_name].lasting else [Status.EVENT]
    if wanted not in allowed:
        raise EventFileError(f"{type_name} cannot be {wanted}: it is {' or '.join(allowed)}")
    return Status(wanted)


def _sample(type_name: str, status: Status | None, settings: Settings) -> Event:
    cluster = settings.clusters[0] if settings.clusters else None
    event = sample(type_name, status, cluster.name if cluster else "prod")
    event = replace(event, severity=settings.severities.get(type_name, event.severity))
    if cluster is None or event.cluster is None:
        return event
    return replace(event, labels=cluster.labels, annotations=cluster.notes)


def _read(name: str, raw: bytes, status: str | None, settings: Settings) -> Found:
    if len(raw) > _MAX_BYTES:
        raise EventFileError(f"{name}: is larger than 1 MiB")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise EventFileError(f"{name}: is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise EventFileError(f"{name}: must hold one JSON object: a webhook's body, or an event")
    type_name = document.get("type")
    if not isinstance(type_name, str):
        raise EventFileError(f"{name}: has no type; write one such as trust.deleted")
    given = _as_stored(name, document)
    if type_name not in CATALOGUE:
        raise NotFoundError(f"{name}: there is no event type {type_name}: {near(type_name, CATALOGUE)}")
    wanted = _status(type_name, status or _text(given.get("status")))
    return _complete(name, given, _sample(type_name, wanted, settings), status)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _as_stored(name: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an event by the names that it has in the store."""
    if "data" not in document:
        return dict(document)
    data = document["data"]
    if not isinstance(data, dict):
        raise EventFileError(f"{name}: data must be an object")
    if "items" in data:
        raise EventFileError(f"{name}: tells several events: give one of data.items in a file of its own")
    given = {key: value for key, value in data.items() if key not in _OF_MESSAGE}
    given["type"] = document["type"]
    if "timestamp" in document:
        given["happened_at"] = document["timestamp"]
    # A webhook's id is the alert's, where there is one.
    if "starts_at" in given and "id" in given:
        given["alert"] = given.pop("id")
    return given


def _complete(name: str, given: dict[str, Any], base: Event, status: str | None) -> Found:
    whole: dict[str, Any] = json.loads(base.to_json())
    unknown = sorted(set(given) - set(whole))
    if unknown:
        raise EventFileError(f"{name}: {unknown[0]}: an event has no such field: {near(unknown[0], whole)}")
    filled = [key for key in whole if key not in given and whole[key] is not None and key not in _QUIET]
    for key in ("details", "subject"):
        inner = given.get(key)
        if isinstance(inner, dict):
            filled += [f"{key}.{field}" for field in whole[key] if field not in inner and whole[key][field]]
            given = {**given, key: {**whole[key], **inner}}
    if status is not None:
        given = {**given, "status": status}
    try:
        event = Event.from_json(json.dumps({**whole, **given}))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise EventFileError(f"{name}: {place}: {first['msg']}") from None
    aware = (event.happened_at, event.seen_at, event.starts_at, event.ends_at)
    if any(at is not None and at.tzinfo is None for at in aware):
        raise EventFileError(f"{name}: every time needs a zone, as in 2026-11-23T20:58:11Z")
    return Found(event, tuple(filled))
