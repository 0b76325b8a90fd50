"""The public listener: health, pages, API, hooks; and what all of its answers have in common."""

import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.server.acknowledging import AcknowledgePage
from relay.server.api import api_routes, problem
from relay.server.health import health_routes
from relay.server.hooks import HookRoutes
from relay.server.login import LoginPages, to_login
from relay.server.pages import page_routes
from relay.server.refused import STORE_FAILS, Guesses, RefusedError
from relay.server.service import Service
from relay.server.static import assets
from relay.server.stream import Stream
from relay.server.turns import Turns

_log = structlog.get_logger("relay.server")

_HEADERS: Final[Mapping[str, str]] = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}
_FAILED: Final = "The relay failed to answer. Its log says more.\n"


def public_app(
    health: Callable[[], Mapping[str, str]],
    service: Callable[[], Service],
    stream: Callable[[], Stream],
    guesses: Guesses,
    clock: Clock,
    routes: Iterable[web.RouteDef] = (),
) -> web.Application:
    """Return the application of the public listener, with these further ``routes``.

    ``service`` and ``stream`` are asked by each request.
    """
    app = web.Application(middlewares=[_middleware(service)])
    app.on_response_prepare.append(_headers(service))
    turns = Turns()
    app.add_routes([*health_routes(health), *routes])
    app.add_routes(AcknowledgePage(service, clock, guesses).routes())
    app.add_routes(LoginPages(service, clock).routes())
    app.add_routes(assets().routes())
    app.add_routes(api_routes(service, stream, clock, turns))
    app.add_routes(HookRoutes(service, clock, guesses).routes())
    app.add_routes(page_routes(service, turns))
    return app


def _headers(
    service: Callable[[], Service],
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    async def prepare(_request: web.Request, response: web.StreamResponse) -> None:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Content-Security-Policy", service().pages.policy)

    return prepare


def _middleware(service: Callable[[], Service]) -> Middleware:
    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await _answer(request, handler, service)
        except Exception as error:
            # Neither the address nor an error's own text: they may hold a link's token.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("an answer failed", error=type(error).__name__, exception=where)
            response = web.Response(text=_FAILED, status=HTTPStatus.INTERNAL_SERVER_ERROR)
        return response

    return answer


async def _answer(
    request: web.Request, handler: Handler, service: Callable[[], Service]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusedError as error:
        refused = error
    except StoreError as error:
        _log.error("an answer failed", error=str(error))
        refused = STORE_FAILS
    except web.HTTPException as error:
        refused = _not_here(error)
    if request.path.startswith(("/api/", "/hooks/")):
        return problem(refused)
    elsewhere = to_login(request, refused)
    if elsewhere is not None:
        return elsewhere
    return web.Response(
        text=service().pages.render("refused", refused=refused),
        content_type="text/html",
        status=refused.status,
        headers=dict(refused.headers),
    )


def _not_here(error: web.HTTPException) -> RefusedError:
    """Return what the router has to say."""
    if error.status == HTTPStatus.METHOD_NOT_ALLOWED:
        allow = {"Allow": error.headers.get("Allow", "")}
        return RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "This cannot be done here.", headers=allow)
    if error.status == HTTPStatus.NOT_FOUND:
        return RefusedError(
            HTTPStatus.NOT_FOUND,
            "There is nothing here.",
            "Alerts and events can be looked at by command.",
            commands=["msr-relay alerts", "msr-relay events"],
        )
    return RefusedError(HTTPStatus(error.status), HTTPStatus(error.status).phrase)
