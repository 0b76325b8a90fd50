"""Events given to commands: a type's sample, or a file."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from relay.cli.opening import near
from relay.model.catalogue import CATALOGUE
from relay.model.errors import NotFoundError, RelayError
from relay.model.event import Event, Status, Subject, SubjectKind
from relay.model.samples import sample
from relay.model.severity import Severity

_MOST_BYTES = 1024 * 1024


class EventFileError(RelayError):
    """An event given to a command cannot be understood."""


def event(source: str, status: Status | None = None) -> tuple[Event, list[str]]:
    """Return the event of a file or the sample of a type, and which fields were taken from the sample.

    A file holds a webhook's body (``{type, timestamp, data}``), or an event as ``events --json`` lists it.
    Raises EventFileError or NotFoundError.
    """
    if source in CATALOGUE:
        return sample(source, status), []
    path = Path(source)
    if not path.exists():
        raise NotFoundError(f"{source}: neither a file nor an event type; {near(source, list(CATALOGUE))}")
    with path.open("rb") as file:
        text = file.read(_MOST_BYTES + 1)
    if len(text) > _MOST_BYTES:
        raise EventFileError(f"{source}: larger than 1 MiB")
    try:
        data = json.loads(text)
    except ValueError as error:
        raise EventFileError(f"{source}: not valid JSON: {error}") from None
    if not isinstance(data, dict) or not isinstance(data.get("type"), str):
        raise EventFileError(f'{source}: must be an object with a "type", such as a webhook\'s body')
    if data["type"] not in CATALOGUE:
        raise NotFoundError(f"{source}: unknown event type; {near(data['type'], list(CATALOGUE))}")
    if not isinstance(data.get("data", {}), dict):
        raise EventFileError(f'{source}: "data" must be an object')
    return _build(source, data["type"], {**data, **data.get("data", {})}, status)


def _build(
    source: str, type_name: str, given: dict[str, Any], status: Status | None
) -> tuple[Event, list[str]]:
    try:
        told = status or (Status(given["status"]) if "status" in given else None)
        base = sample(type_name, told)
        subject = given.get("subject", {})
        fields: dict[str, Any] = {
            key: given[key] for key in ("summary", "cluster", "labels", "annotations") if key in given
        }
        if "severity" in given:
            fields["severity"] = Severity(given["severity"])
        if subject:
            kind = SubjectKind(subject.get("kind", base.subject.kind))
            replicas = tuple(subject.get("replicas", ()))
            fields["subject"] = Subject(kind, subject.get("name", ""), subject.get("gun"), replicas)
        if "details" in given:
            fields["details"] = {**base.details, **given["details"]}
        made = Event.from_json(replace(base, **fields).to_json())
    except (ValueError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise EventFileError(f"{source}: cannot be read as an event: {reason}") from None
    wanted = ("summary", "cluster", "severity", "subject", "details")
    return made, [key for key in wanted if key not in given]
