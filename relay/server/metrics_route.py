"""``/metrics``: what Prometheus reads."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from relay.server.access import places

Scrape = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Returns, for an ``Accept`` header, the metrics as they stand now and their content type."""
May = Callable[[web.Request], Awaitable[None]]
"""Raises RefusedError for whoever is not to read the metrics."""


def may_scrape(request: web.Request, public: bool | None) -> bool:
    """Tell whether somebody may read the metrics without saying who it is (see ``server.metrics.public``)."""
    if public is None:
        # By another name, a page of another site could have a browser on this machine read them.
        return places.on_loopback(request) and not places.forwarded(request) and places.named_here(request)
    return public


def metrics_routes(scrape: Scrape, may: May) -> list[web.RouteDef]:
    """Return the route of ``/metrics``."""

    async def answer(request: web.Request) -> web.Response:
        await may(request)
        body, content_type = await scrape(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    return [web.get("/metrics", answer)]
