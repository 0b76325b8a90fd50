"""A receiver in a process of its own that takes everything at once and notes when: every sender's sink."""

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Taken:
    """What the sink has taken: how many requests, and the times (seconds, ``time.perf_counter``, which all
    processes share) of the first and the last one."""

    count: int
    first: float
    last: float

    @property
    def rate(self) -> float:
        """Requests a second, from the first to the last."""
        return (self.count - 1) / (self.last - self.first)


class Sink:
    """The sink as others see it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.port: int = pipe.recv()
        self.url = f"http://127.0.0.1:{self.port}/"

    def taken(self) -> Taken:
        """Return what came since the last ``forget``."""
        return Taken(*self._ask("taken"))

    def forget(self) -> None:
        """Begin to count anew."""
        self._ask("forget")

    def bodies(self) -> list[tuple[float, str, bytes]]:
        """Return when what came: the time, the path, and the body; only where the sink keeps them."""
        found: list[tuple[float, str, bytes]] = self._ask("bodies")
        return found

    def _ask(self, what: str) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()

    async def until(self, count: int, within: float = 600.0) -> Taken:
        """Return what was taken once it is so many requests. Raises TimeoutError after ``within`` seconds."""
        async with asyncio.timeout(within):
            while (taken := self.taken()).count < count:
                await asyncio.sleep(0.1)
        return taken


@contextmanager
def sink(*, keep: bool = False, seconds: Callable[[str], float] | None = None) -> Iterator[Sink]:
    """Run a sink. ``keep``: it keeps what comes. ``seconds``: of a path, how long its answer waits."""
    here, there = multiprocessing.Pipe()
    spawning = multiprocessing.get_context("fork")
    process = spawning.Process(target=_serve, args=(there, keep, seconds), daemon=True)
    process.start()
    try:
        yield Sink(here)
    finally:
        process.terminate()
        process.join(10)


def _serve(pipe: Connection, keep: bool, seconds: Callable[[str], float] | None) -> None:
    asyncio.run(_Server(pipe, keep, seconds).run())


class _Server:
    def __init__(self, pipe: Connection, keep: bool, seconds: Callable[[str], float] | None) -> None:
        self._pipe = pipe
        self._keep = keep
        self._seconds = seconds
        self._forget()

    def _forget(self) -> None:
        self._count, self._first, self._last = 0, 0.0, 0.0
        self._kept: list[tuple[float, str, bytes]] = []

    async def run(self) -> None:
        # The low-level server: no routes, no middlewares; what is measured is who sends.
        runner = web.ServerRunner(web.Server(self._take, access_log=None))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._answer)
        self._pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    async def _take(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        now = time.perf_counter()
        self._count += 1
        self._first, self._last = self._first or now, now
        if self._keep:
            self._kept.append((now, request.path, body))
        if self._seconds is not None and (wait := self._seconds(request.path)):
            await asyncio.sleep(wait)
        return web.Response(text="ok")

    def _answer(self) -> None:
        asked = self._pipe.recv()
        if asked == "forget":
            self._forget()
            self._pipe.send(None)
        elif asked == "bodies":
            self._pipe.send(self._kept)
        else:
            self._pipe.send((self._count, self._first, self._last))
