"""Servers in a thread of their own: a subprocess can reach them, and so can a test whose loop is busy."""

import asyncio
import os
import socket
import ssl
import sys
import threading
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web
from aiohttp.typedefs import Handler

T = TypeVar("T")

PATIENCE = 20.0
"""Seconds that anything here may take before the test fails."""


class LoopThread:
    """An event loop that runs in a thread until it is closed."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="real parts", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Runs it over there and waits here for what it returns or raises."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def close(self) -> None:
        self.run(self._finish())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()

    async def _finish(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self.loop.shutdown_asyncgens()
        await self.loop.shutdown_default_executor()


def listen(port: int = 0) -> socket.socket:
    """A bound loopback socket; with port 0 a free one."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


_KEPT: deque[int] = deque()
_MOST_KEPT = 200


def free_port() -> int:
    """A port for a process that cannot be handed a socket; for now nobody else is given it by the system.

    Linux gives a port that a socket is bound to to nobody who asks for any port, and still lets a server have
    it who asks for this one, as long as the first socket does not listen. Without that, what another test
    starts meanwhile could take the port before the process does, or while it is stopped.
    """
    bound = listen()
    port = int(bound.getsockname()[1])
    if sys.platform != "linux":
        bound.close()
        return port
    _KEPT.append(bound.detach())
    if len(_KEPT) > _MOST_KEPT:
        os.close(_KEPT.popleft())
    return port


class Site:
    """One handler for every request, on a loopback port that stays the same over `stop` and `start`."""

    def __init__(self, thread: LoopThread, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self._thread, self._handler, self._tls = thread, handler, tls
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.run(self._start())

    def stop(self) -> None:
        """Connections are refused from here on, open ones are closed."""
        if self._runner:
            self._thread.run(self._runner.cleanup())
            self._runner = None

    async def _start(self) -> None:
        self.port = self.port or free_port()
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handler)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        await web.SockSite(self._runner, listen(self.port), ssl_context=self._tls).start()
