"""A relay that runs, for a benchmark: `msr-relay run` in a process of its own, on SQLite in a folder."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
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


def store_of(folder: Path) -> str:
    """Return the URL of the store in a folder."""
    return f"sqlite:///{folder / 'relay.db'}"


@asynccontextmanager
async def running(folder: Path, settings: Mapping[str, Any]) -> AsyncIterator[str]:
    """Run a relay; yield its URL once it is ready to be asked."""
    async with process(folder, settings) as (url, _pid):
        yield url


@asynccontextmanager
async def process(folder: Path, settings: Mapping[str, Any]) -> AsyncIterator[tuple[str, int]]:
    """Run a relay; yield its URL once it is ready to be asked, and the number of its process."""
    url = f"127.0.0.1:{free_port()}"
    fixed = {
        "store": store_of(folder),
        "server": {"listen": url, "api_token": TOKEN},
    }
    file = folder / "relay.yaml"
    file.write_text(yaml.safe_dump({**fixed, **settings}))
    command = [sys.executable, "-m", "relay", "run", "--config", str(file)]
    with (folder / "log").open("ab") as log:
        relay = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220
    try:
        await _ready(f"http://{url}")
        yield f"http://{url}", relay.pid
    finally:
        relay.terminate()
        await asyncio.to_thread(relay.wait, 20)


async def _ready(url: str) -> None:
    async with aiohttp.ClientSession(url) as session:
        for _ in range(600):
            try:
                async with session.get("/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise SystemExit("the relay does not start")
