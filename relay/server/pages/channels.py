"""``/channels``: how each stands; one with its limits, a test, and turning it off and on."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from aiohttp import web

from relay.model.access import Scope
from relay.model.delivery import ChannelState, DeliveryState
from relay.server.api.resources.channels import (
    TestMessage,
    TestResult,
    limits,
    test_channel,
    unknown,
)
from relay.server.api.resources.deliveries import Deliveries, list_deliveries
from relay.server.pages.base import Visitor, lead_to, page
from relay.server.pages.overview import ChannelView, channel_views
from relay.server.service import Service

_LATEST = 10


def routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return what is to be routed here."""
    one = "/channels/{channel}"
    return [
        web.get("/channels", page(service, show_list)),
        web.get(one, page(service, show)),
        web.post(one + "/test", page(service, test, Scope.OPERATE)),
        web.post(one + "/disable", page(service, disable, Scope.OPERATE)),
        web.post(one + "/enable", page(service, enable, Scope.OPERATE)),
        web.post(one + "/replay-dead", page(service, replay_dead, Scope.OPERATE)),
    ]


async def show_list(visitor: Visitor) -> web.Response:
    """Show all channels."""
    found = await channel_views(visitor.service, visitor.service.operator.clock.now())
    return visitor.page("channels", channels=found)


async def show(visitor: Visitor) -> web.Response:
    """Show a channel. Raises NotFoundError."""
    return await _show(visitor)


async def _show(visitor: Visitor, trial: TestResult | None = None) -> web.Response:
    service, found = visitor.service, await _find(visitor)
    name = found.health.channel
    configured = {each.name: each for each in service.settings.destinations}
    latest = await list_deliveries(visitor.call(Deliveries(channel=name, limit=_LATEST)))
    return visitor.page(
        "channel",
        channel=found,
        limits=_limits(limits(configured[name])) if name in configured else {},
        disabled=found.health.state is ChannelState.DISABLED,
        last_error=await _last_error(visitor, name),
        latest=latest.items,
        trial=trial,
    )


async def _find(visitor: Visitor) -> ChannelView:
    service, name = visitor.service, visitor.path("channel")
    found = await channel_views(service, service.operator.clock.now(), only=name)
    if not found:
        raise unknown(service, name)
    return found[0]


def _limits(found: dict[str, Any]) -> dict[str, str]:
    waits = found["waits"]
    return {
        "Rate": found["rate"] or "no limit",
        "At the same time": str(found["concurrency"]),
        "Time for an answer": found["timeout"],
        "Digest after": found["digest_after"] or "never",
        "Tried again after": ", ".join(waits) if waits else "never",
    }


async def _last_error(visitor: Visitor, channel: str) -> str | None:
    """Return what the newest delivery that waits or died was answered, None if none of them was."""
    wanted = (Deliveries(channel=channel, state=each, limit=1) for each in _TROUBLED)
    pages = [await list_deliveries(visitor.call(each)) for each in wanted]
    found = [each for each in (item for one in pages for item in one.items) if each.last_error]
    newest = max(found, key=lambda each: each.created_at, default=None)
    return None if newest is None else newest.last_error


_TROUBLED = (DeliveryState.PENDING, DeliveryState.DEAD)


async def test(visitor: Visitor) -> web.Response:
    """Send a test, and show how that went: it is not kept, so this is where it is shown."""
    found = await test_channel(visitor.call(body=TestMessage(), channel=visitor.path("channel")))
    return await _show(visitor, found)


async def disable(visitor: Visitor) -> web.Response:
    """Send nothing more to a channel."""
    said = await visitor.form()
    name = (await _find(visitor)).health.channel
    await visitor.carry_out("disable", channel=name, reason=said.get("reason", "").strip())
    return lead_to(_place(name), done="disabled")


async def enable(visitor: Visitor) -> web.Response:
    """Send to a channel again."""
    name = (await _find(visitor)).health.channel
    await visitor.carry_out("enable", channel=name)
    return lead_to(_place(name), done="enabled")


async def replay_dead(visitor: Visitor) -> web.Response:
    """Send everything once more that a channel refused for good."""
    name = (await _find(visitor)).health.channel
    done = await visitor.carry_out("replay-dead", channel=name)
    return lead_to(_place(name), done="replayed", count=len(done))


def _place(name: str) -> str:
    return f"/channels/{quote(name, safe='')}"
