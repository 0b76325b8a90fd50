"""``/journal``: who did what, and when."""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from aiohttp import web
from pydantic import Field

from relay.server.api.operation import Paged
from relay.server.api.paging import cursor, seq_of
from relay.server.pages.base import Visitor, page
from relay.server.service import Service
from relay.store import Deed, DeedQuery

_PLACES: Final = {"alr": "alerts", "evt": "events", "dlv": "deliveries"}


class _Wanted(Paged):
    who: str | None = Field(None, max_length=200)
    action: str | None = Field(None, max_length=100)
    subject: str | None = Field(None, max_length=300)


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here."""
    return [web.get("/journal", page(service, show))]


async def show(visitor: Visitor) -> web.Response:
    """Show a page of what people did, the latest first."""
    said = visitor.wanted(_Wanted)
    wanted = DeedQuery(said.who, said.action, said.subject, before=seq_of(said.cursor), limit=said.limit)
    found = await visitor.service.operator.store.views.deeds(wanted)
    return visitor.page(
        "journal",
        deeds=[(each, place_of(each)) for each in found.rows],
        next=cursor(found.next),
        cut=found.cut,
        said=visitor.query(),
    )


def place_of(deed: Deed) -> str | None:
    """Return the page of what somebody did something to, None if it has none."""
    if deed.action in ("enable", "disable", "test", "replay-dead"):
        return f"/channels/{quote(deed.subject, safe='')}"
    if deed.subject.startswith("sil_"):
        return "/silences"
    kind = _PLACES.get(deed.subject.partition("_")[0])
    return None if kind is None else f"/{kind}/{deed.subject}"
