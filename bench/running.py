"""A relay that runs, for a benchmark: `msr-relay run` in a process of its own, on SQLite in a folder."""

import asyncio
import os
import socket
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

TOKEN = "a-token-of-the-benchmark"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def installed() -> dict[str, str]:
    """Return the environment in which Python keeps what it compiles, as it does for what is installed."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def store_of(folder: Path) -> str:
    """Return the URL of the store in a folder."""
    return f"sqlite:///{folder / 'relay.db'}"


@dataclass(frozen=True, slots=True)
class Relay:
    """A process that runs: ``began`` is when it was started (seconds, ``time.perf_counter``), ``seconds`` how
    long it took from then until it was ready."""

    url: str
    pid: int
    began: float
    seconds: float


@asynccontextmanager
async def running(folder: Path, settings: Mapping[str, Any]) -> AsyncIterator[str]:
    """Run a relay; yield its URL once it is ready to be asked."""
    async with started(folder, settings) as relay:
        yield relay.url


@asynccontextmanager
async def started(
    folder: Path, settings: Mapping[str, Any], *, module: str = "relay", path: str = "/healthz"
) -> AsyncIterator[Relay]:
    """Run a relay; yield it once ``path`` answers 200: with ``/healthz`` it can be asked, with ``/readyz`` it
    all works."""
    url = f"127.0.0.1:{free_port()}"
    fixed = {
        "store": store_of(folder),
        "server": {"listen": url, "api_token": TOKEN},
    }
    file = folder / "relay.yaml"
    file.write_text(yaml.safe_dump({**fixed, **settings}))
    command = [sys.executable, "-m", module, "run", "--config", str(file)]
    began = time.perf_counter()
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=installed())  # noqa: ASYNC220
    try:
        await _ready(f"http://{url}", path, process)
        yield Relay(f"http://{url}", process.pid, began, time.perf_counter() - began)
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


async def _ready(url: str, path: str, process: subprocess.Popen[bytes]) -> None:
    async with aiohttp.ClientSession(url) as session, asyncio.timeout(120):
        while process.poll() is None:
            try:
                async with session.get(path) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.01)
    raise SystemExit("the relay does not start: see its log in the folder")
