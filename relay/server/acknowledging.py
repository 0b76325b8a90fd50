"""``/ack/TOKEN``: the page behind the link in a message, and its form. Looking at it changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from aiohttp import web

from relay.engine.operate import OrderError
from relay.engine.orders import ORDERS, Acknowledge
from relay.model.clock import Clock
from relay.model.errors import NotFoundError
from relay.render.clean import clean, cut, one_line
from relay.server.about import About, about
from relay.server.access.forms import FORM, fields_of
from relay.server.bodies import read_body, refuse_other_sites
from relay.server.links import Link, LinkError
from relay.server.refused import Guesses, RefusedError
from relay.server.service import Service

_FORM_BYTES: Final = 8 * 1024
_CHANNEL: Final = 100

LENGTHS: Final[Mapping[str, int]] = {"name": 80, "note": 1000}
"""How many characters each field may have."""
DURATIONS: Final[Sequence[tuple[str, str, timedelta | None]]] = (
    ("", "Until it is over", None),
    ("1h", "1 hour", timedelta(hours=1)),
    ("4h", "4 hours", timedelta(hours=4)),
    ("1d", "1 day", timedelta(days=1)),
)
"""For how long something can be acknowledged: as the form sends it, as it shows it, as it is meant."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was typed into the form, clean, and what is wrong with it, by field."""

    name: str = ""
    note: str = ""
    until: str = ""
    wrong: Mapping[str, str] = field(default_factory=dict)


class AcknowledgePage:
    """The page and its form."""

    def __init__(self, service: Callable[[], Service], clock: Clock, guesses: Guesses) -> None:
        self._service = service
        self._clock = clock
        self._guesses = guesses

    def routes(self) -> list[web.RouteDef]:
        """Return what is to be routed here."""
        path = "/ack/{token}"
        return [web.get(path, self.show), web.post(path, self.acknowledge)]

    async def show(self, request: web.Request) -> web.Response:
        """Show what the alert is, and the form. Raises RefusedError, or StoreError."""
        service = self._service()
        link = _read(service, request)
        return self._page(service, await self._about(service, link), link, Entry())

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Acknowledge as the form says, and lead back to the page. Raises RefusedError, or StoreError."""
        service = self._service()
        try:
            link = _read(service, request)
        except RefusedError as refused:
            if refused.status is HTTPStatus.NOT_FOUND:
                self._guesses.count()
            raise
        refuse_other_sites(request, service.links.public_url)
        entry = entered(await read_body(request, FORM, _FORM_BYTES))
        found = await self._about(service, link)
        if entry.wrong:
            return self._page(service, found, link, entry)
        order = Acknowledge(
            by=f"{entry.name} (link sent to {cut(one_line(link.channel), _CHANNEL)})",
            about=found.thread,
            note=entry.note,
            until=self._until(entry) if found.lasting else None,
            via="link",
        )
        try:
            await ORDERS["acknowledge"].do(service.operator, order)
        except (NotFoundError, OrderError):
            # Between the look above and now.
            raise _over(None) from None
        # So that loading the page again sends nothing again.
        return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": request.rel_url.raw_path})

    def _until(self, entry: Entry) -> datetime | None:
        lasts = {value: duration for value, _, duration in DURATIONS}[entry.until]
        return None if lasts is None else self._clock.now() + lasts

    async def _about(self, service: Service, link: Link) -> About:
        found = await about(service.operator.store, link.thread, self._clock.now())
        if found is None:
            raise RefusedError(
                HTTPStatus.GONE,
                "This is no longer kept.",
                "What the message told of ended long ago, and the relay has forgotten it.",
            )
        if found.ended_at is not None:
            raise _over(found)
        return found

    def _page(self, service: Service, found: About, link: Link, entry: Entry) -> web.Response:
        text = service.pages.render(
            "acknowledge",
            about=found,
            channel=link.channel,
            entry=entry,
            wrong=_Wrong(entry.wrong),
            lengths=LENGTHS,
            durations=[(value, label) for value, label, _ in DURATIONS],
        )
        status = HTTPStatus.UNPROCESSABLE_ENTITY if entry.wrong else HTTPStatus.OK
        return web.Response(text=text, content_type="text/html", status=status)


class _Wrong(dict[str, str]):
    """For the template: nothing is wrong with what is not mentioned."""

    def __missing__(self, key: str) -> str:
        return ""


def _read(service: Service, request: web.Request) -> Link:
    try:
        link = service.links.read(request.match_info["token"])
    except LinkError:
        raise RefusedError(
            HTTPStatus.NOT_FOUND,
            "This link is not valid.",
            "It may have been cut off on its way: copy the whole link from the message. "
            "Otherwise acknowledge by command.",
            commands=["msr-relay alerts", "msr-relay ack ID"],
        ) from None
    if link.expired:
        raise RefusedError(
            HTTPStatus.GONE,
            "This link has expired.",
            "Use the link in a newer message about the same thing, or acknowledge by command.",
            commands=[f"msr-relay ack {link.thread}"],
        )
    return link


def _over(found: About | None) -> RefusedError:
    if found is None or found.ended_at is None:
        return RefusedError(HTTPStatus.GONE, "This is over.", "There is nothing left to acknowledge.")
    return RefusedError(
        HTTPStatus.GONE,
        f"This is over: {cut(one_line(found.summary), 300)}",
        f"It ended at {found.ended_at:%Y-%m-%d %H:%M} UTC. There is nothing left to acknowledge.",
    )


def entered(body: bytes) -> Entry:
    """Return what a form's body says. Raises RefusedError if it is no form."""
    fields = fields_of(body)
    name, note = one_line(fields.get("name", "")), clean(fields.get("note", "")).strip()
    until = fields.get("until", "")
    wrong: dict[str, str] = {}
    if not any(char.isalnum() for char in name):
        wrong["name"] = "Write your name, so that others know who takes care of it."
    for what, text in (("name", name), ("note", note)):
        if len(text) > LENGTHS[what]:
            wrong[what] = f"This is too long: at most {LENGTHS[what]} characters."
    if until not in [value for value, _, _ in DURATIONS]:
        wrong["until"] = "Choose one of these."
    return Entry(cut(name, LENGTHS["name"]), cut(note, LENGTHS["note"]), until, wrong)
