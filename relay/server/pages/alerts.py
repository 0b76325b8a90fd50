"""``/alerts``: what is wrong, and what was; one with all that belongs to it, and what to do about it."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from relay.model.access import Scope
from relay.model.alert import AlertState
from relay.model.event import Status
from relay.model.severity import Severity
from relay.render.clean import tame
from relay.server.about import web_address
from relay.server.acknowledging import DURATIONS
from relay.server.api.problems import invalid
from relay.server.api.resources.happenings import Alerts, list_alerts, show_alert
from relay.server.pages.base import Visitor, lead_to, page
from relay.server.pages.silences import blank, prefilled
from relay.server.refused import Field
from relay.server.service import Service

_STATES: Final = (
    ("", "Open"),
    ("firing", "Firing"),
    ("pending", "Pending"),
    ("resolved", "Resolved"),
    ("all", "All"),
)
SEVERITIES: Final = (("", "Any"), *((str(each), f"{each} and worse") for each in reversed(Severity)))
"""The least severity, as a filter offers it."""


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here."""
    one = "/alerts/{alert}"
    return [
        web.get("/alerts", page(service, show_list)),
        web.get(one, page(service, show)),
        web.post(one + "/acknowledge", page(service, acknowledge, Scope.OPERATE)),
        web.post(one + "/unacknowledge", page(service, unacknowledge, Scope.OPERATE)),
    ]


async def show_list(visitor: Visitor) -> web.Response:
    """Show a page of alerts, the open ones unless something else is asked for."""
    state = visitor.given("state")
    wanted: dict[str, object] = {"state": None, "open": None if state else True}
    if state in list(AlertState):
        wanted["state"] = state
    found = await list_alerts(visitor.call(visitor.wanted(Alerts, **wanted)))
    return visitor.page(
        "alerts",
        alerts=found.items,
        next=found.next,
        cut=found.cut,
        said=visitor.query(),
        states=_STATES,
        severities=SEVERITIES,
        clusters=[each.name for each in visitor.service.settings.clusters],
    )


async def show(visitor: Visitor) -> web.Response:
    """Show an alert. Raises NotFoundError and AmbiguousError."""
    operator = visitor.service.operator
    found = await show_alert(visitor.call(alert=visitor.path("alert")))
    alert = await operator.find_alert(found.id)
    status = Status.RESOLVED if found.state == AlertState.RESOLVED else Status.FIRING
    return visitor.page(
        "alert",
        alert=found,
        event=tame(alert.event(status, operator.clock.now())),
        runbook=web_address(found.annotations.get("runbook_url")),
        durations=[(value, label) for value, label, _ in DURATIONS],
        silence=blank(prefilled(alert)),
    )


async def acknowledge(visitor: Visitor) -> web.Response:
    """Note that whoever has sent the form takes care of an alert or event."""
    alert, said = visitor.path("alert"), await visitor.form()
    lengths = {value: length for value, _, length in DURATIONS}
    if said.get("until", "") not in lengths:
        raise invalid([Field("until", "Choose one of the times of the form.")])
    length = lengths[said.get("until", "")]
    until = None if length is None else visitor.service.operator.clock.now() + length
    done = await visitor.carry_out(
        "acknowledge", about=alert, note=said.get("note", "").strip(), until=until, via="page"
    )
    return lead_to(_place(done["about"]))


async def unacknowledge(visitor: Visitor) -> web.Response:
    """Take an acknowledgement back."""
    return lead_to(_place(await visitor.carry_out("unacknowledge", about=visitor.path("alert"))))


def _place(thread: str) -> str:
    """Return the page of an alert or a one-off event, by its id."""
    return f"/{'events' if thread.startswith('evt_') else 'alerts'}/{thread}"
