"""``/events``: what happened; one event with its details and who was told."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from relay.model.catalogue import CATALOGUE
from relay.model.event import SubjectKind
from relay.render.clean import bounded, tame
from relay.server.about import web_address
from relay.server.acknowledging import DURATIONS
from relay.server.api.resources.happenings import Events, list_events, show_event
from relay.server.pages.alerts import SEVERITIES
from relay.server.pages.base import Visitor, page
from relay.server.service import Service

_STATUSES: Final = (("", "Any"), ("event", "One-off"), ("firing", "Beginnings"), ("resolved", "Ends"))


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here."""
    return [web.get("/events", page(service, show_list)), web.get("/events/{event}", page(service, show))]


async def show_list(visitor: Visitor) -> web.Response:
    """Show a page of events, the latest first."""
    found = await list_events(visitor.call(visitor.wanted(Events)))
    return visitor.page(
        "events",
        events=found.items,
        next=found.next,
        cut=found.cut,
        said=visitor.query(),
        statuses=_STATUSES,
        severities=SEVERITIES,
        types=sorted(CATALOGUE),
        clusters=[each.name for each in visitor.service.settings.clusters],
    )


async def show(visitor: Visitor) -> web.Response:
    """Show an event. Raises NotFoundError."""
    store, now = visitor.service.operator.store, visitor.service.operator.clock.now()
    found = await show_event(visitor.call(event=visitor.path("event")))
    taken = await store.views.event(found.id)
    kind = CATALOGUE.get(found.type)
    acknowledged = None if found.alert else await store.acknowledgement(found.id)
    return visitor.page(
        "event",
        event=found if taken is None else tame(taken.event),
        found=found,
        details=bounded(found.details),
        meaning="" if kind is None else kind.meaning,
        runbook=web_address(found.annotations.get("runbook_url")),
        repository=found.subject.name if found.subject.kind == SubjectKind.REPOSITORY else "",
        acknowledged=acknowledged if acknowledged is not None and acknowledged.holds(now) else None,
        durations=[(value, label) for value, label, _ in DURATIONS],
    )
