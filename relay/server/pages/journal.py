"""``/journal``: who did what, and when."""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from aiohttp import web

from relay.server.api.resources.proofs import DeedDocument, Journal, list_journal
from relay.server.pages.base import Visitor, page
from relay.server.service import Service

_PLACES: Final = {"alr": "alerts", "evt": "events", "dlv": "deliveries"}


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here."""
    return [web.get("/journal", page(service, show))]


async def show(visitor: Visitor) -> web.Response:
    """Show a page of what people did, the latest first."""
    found = await list_journal(visitor.call(visitor.wanted(Journal)))
    return visitor.page(
        "journal",
        deeds=[(each, place_of(each)) for each in found.items],
        next=found.next,
        cut=found.cut,
        said=visitor.query(),
    )


def place_of(deed: DeedDocument) -> str | None:
    """Return the page of what somebody did something to, None if it has none."""
    if deed.action in ("enable", "disable", "test", "replay-dead"):
        return f"/channels/{quote(deed.subject, safe='')}"
    if deed.subject.startswith("sil_"):
        return "/silences"
    kind = _PLACES.get(deed.subject.partition("_")[0])
    return None if kind is None else f"/{kind}/{deed.subject}"
