"""``/rules``: the rules that hold, and what they would make of an event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Self
from zoneinfo import ZoneInfo

from aiohttp import web

from relay.engine.explanation import Explained, notes, remarks, sentence, surroundings, why
from relay.engine.matching import words
from relay.model.catalogue import CATALOGUE
from relay.model.errors import NotFoundError
from relay.server.api.resources.rules import RuleDocument, list_rules
from relay.server.pages.base import Visitor, page
from relay.server.pages.given import FIELDS, given_by
from relay.server.refused import RefusedError
from relay.server.service import Service
from relay.server.trying import Given, explained


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule, with what it matches, and what else it says, in words."""

    rule: RuleDocument
    matches: str
    options: str

    @classmethod
    def of(cls, rule: RuleDocument) -> Self:
        """Return a rule in words."""
        said = (f"{name.replace('_', ' ')}: {_words(value)}" for name, value in rule.options.items())
        return cls(rule, words(rule.match) or "everything", "; ".join(said))


@dataclass(frozen=True, slots=True)
class WayRow:
    """A delivery that there would be: the sentence around its channel's name, and notes."""

    before: str
    channel: str
    after: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What would become of an event, in words. ``verdicts`` are rule, what it says, and why."""

    explained: Explained
    verdicts: tuple[tuple[str, str, str], ...]
    remarks: tuple[str, ...]
    ways: tuple[WayRow, ...]
    around: tuple[str, ...]


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here. Nothing is changed: who may read may ask."""
    return [web.get("/rules", page(service, show)), web.post("/rules", page(service, test))]


async def show(visitor: Visitor) -> web.Response:
    """Show the rules, and what becomes of the event that the address names."""
    return await _page(visitor, visitor.query())


async def test(visitor: Visitor) -> web.Response:
    """Show what would become of the event in the form."""
    return await _page(visitor, await visitor.form())


async def _page(visitor: Visitor, said: Mapping[str, str]) -> web.Response:
    answer: Answer | None = None
    wrong = ""
    try:
        given = given_by(said)
        if given != Given(status=given.status):
            answer = _answer(await explained(visitor.service, given, None), visitor.service.settings.timezone)
    except (NotFoundError, RefusedError) as error:
        wrong = str(error)
    # htmx shows nothing of an answer that refuses.
    by_script = visitor.request.headers.get("HX-Request") == "true"
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong and not by_script else HTTPStatus.OK
    found = await list_rules(visitor.call())
    return visitor.page(
        "rules",
        status,
        configured=found.configured,
        rules=[RuleRow.of(each) for each in found.items],
        said={**dict.fromkeys(FIELDS, ""), **said},
        answer=answer,
        wrong=wrong,
        types=tuple(CATALOGUE),
    )


def _words(value: object) -> str:
    if isinstance(value, dict):
        return words(value) or "as usual"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _answer(found: Explained, zone: str) -> Answer:
    place = ZoneInfo(zone)

    def say(at: datetime) -> str:
        return f"{at.astimezone(place):%Y-%m-%d %H:%M %Z}"

    ways = []
    for way in found.seen.ways:
        before, after = sentence(found, way)
        ways.append(WayRow(before, way.delivery.channel, after, tuple(notes(found, way, say))))
    return Answer(
        found,
        tuple((each.rule, *why(each)) for each in found.verdicts),
        tuple(remarks(found)),
        tuple(ways),
        tuple(surroundings(found, say)),
    )
