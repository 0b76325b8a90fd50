"""An event to try something with: the sample of a type, or what somebody has written down."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import ValidationError

from relay.model.catalogue import CATALOGUE
from relay.model.errors import Exit, NotFoundError, RelayError
from relay.model.event import Event, Status
from relay.model.near import near
from relay.model.samples import sample
from relay.model.severity import Severity

MAX_BYTES: Final = 1024 * 1024
"""What a text that holds an event may have."""
_QUIET = {"id", "alert", "status", "labels", "annotations", "seen_at", "starts_at", "ends_at", "flapping"}
"""What no note is made of when a file does not have it."""
_OF_MESSAGE = {"rule", "links", "reason", "acknowledged", "replay_of"}
"""What a webhook's body says of the message and not of the event."""


class EventError(RelayError):
    """What was given as an event is none."""

    exit = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sample takes over from the configuration: its cluster, with what that says, and severities."""

    cluster: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    severities: Mapping[str, Severity] = field(default_factory=dict)


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


def given_type(name: str, status: str | None, world: Surroundings) -> Found:
    """Return the sample of a type. Raises NotFoundError for no type, EventError for no status of it."""
    if name not in CATALOGUE:
        raise NotFoundError(f"there is no event type {name}: {near(name, CATALOGUE)}")
    return Found(_sample(name, _status(name, status), world))


def given_text(name: str, raw: bytes, status: str | None, world: Surroundings) -> Found:
    """Return the event that a text holds: the body of a webhook, or an event as the store has it.

    What it lacks comes from the sample of its type. ``name`` is what errors call it. Raises EventError, and
    NotFoundError for a type that there is not.
    """
    if len(raw) > MAX_BYTES:
        raise EventError(f"{name}: is larger than 1 MiB")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise EventError(f"{name}: is not JSON: {error}") from None
    return given_document(name, document, status, world)


def given_document(name: str, document: object, status: str | None, world: Surroundings) -> Found:
    """Return the event that a JSON document holds; see given_text."""
    if not isinstance(document, dict):
        raise EventError(f"{name}: must hold one JSON object: a webhook's body, or an event")
    type_name = document.get("type")
    if not isinstance(type_name, str):
        raise EventError(f"{name}: has no type; write one such as trust.deleted")
    given = _as_stored(name, document)
    if type_name not in CATALOGUE:
        raise NotFoundError(f"{name}: there is no event type {type_name}: {near(type_name, CATALOGUE)}")
    wanted = _status(type_name, status or _text(given.get("status")))
    return _complete(name, given, _sample(type_name, wanted, world), status)


def _status(type_name: str, wanted: str | None) -> Status | None:
    if wanted is None:
        return None
    allowed = [Status.FIRING, Status.RESOLVED] if CATALOGUE[type_name].lasting else [Status.EVENT]
    if wanted not in allowed:
        raise EventError(f"{type_name} cannot be {wanted}: it is {' or '.join(allowed)}")
    return Status(wanted)


def _sample(type_name: str, status: Status | None, world: Surroundings) -> Event:
    event = sample(type_name, status, world.cluster or "prod")
    event = replace(event, severity=world.severities.get(type_name, event.severity))
    if world.cluster is None or event.cluster is None:
        return event
    return replace(event, labels=world.labels, annotations=world.annotations)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _as_stored(name: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an event by the names that it has in the store."""
    if "data" not in document:
        return dict(document)
    data = document["data"]
    if not isinstance(data, dict):
        raise EventError(f"{name}: data must be an object")
    if "items" in data:
        raise EventError(f"{name}: tells several events: give one of data.items in a file of its own")
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
        raise EventError(f"{name}: {unknown[0]}: an event has no such field: {near(unknown[0], whole)}")
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
        raise EventError(f"{name}: {place}: {first['msg']}") from None
    aware = (event.happened_at, event.seen_at, event.starts_at, event.ends_at)
    if any(at is not None and at.tzinfo is None for at in aware):
        raise EventError(f"{name}: every time needs a zone, as in 2026-11-23T20:58:11Z")
    return Found(event, tuple(filled))
