"""The pages for operators. A new page is one file here and one line in ``page_routes``."""

from collections.abc import Callable

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
from relay.server.service import Service

__all__ = ["page_routes"]


def page_routes(service: Callable[[], Service]) -> list[web.RouteDef]:
    """Return the routes of all pages for operators."""
    return [
        *Overview(service).routes(),
        *alerts.routes(service),
        *events.routes(service),
        *deliveries.routes(service),
        *channels.routes(service),
        *silences.routes(service),
        *repositories.routes(service),
        *rules.routes(service),
        *Playground(service).routes(),
        *journal.routes(service),
        *reader.routes(service),
    ]
