"""``/silences``: those that hold, are ahead or have ended; making one, and ending one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from relay.engine.operate import OrderError
from relay.model.access import Scope
from relay.model.alert import Alert
from relay.model.event import Event, SubjectKind
from relay.model.severity import Severity
from relay.server.api.resources.people import Which, list_silences
from relay.server.pages.base import Visitor, lead_to, page
from relay.server.refused import RefusedError
from relay.server.service import Service

LENGTHS: Final = (
    ("30m", "30 minutes", timedelta(minutes=30)),
    ("1h", "1 hour", timedelta(hours=1)),
    ("4h", "4 hours", timedelta(hours=4)),
    ("1d", "1 day", timedelta(days=1)),
    ("7d", "1 week", timedelta(days=7)),
)
"""For how long something can be silenced: as the form sends it, as it shows it, as it is meant."""
_SEVERITIES: Final = (
    ("", "Any"),
    *((f"<= {each}", f"{each} and less") for each in Severity if each is not Severity.CRITICAL),
)
_TEXTS: Final = ("type", "cluster", "repository", "replica")
"""Matchers that take globs, several of them separated by commas."""
_USUAL: Final = "1h"
_GLOB: Final = str.maketrans({each: f"[{each}]" for each in "*?["})


@dataclass(frozen=True, slots=True)
class Entry:
    """What the form shows: what was typed or is proposed, and what is wrong with it."""

    said: Mapping[str, str] = field(default_factory=dict)
    wrong: str = ""
    lengths: tuple[tuple[str, str], ...] = tuple((value, label) for value, label, _ in LENGTHS)
    severities: tuple[tuple[str, str], ...] = _SEVERITIES


def blank(said: Mapping[str, str]) -> Entry:
    """Return the form with what is proposed."""
    return Entry({"length": _USUAL, **said})


def prefilled(about: Alert | Event) -> dict[str, str]:
    """Return the matchers that fit one thing, and as little else as they can tell."""
    found = {"type": about.type, "cluster": _exactly(about.cluster or "")}
    if about.subject.kind is SubjectKind.REPOSITORY:
        found["repository"] = _exactly(about.subject.name)
    if about.subject.kind is SubjectKind.REPLICA:
        found["replica"] = _exactly(about.subject.name)
    return {name: value for name, value in found.items() if value}


def _exactly(name: str) -> str:
    return name.translate(_GLOB)


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here."""
    return [
        web.get("/silences", page(service, show)),
        web.post("/silences", page(service, make, Scope.OPERATE)),
        web.post("/silences/{silence}/expire", page(service, expire, Scope.OPERATE)),
    ]


async def show(visitor: Visitor) -> web.Response:
    """Show the silences, those too that have ended if that is asked for."""
    said = {name: value for name, value in visitor.query().items() if name in (*_TEXTS, "severity")}
    return await _show(visitor, blank(said))


async def _show(visitor: Visitor, entry: Entry) -> web.Response:
    ended = visitor.given("ended") == "true"
    found = await list_silences(visitor.call(Which(ended=ended)))
    return visitor.page(
        "silences",
        HTTPStatus.UNPROCESSABLE_ENTITY if entry.wrong else HTTPStatus.OK,
        silences=[each for each in found.items if each.standing != "ended"],
        over=[each for each in reversed(found.items) if each.standing == "ended"],
        ended=ended,
        silence=entry,
    )


async def make(visitor: Visitor) -> web.Response:
    """Make a silence as the form says; show the form again with what is wrong with it."""
    said = await visitor.form()
    try:
        await visitor.carry_out("silence", **_order(visitor, said))
    except (OrderError, RefusedError) as error:
        return await _show(visitor, Entry(said, _first_line(error)))
    return lead_to("/silences", done="made")


def _order(visitor: Visitor, said: Mapping[str, str]) -> dict[str, Any]:
    lengths = {value: length for value, _, length in LENGTHS}
    length = lengths.get(said.get("length", ""))
    if length is None:
        raise OrderError("choose for how long it is to hold")
    if not said.get("comment", "").strip():
        raise OrderError("say what it is for, so that others know")
    match: dict[str, Any] = {name: _several(said.get(name, "")) for name in _TEXTS}
    match["severity"] = said.get("severity", "").strip()
    match["labels"] = _labels(said.get("labels", ""))
    now = visitor.service.operator.clock.now()
    return {
        "match": {name: value for name, value in match.items() if value},
        "starts_at": now,
        "ends_at": now + length,
        "comment": said["comment"].strip(),
    }


def _several(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _labels(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in _several(text):
        name, equals, value = each.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise OrderError(f"{each[:60]} is no label: write name=value, several separated by commas")
        found.setdefault(name.strip(), []).append(value.strip())
    return found


def _first_line(error: Exception) -> str:
    if isinstance(error, RefusedError) and error.fields:
        return "; ".join(f"{each.name}: {each.message}" for each in error.fields)
    return str(error)


async def expire(visitor: Visitor) -> web.Response:
    """End a silence now."""
    await visitor.carry_out("expire", silence=visitor.path("silence"))
    return lead_to("/silences", done="ended")
