"""``/metrics``: what Prometheus reads."""

from collections.abc import Awaitable, Callable

from aiohttp import web

Scrape = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Returns, for an ``Accept`` header, the metrics as they stand now and their content type."""
May = Callable[[web.Request], Awaitable[None]]
"""Raises RefusedError for whoever is not to read the metrics."""


def metrics_routes(scrape: Scrape, may: May) -> list[web.RouteDef]:
    """Return the route of ``/metrics``."""

    async def answer(request: web.Request) -> web.Response:
        await may(request)
        body, content_type = await scrape(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    return [web.get("/metrics", answer)]
