"""``/deliveries``: what is on its way and what became of it; one with its attempts; sending again."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from relay.engine.operate import REPLAYABLE
from relay.model.access import Scope
from relay.model.delivery import HELD_BACK, DeliveryState
from relay.server.api.problems import invalid
from relay.server.api.resources.deliveries import Deliveries, list_deliveries, show_delivery
from relay.server.pages.base import Visitor, lead_to, page
from relay.server.refused import Field
from relay.server.service import Service

_PREFIX: Final = "delivery."
"""Before the id in the name of a checkbox: of fields of one name a form counts the first."""
_TABS: Final = (
    ("", "All"),
    ("dead", "Dead"),
    ("pending", "Waiting"),
    ("held", "Held"),
    ("partial", "Partial"),
    ("delivered", "Delivered"),
)
_COUNTED: Final = (DeliveryState.DEAD, DeliveryState.PENDING, DeliveryState.HELD)


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here."""
    one = "/deliveries/{delivery}"
    return [
        web.get("/deliveries", page(service, show_list)),
        web.get(one, page(service, show)),
        web.post("/deliveries/replay", page(service, replay_chosen, Scope.OPERATE)),
        web.post(one + "/replay", page(service, replay, Scope.OPERATE)),
    ]


async def show_list(visitor: Visitor) -> web.Response:
    """Show a page of deliveries, the newest first."""
    store, settings = visitor.service.operator.store, visitor.service.settings
    found = await list_deliveries(visitor.call(visitor.wanted(Deliveries)))
    counts = await store.views.count_states(visitor.given("channel") or None, _COUNTED)
    return visitor.page(
        "deliveries",
        deliveries=found.items,
        next=found.next,
        cut=found.cut,
        said=visitor.query(),
        counts=counts,
        tabs=_TABS,
        states=[str(each) for each in DeliveryState],
        channels=settings.channel_names,
        rules=[each.name for each in settings.effective_rules],
        replayable=REPLAYABLE,
        prefix=_PREFIX,
    )


async def show(visitor: Visitor) -> web.Response:
    """Show a delivery. Raises NotFoundError and AmbiguousError."""
    found = await show_delivery(visitor.call(delivery=visitor.path("delivery")))
    return visitor.page(
        "delivery",
        delivery=found,
        waits=_waits(found.state),
        replayable=found.state in REPLAYABLE,
    )


def _waits(state: DeliveryState) -> str:
    """Return in words what a delivery in a state waits for, or why it was not sent; empty if it was."""
    if state in HELD_BACK:
        return "It is held back, and looked at again when that is over."
    return {
        DeliveryState.HELD: "Its channel is not configured any more: it waits until it is again.",
        DeliveryState.GROUPED: "It was told together with others, in another delivery.",
        DeliveryState.SUPERSEDED: "There was nothing left to say when its time came.",
        DeliveryState.DEAD: "The receiver refused it for good, or it failed through its whole schedule.",
        DeliveryState.PARTIAL: "Some of its targets have it, the others refused it for good.",
    }.get(state, "")


async def replay_chosen(visitor: Visitor) -> web.Response:
    """Send once more what is ticked."""
    said = await visitor.form()
    ids = [name.removeprefix(_PREFIX) for name in said if name.startswith(_PREFIX)]
    if not ids:
        raise invalid([Field("deliveries", "Tick those that are to be sent once more.")])
    done = await visitor.carry_out("replay", deliveries=ids)
    return lead_to("/deliveries", done="replayed", count=len(done))


async def replay(visitor: Visitor) -> web.Response:
    """Send one delivery once more, and lead to the new one."""
    (made,) = await visitor.carry_out("replay", deliveries=[visitor.path("delivery")])
    return lead_to(f"/deliveries/{made}", done="replayed")
