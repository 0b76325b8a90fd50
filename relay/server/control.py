"""The control socket: how commands of the same machine reach a running relay.

It is a Unix socket that only the relay's own user can open: who may write it is a matter of file permissions.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from relay.engine.operate import Operator
from relay.model.errors import RelayError


class Order(BaseModel):
    """What a command asks for; ``by`` is the user who does."""

    model_config = ConfigDict(extra="forbid")

    by: str
    deliveries: list[str] = Field(default_factory=list)
    channel: str = ""
    reason: str = ""


def control_app(operator: Callable[[], Operator]) -> web.Application:
    """Return an application that carries out orders: POST /replay, /replay-dead, /enable, /disable.

    It answers 200 with the outcome, or 4xx with ``{"error", "exit"}``, the exit status for the command.
    """

    async def replay(order: Order) -> Any:
        return [delivery.id for delivery in await operator().replay(order.deliveries, order.by)]

    async def replay_dead(order: Order) -> Any:
        return [delivery.id for delivery in await operator().replay_dead(order.channel, order.by)]

    async def enable(order: Order) -> Any:
        await operator().enable(order.channel, order.by)

    async def disable(order: Order) -> Any:
        await operator().disable(order.channel, order.by, order.reason)

    app = web.Application(client_max_size=4 * 1024 * 1024)
    for path, deed in (
        ("/replay", replay),
        ("/replay-dead", replay_dead),
        ("/enable", enable),
        ("/disable", disable),
    ):
        app.router.add_post(path, _handler(deed))
    return app


def _handler(deed: Callable[[Order], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            order = Order.model_validate_json(await request.read())
            result = await deed(order)
        except ValidationError:
            return web.json_response({"error": "this order is not understood", "exit": 2}, status=400)
        except RelayError as error:
            return web.json_response({"error": str(error), "exit": int(error.exit)}, status=409)
        return web.json_response({"result": result})

    return handle
