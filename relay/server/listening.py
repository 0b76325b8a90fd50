"""Listening on a TCP address or a Unix socket."""

import contextlib
import logging
import os
import socket
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from relay.model.errors import RelayError


class _Malformed(logging.Filter):
    """Keeps quiet about what is no HTTP: what would be said of it repeats it, a link's token too."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_log = logging.getLogger("relay.server.listening")
_log.addFilter(_Malformed())


class ListenError(RelayError):
    """The address cannot be listened on."""


class Listener:
    """One application on one address, until closed."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, logger=_log)
        self._path: Path | None = None

    async def on_tcp(self, address: str) -> int:
        """Listen on host:port; return the port. Raises ListenError."""
        host, _, port = address.rpartition(":")
        await self._runner.setup()
        site = web.TCPSite(self._runner, host.strip("[]"), int(port))
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ListenError(f"server.listen: cannot listen on {address}: {error.strerror}") from None
        return int(self._runner.addresses[0][1])

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
        await self._runner.cleanup()
        if self._path is not None:
            _remove(self._path)


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
