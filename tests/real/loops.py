"""Servers in a thread of their own: a subprocess can reach them, and so can a test whose loop is busy."""

import asyncio
import socket
import ssl
import threading
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


def free_port() -> int:
    """A port for a process that cannot be handed a socket."""
    with listen() as probe:
        return int(probe.getsockname()[1])


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
        sock = listen(self.port)
        self.port = int(sock.getsockname()[1])
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_route("*", "/{path:.*}", self._handler)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        await web.SockSite(self._runner, sock, ssl_context=self._tls).start()
