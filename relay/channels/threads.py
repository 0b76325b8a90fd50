"""Blocking calls, kept off the event loop and bounded in number."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class AllBusyError(Exception):
    """As many calls as may be are under way, or hang."""


class Threads:
    """Runs calls in threads of its own, one each, at most `limit` at a time.

    A call whose caller has given up keeps its place until it ends. The threads are daemons: unlike those of
    a ThreadPoolExecutor, one that hangs does not keep the process from ending.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._free = threading.BoundedSemaphore(limit)

    async def run(self, call: Callable[[], T]) -> T:
        """The result of the call. Raises AllBusyError at once when no thread is free."""
        if not self._free.acquire(blocking=False):
            raise AllBusyError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                outcome = call()
            except BaseException as error:
                settle: Callable[[Any], None] = future.set_exception
                value: Any = error
            else:
                settle, value = future.set_result, outcome
            finally:
                self._free.release()
            # The loop may have ended meanwhile.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(_tell, future, settle, value)

        threading.Thread(target=work, name=self._name, daemon=True).start()
        return await future


def _tell(future: asyncio.Future[Any], settle: Callable[[Any], None], value: Any) -> None:
    if not future.done():
        settle(value)
