"""A relay that runs on a store that is there already, and how soon it is ready."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from bench.running import TOKEN, free_port


@dataclass(frozen=True, slots=True)
class Started:
    """Where it listens, and how many seconds it took from the start of the process until it was ready."""

    url: str
    seconds: float


@asynccontextmanager
async def started(
    folder: Path, settings: Mapping[str, Any], *, module: str = "relay"
) -> AsyncIterator[Started]:
    """Run a relay, by the settings and on the store that they name; yield it once ``/readyz`` says so."""
    listen = f"127.0.0.1:{free_port()}"
    file = folder / "relay.yaml"
    file.write_text(yaml.safe_dump({**settings, "server": {"listen": listen, "api_token": TOKEN}}))
    command = [sys.executable, "-m", module, "run", "--config", str(file)]
    began = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220
    try:
        await _ready(f"http://{listen}", process)
        yield Started(f"http://{listen}", time.perf_counter() - began)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


async def _ready(url: str, process: subprocess.Popen[bytes]) -> None:
    async with aiohttp.ClientSession(url) as session, asyncio.timeout(120):
        while process.poll() is None:
            try:
                async with session.get("/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.01)
    raise SystemExit("the relay does not start")
