"""Writing: through the control socket of the relay that runs, else directly into the store."""

import getpass
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, UnixConnector

from relay.app.places import control_socket
from relay.cli.reading import open_store
from relay.engine.operate import Operator
from relay.model.clock import SystemClock
from relay.model.errors import Exit, RelayError
from relay.settings import Configuration

_SECONDS = 30.0


class OrderError(RelayError):
    """A running relay refused an order; it says why and with which exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.exit = Exit(status)


def me() -> str:
    """Return who gives the order."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


async def order(found: Configuration, what: str, **said: Any) -> Any:
    """Carry out ``replay``, ``replay-dead``, ``enable`` or ``disable``. Raises RelayError."""
    path = control_socket(found.settings.store.get_secret_value())
    try:
        return await _ask(path, what, said)
    except (ClientConnectionError, FileNotFoundError):
        # Nobody listens: no relay runs on this store, at least none on this machine.
        return await _do(found, what, said)


async def _ask(path: Path, what: str, said: Mapping[str, Any]) -> Any:
    timeout = ClientTimeout(total=_SECONDS)
    async with (
        ClientSession(connector=UnixConnector(str(path)), timeout=timeout) as session,
        session.post(f"http://relay/{what}", json=dict(said)) as response,
    ):
        answer = await response.json()
    if response.status != 200:
        raise OrderError(answer["error"], answer["exit"])
    return answer["result"]


async def _do(found: Configuration, what: str, said: Mapping[str, Any]) -> Any:
    async with open_store(found) as store:
        # Ids of replays need no cryptographic randomness.
        operator = Operator(store, SystemClock(), random.Random())  # noqa: S311
        match what:
            case "replay":
                return [each.id for each in await operator.replay(said["deliveries"], said["by"])]
            case "replay-dead":
                return [each.id for each in await operator.replay_dead(said["channel"], said["by"])]
            case "enable":
                await operator.enable(said["channel"], said["by"])
            case _:
                await operator.disable(said["channel"], said["by"], said["reason"])
    return None
