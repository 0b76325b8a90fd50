"""The whole relay in the test's own process, on a clock that the test moves; its servers are real."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import yaml

from relay.app.app import App
from relay.settings import Configuration, read
from tests.acceptance.relay import PATIENCE
from tests.support.clock import ManualClock

T = TypeVar("T")

_BREATH = 0.005


class Running:
    """A relay that runs, and the hands on its clock."""

    def __init__(self, folder: Path, app: App, clock: ManualClock) -> None:
        self.folder, self.app, self.clock = folder, app, clock

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the configuration anew; the relay reads it when it is told to reload."""
        configure(self.folder, settings)

    async def until(
        self, condition: Callable[[], T], what: str, *, within: float = 600, step: float = 0.5
    ) -> T:
        """What the condition gives once it is true; let at most `within` seconds of the relay's pass.

        Between two steps sockets and threads get real time for what they have under way.
        """
        end = asyncio.get_running_loop().time() + PATIENCE
        passed = 0.0
        while not (found := condition()):
            if passed >= within or asyncio.get_running_loop().time() > end:
                raise AssertionError(f"{passed:g} s of the relay's passed before {what}")
            await self.clock.advance(step)
            passed += step
            await self.breathe()
        return found

    async def breathe(self, times: int = 10) -> None:
        """Give what waits for sockets and threads real time, and the relay none."""
        for _ in range(times):
            await asyncio.sleep(_BREATH)

    async def advance(self, seconds: float, step: float = 0.5) -> None:
        """Let so much time pass, in steps."""
        for _ in range(int(seconds / step)):
            await self.clock.advance(step)
            await self.breathe(2)


def configure(folder: Path, settings: Mapping[str, Any]) -> Path:
    """Write a configuration with a store in the folder."""
    file = folder / "relay.yaml"
    fixed = {"store": f"sqlite:///{folder / 'relay.db'}", "server": {"listen": "127.0.0.1:0"}}
    file.write_text(yaml.safe_dump({**fixed, **settings}, sort_keys=False))
    return file


@asynccontextmanager
async def running(
    folder: Path, settings: Mapping[str, Any], clock: ManualClock | None = None
) -> AsyncIterator[Running]:
    """Run a relay with its store in the folder; it has stopped gracefully when this ends."""
    file = configure(folder, settings)
    # The imitation's records bear the true time.
    clock = clock or ManualClock(datetime.now(UTC))

    def reread() -> Configuration:
        return read(file, {}, None)

    app = App(reread(), reread, clock=clock, source=random.Random(3))
    task = asyncio.create_task(app.run())
    ready = asyncio.create_task(app.ready.wait())
    await asyncio.wait({task, ready}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    ready.cancel()
    try:
        if not app.ready.is_set():
            task.cancel()
            await task
        yield Running(folder, app, clock)
    finally:
        app.stopping.set()
        async with asyncio.timeout(PATIENCE):
            await task
