"""What commands read: the configuration, the store, and events from files."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from relay.app import build
from relay.app.logs import set_up
from relay.model.catalogue import CATALOGUE
from relay.model.errors import NotFoundError, RelayError
from relay.model.event import Event, Status, Subject, SubjectKind
from relay.model.samples import sample
from relay.model.severity import Severity
from relay.settings import Configuration, read
from relay.store import Store
from relay.store.database import file_of, parse_url

_MOST_BYTES = 1024 * 1024


class EventFileError(RelayError):
    """An event given to a command cannot be understood."""


def configuration(option: Path | None) -> Configuration:
    """Read the configuration as ``run`` does; warnings and worse are logged. Raises ConfigError."""
    found = read(option, os.environ)
    set_up("warning", found.settings.log.format, build.secrets(found.settings))
    return found


@asynccontextmanager
async def open_store(found: Configuration) -> AsyncIterator[Store]:
    """Open the store of a configuration without running on it. Raises NotFoundError if there is none yet."""
    url = found.settings.store.get_secret_value()
    path = file_of(parse_url(url))
    if path is not None and not path.exists():
        raise NotFoundError(f"there is no store at {path} yet: msr-relay run makes it")
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


def near(name: str, names: list[str]) -> str:
    """Return the end of an error about an unknown name."""
    close = get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(names)}" if names else "none is configured"


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
