"""Listening on a TCP address or a Unix socket."""

import asyncio
import contextlib
import logging
import os
import resource
import socket
from pathlib import Path
from typing import Final, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from relay.model.errors import RelayError


class _Malformed(logging.Filter):
    """Keeps quiet about what is no HTTP: what would be said of it repeats it, a link's token too."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_log = logging.getLogger("relay.server.listening")
_log.addFilter(_Malformed())
_events = structlog.get_logger("relay.server")

_IDLE: Final = 75.0
"""Seconds after which a connection is closed on which nothing is asked, from the first on. Proxies that keep
connections open give them up sooner (nginx after 60), so that none sends a request into a closing one."""
_MOST: Final = 2000


class ListenError(RelayError):
    """The address cannot be listened on."""


class Listener:
    """One application on one address, until closed."""

    def __init__(self, app: web.Application, *, idle: float = _IDLE, most: int | None = None) -> None:
        """``idle``: seconds that a connection may wait for a request. ``most``: TCP connections at a time.

        Without ``most`` half of the files that the process may open are left to what it sends and stores.
        """
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1.0, logger=_log, keepalive_timeout=idle
        )
        self._most = _bound() if most is None else most
        self._tcp: asyncio.Server | None = None
        self._path: Path | None = None

    async def on_tcp(self, address: str) -> int:
        """Listen on host:port; return the port. Raises ListenError."""
        host, _, port = address.rpartition(":")
        await self._runner.setup()
        answering = self._runner.server
        assert answering is not None
        try:
            # Not by a site of aiohttp's, which takes as many connections as come.
            self._tcp = await asyncio.get_running_loop().create_server(
                lambda: _Door(answering, self._most), host.strip("[]"), int(port), backlog=128
            )
        except OSError as error:
            await self._runner.cleanup()
            raise ListenError(f"server.listen: cannot listen on {address}: {error.strerror}") from None
        return int(self._tcp.sockets[0].getsockname()[1])

    async def on_socket(self, path: Path) -> None:
        """Listen on a Unix socket that only this user can open. Raises ListenError."""
        await self._runner.setup()
        try:
            await web.SockSite(self._runner, _private_socket(path)).start()
        except OSError as error:
            await self._runner.cleanup()
            raise ListenError(f"cannot listen on {path}: {error.strerror or error}") from None
        self._path = path

    async def close(self) -> None:
        """Stop listening."""
        if self._tcp is not None:
            self._tcp.close()
        await self._runner.cleanup()
        if self._path is not None:
            _remove(self._path)


class _Door(asyncio.Protocol):
    """A connection that was just made: it is served, or closed if there are too many."""

    def __init__(self, answering: web.Server, most: int) -> None:
        self._answering = answering
        self._most = most

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hand it on to what answers."""
        made = cast(asyncio.Transport, transport)
        if len(self._answering.connections) >= self._most:
            _events.warning("a connection was closed: too many are open", most=self._most)
            made.abort()
            return
        handler = self._answering()
        made.set_protocol(handler)
        handler.connection_made(made)


def _bound() -> int:
    """Return how many connections are served at a time."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if files == resource.RLIM_INFINITY else min(_MOST, files // 2)


def _private_socket(path: Path) -> socket.socket:
    # The lock on the store says that no other relay listens here, so what is left there is stale.
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mask counts from the first moment on; a mode set afterwards would come too late.
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    except OSError:
        listening.close()
        raise
    finally:
        os.umask(before)
    return listening


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
