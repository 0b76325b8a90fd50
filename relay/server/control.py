"""The control socket: how commands of the same machine reach a running relay.

It is a Unix socket that only the relay's own user can open: who may write it is a matter of file permissions.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web
from pydantic import ValidationError

from relay.engine.operate import Operator
from relay.engine.orders import ORDERS, Kind
from relay.model.errors import RelayError


def control_app(operator: Callable[[], Operator]) -> web.Application:
    """Return an application that carries out orders: POST to the name of one (see ``ORDERS``).

    It answers 200 with the outcome, or 4xx with ``{"error", "exit"}``, the exit status for the command.
    """
    app = web.Application(client_max_size=4 * 1024 * 1024)
    for name, kind in ORDERS.items():
        app.router.add_post(f"/{name}", _handler(kind, operator))
    return app


def _handler(
    kind: Kind, operator: Callable[[], Operator]
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            order = kind.model.model_validate_json(await request.read())
            result = await kind.do(operator(), order)
        except ValidationError:
            return web.json_response({"error": "this order is not understood", "exit": 2}, status=400)
        except RelayError as error:
            return web.json_response({"error": str(error), "exit": int(error.exit)}, status=409)
        return web.json_response({"result": result})

    return handle
