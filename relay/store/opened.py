"""An open database: its connections, the thread that writes, and the threads that read."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

from sqlalchemy import Engine

from relay.model.errors import StoreError
from relay.model.steps import Reach, pass_by
from relay.model.telemetry import Telemetry
from relay.store.database import FileLock, connect, create_file, file_of, parse_url, plain_errors
from relay.store.migrate import upgrade
from relay.store.views import Views
from relay.store.writer import Handler, Writer

T = TypeVar("T")


class Opened:
    """What every store is made of.

    What the relay works with is read on one thread, what people look at (``views``) on another: however much
    is looked at, nothing that is to be sent waits for it. Writes have a thread of their own.
    """

    def __init__(
        self,
        url: str,
        *,
        reach: Reach = pass_by,
        alone: bool = False,
        telemetry: Telemetry = Telemetry(),  # noqa: B008
    ) -> None:
        """Open a store and bring its tables up to this release; blocks. Raises StoreError.

        ``alone``: see ``for_running``.
        """
        self._reach = reach
        self._telemetry = telemetry
        self._url = parse_url(url)
        with contextlib.ExitStack() as opened:
            path = file_of(self._url)
            if path is not None:
                if alone:
                    opened.callback(FileLock(path).release)
                create_file(path)
            self._writing = connect(self._url, writing=True, alone=alone)
            opened.callback(self._writing.dispose)
            self._reading = connect(self._url, writing=False)
            opened.callback(self._reading.dispose)
            # It connects with the first look at anything.
            self._viewing = connect(self._url, writing=False)
            opened.callback(self._viewing.dispose)
            with plain_errors():
                # To have the lock before anything is changed.
                self._writing.connect().close()
                upgrade(self._reading, self._writing)
            self._opened = opened.pop_all()
        self._writer = Writer(self._writing)
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._viewer = ThreadPoolExecutor(1, thread_name_prefix="store-viewer")
        self._closed = False
        self.views = Views(self._view)

    @classmethod
    def for_running(
        cls,
        url: str,
        *,
        reach: Reach = pass_by,
        telemetry: Telemetry = Telemetry(),  # noqa: B008
    ) -> Self:
        """Open a store as the one process that may run on it. Raises StoreBusyError if another does."""
        return cls(url, reach=reach, alone=True, telemetry=telemetry)

    def close(self) -> None:
        """Make durable what has been submitted, and let go of the database; blocks. May be called again."""
        self._closed = True
        self._writer.close()
        self._reader.shutdown()
        self._viewer.shutdown()
        self._opened.close()

    async def _write(self, handler: Handler, item: Any, operation: str = "write") -> Any:
        with self._telemetry.storing(operation), plain_errors():
            return await self._writer.write(handler, item)

    async def _read(self, reader: Callable[..., T], *arguments: Any) -> T:
        with self._telemetry.storing("read"):
            return await self._run(self._reader, self._reading, reader, arguments)

    async def _view(self, reader: Callable[..., T], *arguments: Any) -> T:
        with self._telemetry.storing("view"):
            return await self._run(self._viewer, self._viewing, reader, arguments)

    async def _run(
        self, thread: ThreadPoolExecutor, engine: Engine, reader: Callable[..., T], arguments: tuple[Any, ...]
    ) -> T:
        def run() -> T:
            with engine.connect() as connection:
                return reader(connection, *arguments)

        if self._closed:
            raise StoreError("store: closed")
        with plain_errors():
            return await asyncio.get_running_loop().run_in_executor(thread, run)
