"""``/metrics``: what Prometheus reads."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from relay.server.access import places
from relay.settings import ServerSettings

Scrape = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Returns, for an ``Accept`` header, the metrics as they stand now and their content type."""
May = Callable[[web.Request], Awaitable[None]]
"""Raises RefusedError for whoever is not to read the metrics."""


def may_scrape(request: web.Request, server: ServerSettings) -> bool:
    """Tell whether somebody may read the metrics without saying who it is (see ``server.metrics.public``)."""
    if server.metrics.public is not None:
        return server.metrics.public
    # What comes from this machine is then what a proxy on it passes on, which need not say so.
    proxied = server.public_url is not None or server.trusted_proxy is not None
    # By another name, a page of another site could have a browser on this machine read them.
    here = places.on_loopback(request) and not places.forwarded(request) and places.named_here(request)
    return here and not proxied


def metrics_routes(scrape: Scrape, may: May) -> list[web.RouteDef]:
    """Return the route of ``/metrics``."""

    async def answer(request: web.Request) -> web.Response:
        await may(request)
        body, content_type = await scrape(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    return [web.get("/metrics", answer)]
