"""/healthz and /readyz: for probes of container platforms and load balancers."""

from collections.abc import Callable, Mapping
from typing import Protocol

from aiohttp import web


class Health(Protocol):
    """Answers whether the relay does its job."""

    def __call__(self) -> Mapping[str, str]:
        """Return what is wrong, by part; nothing for a relay that is ready."""


def health_routes(health: Callable[[], Mapping[str, str]]) -> list[web.RouteDef]:
    """Return the routes of two paths.

    ``/healthz`` answers 200 as long as the process is alive. ``/readyz`` answers 200 or 503 with
    ``{"ready": bool, "reasons": {part: reason}}``.
    """

    async def alive(_request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def ready(_request: web.Request) -> web.Response:
        reasons = dict(health())
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    return [web.get("/healthz", alive), web.get("/readyz", ready)]
