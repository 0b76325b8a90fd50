"""The pages for operators. A new page is one file here and one line in ``page_routes``."""

from collections.abc import Callable
from typing import cast

from aiohttp import web

from relay.server.pages import (
    alerts,
    channels,
    deliveries,
    events,
    journal,
    reader,
    repositories,
    rules,
    silences,
)
from relay.server.pages.overview import Overview
from relay.server.pages.playground import Playground
from relay.server.service import Answer, Service
from relay.server.turns import Turns

__all__ = ["page_routes"]


def page_routes(service: Callable[[], Service], turns: Turns) -> list[web.RouteDef]:
    """Return the routes of all pages for operators; those that only read take ``turns``."""
    # What the playground shows is made by a process of its own, for which nobody else is to wait.
    return [*(_in_turn(each, turns) for each in _routes(service)), *Playground(service).routes()]


def _in_turn(route: web.RouteDef, turns: Turns) -> web.RouteDef:
    """Return a route whose readers wait for each other: pages that are open load anew by themselves."""
    if route.method not in ("GET", "HEAD"):
        return route

    async def handle(request: web.Request) -> web.StreamResponse:
        async def make() -> web.StreamResponse:
            return await cast("Answer", route.handler)(request)

        return await turns.take(make)

    return web.RouteDef(route.method, route.path, handle, route.kwargs)


def _routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    return [
        *Overview(service).routes(),
        *alerts.routes(service),
        *events.routes(service),
        *deliveries.routes(service),
        *channels.routes(service),
        *silences.routes(service),
        *repositories.routes(service),
        *rules.routes(service),
        *journal.routes(service),
        *reader.routes(service),
    ]
