"""What changes something: told to the running relay through its control socket, else done on the store."""

import errno
import getpass
import json
import os
import random
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientError, ClientSession, ClientTimeout, UnixConnector
from pydantic import ValidationError

from relay.app.places import control_socket
from relay.cli.opening import existing_store, new_store
from relay.engine.operate import Operator, OrderError
from relay.engine.orders import ORDERS, Order
from relay.model.clock import SystemClock
from relay.model.errors import Exit, RelayError
from relay.settings import Configuration

AnyOrder = TypeVar("AnyOrder", bound=Order)

_WITHIN = ClientTimeout(total=60)


def user(by: str | None) -> str:
    """Return who does something: as told, else the user of the operating system."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def ordered(kind: type[AnyOrder], **fields: Any) -> AnyOrder:
    """Return an order. Raises OrderError for what it cannot hold."""
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise OrderError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


async def give(configuration: Configuration, deed: str, order: Order, *, make: bool = False) -> Any:
    """Carry out an order, by its name in ``ORDERS``, and return its outcome as JSON types.

    ``make``: make the store if there is none yet.

    Raises RelayError with the exit status that belongs to it, also where the relay of another user runs.
    """
    socket = control_socket(configuration.settings.store.get_secret_value())
    try:
        return await _tell(socket, deed, order)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ECONNREFUSED):
            raise RelayError(f"the running relay cannot be told, at {socket}: {error.strerror}") from None
    except (ClientError, TimeoutError, ValueError) as error:
        raise RelayError(f"the running relay does not answer properly, at {socket}: {error}") from None
    return await _do(configuration, deed, order, make=make)


async def _tell(socket: Path, deed: str, order: Order) -> Any:
    async with (
        ClientSession(connector=UnixConnector(str(socket)), timeout=_WITHIN) as session,
        session.post(f"http://relay/{deed}", data=order.model_dump_json()) as answer,
    ):
        document = json.loads(await answer.read())
        if answer.status == 200:
            return document["result"]
        refused = RelayError(str(document.get("error", f"status {answer.status}")))
        refused.exit = Exit(document.get("exit", Exit.FAILED))
        raise refused


async def _do(configuration: Configuration, deed: str, order: Order, *, make: bool) -> Any:
    opened = new_store(configuration) if make else existing_store(configuration)
    async with opened as store:
        # Ids of replays and silences need no cryptographic randomness.
        operator = Operator(store, SystemClock(), random.Random())  # noqa: S311
        return await ORDERS[deed].do(operator, order)
