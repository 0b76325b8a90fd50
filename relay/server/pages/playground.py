"""``/playground``: templates as they are typed, and what the receiver would see of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from relay.channels import channel_type, kinds
from relay.engine.showing import GROUP, ReasonError, Shape
from relay.model.access import Scope
from relay.model.catalogue import CATALOGUE
from relay.model.errors import NotFoundError
from relay.render import TemplateError
from relay.server.pages.base import Visitor, page
from relay.server.pages.given import FIELDS, given_by
from relay.server.pages.looks import Look, look_of
from relay.server.pages.mail_frames import MailFrames
from relay.server.refused import RefusedError
from relay.server.service import Service
from relay.server.trying import MANY, TYPED, Looked, Wanted, look

_PART: Final = "part."
"""What the names of the fields begin with that hold templates."""
_CHANNEL: Final = "channel:"
"""What a receiver begins with that is a channel; else it is a kind of channel."""
_USUAL: Final = "slack"
_BLANK: Final = {**dict.fromkeys((*FIELDS, "template", "reason", "group"), ""), "to": _USUAL}


@dataclass(frozen=True, slots=True)
class Source:
    """A template in the form: the part that it makes, its text, and the file that it comes from."""

    part: str
    text: str
    file: str = ""

    @property
    def rows(self) -> int:
        """How many lines to show of it."""
        return max(4, min(26, self.text.count("\n") + 2))


@dataclass(frozen=True, slots=True)
class Bench:
    """What the form shows: what was chosen, what there is to choose from, and what is wrong."""

    said: Mapping[str, str]
    receivers: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    sources: tuple[Source, ...] = ()
    wrong: str = ""
    types: tuple[tuple[str, str], ...] = (("", "one that fits"), *((each, each) for each in CATALOGUE))
    most: int = TYPED
    many: int = MANY


class Playground:
    """The page, and the mails that it frames."""

    def __init__(self, service: Callable[[], Service]) -> None:
        self._service = service
        self._frames = MailFrames(service)

    def routes(self) -> list[web.RouteDef]:
        """Return what is to be routed here. Who only reads may look at what is saved."""
        return [
            web.get("/playground", page(self._service, self.show)),
            web.post("/playground", page(self._service, self.type, Scope.OPERATE)),
            *self._frames.routes(),
        ]

    async def show(self, visitor: Visitor) -> web.Response:
        """Show how a saved template looks, with its text to be changed."""
        return await self._page(visitor, visitor.query(), {})

    async def type(self, visitor: Visitor) -> web.Response:
        """Show how a template looks that was typed."""
        said = await visitor.form()
        typed = {name.removeprefix(_PART): text for name, text in said.items() if name.startswith(_PART)}
        long = [part for part, text in typed.items() if len(text) > TYPED]
        if long:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"The template of {long[0]} is too long.",
                f"It may have {TYPED} characters.",
            )
        # Browsers send lines that end in CR LF.
        return await self._page(
            visitor, said, {part: text.replace("\r\n", "\n") for part, text in typed.items()}
        )

    async def _page(
        self, visitor: Visitor, said: Mapping[str, str], typed: Mapping[str, str]
    ) -> web.Response:
        shown: Look | None = None
        wrong, refused = "", HTTPStatus.UNPROCESSABLE_ENTITY
        try:
            wanted = _wanted(said, typed)
            shown = look_of(visitor, await look(visitor.service, wanted), self._frames)
        except (NotFoundError, RefusedError, ReasonError) as error:
            wrong = str(error)
            refused = error.status if isinstance(error, RefusedError) else refused
        status = refused if wrong else HTTPStatus.OK
        if visitor.request.headers.get("HX-Request") == "true":
            # htmx shows nothing of an answer that refuses.
            status = HTTPStatus.OK
        looked = None if shown is None else shown.looked
        bench = _bench(visitor, said, typed, looked, wrong)
        return visitor.page("playground", status, bench=bench, look=shown)


def _wanted(said: Mapping[str, str], typed: Mapping[str, str]) -> Wanted:
    kind, channel = _receiver(said)
    template = said.get("template", "").strip()
    group = said.get("group", "").strip()
    if group and not (group.isdecimal() and group.isascii() and 1 <= int(group[:4]) <= MANY):
        raise RefusedError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"A message is shown of 1 to {MANY} things, not of {group[:20]}."
        )
    return Wanted(
        kind=kind,
        channel=channel,
        template=template or None,
        typed=typed,
        given=given_by(said),
        shape=Shape.read(int(group) if group else None, said.get("reason", "").strip() or None),
    )


def _receiver(said: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the kind, or the channel, that is chosen."""
    chosen = said.get("to", "")
    if chosen.startswith(_CHANNEL):
        return None, chosen.removeprefix(_CHANNEL)
    return chosen or _USUAL, None


def _bench(
    visitor: Visitor,
    said: Mapping[str, str],
    typed: Mapping[str, str],
    looked: Looked | None,
    wrong: str,
) -> Bench:
    service = visitor.service
    receivers = (
        *((each, f"any {each}") for each in sorted(kinds())),
        *((f"{_CHANNEL}{each.name}", f"{each.name} ({each.kind})") for each in service.settings.destinations),
    )
    kind = _USUAL if looked is None else looked.preview.kind
    names = tuple(sorted({*service.renderer.names(kind), GROUP}))
    sources: tuple[Source, ...] = tuple(Source(part, text) for part, text in typed.items())
    if not typed and looked is not None:
        sources = tuple(_sources(visitor, looked))
    return Bench({**_BLANK, **said}, receivers, names, sources, wrong)


def _sources(visitor: Visitor, looked: Looked) -> list[Source]:
    """Return the texts of the templates that made a message."""
    kind, type_name = looked.preview.kind, looked.found.event.type
    own = None if looked.template in (type_name, GROUP) else looked.template
    about = GROUP if looked.template == GROUP else type_name
    found = []
    for part in channel_type(kind).PARTS:
        try:
            file, text = visitor.service.renderer.source(kind, part, about, own)
        except TemplateError:
            continue
        found.append(Source(part, text, file))
    return found
