"""``/api/v1``: what the pages show and the commands do, over HTTP, for programs."""

import json
from collections.abc import Callable
from typing import Final

from aiohttp import web

from relay.model.access import Scope
from relay.model.clock import Clock
from relay.server.access import require
from relay.server.api import openapi
from relay.server.api.handler import ROOT, handler
from relay.server.api.live import Live
from relay.server.api.problems import CONTENT_TYPE, problem
from relay.server.api.resources import OPERATIONS
from relay.server.service import Service
from relay.server.stream import Stream
from relay.server.turns import Turns

__all__ = ["CONTENT_TYPE", "OPERATIONS", "ROOT", "api_routes", "problem"]

OPENAPI: Final = ROOT + "/openapi.json"


def api_routes(
    service: Callable[[], Service], stream: Callable[[], Stream], clock: Clock, turns: Turns
) -> list[web.RouteDef]:
    """Return the routes of all operations, the live stream, and the OpenAPI document."""
    operations = [
        web.route(each.method, ROOT + each.path, handler(each, service, turns)) for each in OPERATIONS
    ]

    async def described(request: web.Request) -> web.Response:
        found = service()
        require(await found.access.principal(request), Scope.READ)
        document = openapi.document(OPERATIONS, found.settings.server.public_url)
        return web.json_response(text=json.dumps(document, ensure_ascii=False, indent=1))

    return [
        *operations,
        *Live(service, stream, clock, turns).routes(),
        web.get(OPENAPI, described),
    ]
