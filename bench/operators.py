"""What watching the relay costs those who are to be told: deliveries with and without readers of the API.

    python -m bench.operators [SECONDS]

Messages are posted to a hook of a relay that runs, twenty a second, and a webhook receiver notes how long
each took to come. In the same run that is measured alone, then while 200 readers ask once a second for one of
six paths each, from alerts to status, and 50 listen to the live stream, then while the 200 do not pause.
"""

import asyncio
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from bench.running import HEADERS, free_port, running

SECRET = "a-secret-of-the-benchmark-0123456789"
READERS, LISTENERS, RATE = 200, 50, 20.0
PATHS = ("/alerts?limit=50", "/events?limit=50", "/deliveries?limit=50", "/channels", "/clusters", "/status")


@dataclass
class Sink:
    """A receiver of webhooks that notes when which message came."""

    port: int = 0
    came: dict[str, float] = field(default_factory=dict)

    async def take(self, request: web.Request) -> web.Response:
        """Note a message."""
        body = await request.json()
        contents = body["data"]["details"].get("tag") or json.dumps(body)
        self.came.setdefault(str(contents), time.perf_counter())
        return web.Response()


@asynccontextmanager
async def listening(sink: Sink) -> AsyncIterator[None]:
    """Let the sink listen."""
    app = web.Application()
    app.router.add_post("/", sink.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", sink.port)
    await site.start()
    yield
    await runner.cleanup()


def settings(sink: int) -> dict[str, Any]:
    """Return what the relay is to do."""
    return {
        "clusters": [{"name": "prod", "url": "http://127.0.0.1:9", "watch": {"ping": "off"}}],
        "hooks": [{"name": "msr", "kind": "msr", "cluster": "prod", "secret": SECRET}],
        "channels": [
            {"name": "soc", "kind": "webhook", "url": f"http://127.0.0.1:{sink}/", "allow_private": True}
        ],
        "rules": [{"name": "all", "match": {"type": "msr.*"}, "channels": ["soc"]}],
    }


def read_on(url: str, pause: float, stop: Event, pipe: Connection) -> None:
    """Read and listen until told to stop; then tell how many requests were answered."""
    pipe.send(asyncio.run(_read_on(url, pause, stop)))


async def _read_on(url: str, pause: float, stop: Event) -> int:
    answered = 0
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(url, headers=HEADERS, connector=connector) as session:

        async def read(number: int) -> None:
            nonlocal answered
            await asyncio.sleep(pause * number / READERS)
            while not stop.is_set():
                path = PATHS[number % len(PATHS)]
                async with session.get(f"/api/v1{path}") as answer:
                    await answer.read()
                    assert answer.status == 200, answer.status
                answered += 1
                await asyncio.sleep(pause)

        async def listen() -> None:
            async with session.get("/api/v1/stream", timeout=aiohttp.ClientTimeout(total=None)) as answer:
                async for _ in answer.content:
                    if stop.is_set():
                        return

        listening = [asyncio.create_task(listen()) for _ in range(LISTENERS)]
        await asyncio.gather(*(read(number) for number in range(READERS)))
        for each in listening:
            each.cancel()
        await asyncio.gather(*listening, return_exceptions=True)
    return answered


async def told(session: aiohttp.ClientSession, sink: Sink, name: str, seconds: float) -> list[float]:
    """Post messages for so long; return how many seconds each took to arrive."""
    began: dict[str, float] = {}
    start = time.perf_counter()
    for number in range(int(RATE * seconds)):
        await asyncio.sleep(start + number / RATE - time.perf_counter())
        tag = f"{name}-{number}"
        contents = {"namespace": "prod", "repository": "app", "tag": tag, "digest": "sha256:" + "0" * 64}
        post = {"type": "TAG_PUSH", "createdAt": "2026-11-23T21:00:00Z", "contents": contents}
        began[tag] = time.perf_counter()
        async with session.post(
            "/hooks/msr", json=post, headers={"Authorization": f"Bearer {SECRET}"}
        ) as done:
            assert done.status == 200, await done.text()
    deadline = time.perf_counter() + 60
    while not began.keys() <= sink.came.keys():
        assert time.perf_counter() < deadline, f"{len(began.keys() - sink.came.keys())} messages did not come"
        await asyncio.sleep(0.05)
    return [sink.came[tag] - at for tag, at in began.items()]


async def under_load(
    session: aiohttp.ClientSession, sink: Sink, url: str, name: str, pause: float, seconds: float
) -> tuple[list[float], float]:
    """Measure while others read; return how long messages took, and how many answers a second were given."""
    stop, (here, there) = multiprocessing.Event(), multiprocessing.Pipe()
    readers = multiprocessing.Process(target=read_on, args=(url, pause, stop, there))
    readers.start()
    await asyncio.sleep(2)
    began = time.perf_counter()
    found = await told(session, sink, name, seconds)
    took = time.perf_counter() - began
    stop.set()
    # The last event lets those go who listen.
    await told(session, sink, f"{name}-end", 1)
    answered = await asyncio.to_thread(here.recv)
    await asyncio.to_thread(readers.join)
    return found, answered / (took + 3)


def quantile(found: Sequence[float], part: float) -> float:
    """Return a quantile, in milliseconds."""
    return sorted(found)[min(len(found) - 1, int(part * len(found)))] * 1000


def show(name: str, found: Sequence[float], alone: Sequence[float], more: str = "") -> None:
    """Print one line of the table."""
    cells = [
        f"{quantile(found, part):8.1f} ms ({quantile(found, part) / quantile(alone, part):5.2f})"
        for part in (0.5, 0.99)
    ]
    print(f"{name:34} p50 {cells[0]}   p99 {cells[1]}   most {max(found) * 1000:7.0f} ms  {more}")


async def measure(seconds: float) -> None:
    """Run all of it, and print what was found, with ratios to what is without readers."""
    sink = Sink(free_port())
    with tempfile.TemporaryDirectory() as folder:
        async with (
            listening(sink),
            running(Path(folder), settings(sink.port)) as url,
            aiohttp.ClientSession(url) as session,
        ):
            await told(session, sink, "warm", 5)
            alone = await told(session, sink, "alone", seconds)
            show("nobody reads", alone, alone)
            calm, rate = await under_load(session, sink, url, "calm", 1.0, seconds)
            show(f"{READERS} read once a second, {LISTENERS} listen", calm, alone, f"{rate:.0f} answers/s")
            hard, rate = await under_load(session, sink, url, "hard", 0.0, seconds)
            show(f"{READERS} read without a pause", hard, alone, f"{rate:.0f} answers/s")
            again = await told(session, sink, "again", seconds)
            show("nobody reads any more", again, alone)
            mean = statistics.mean(alone) * 1000
            print(f"{len(alone)} messages each; mean while nobody reads {mean:.1f} ms")


if __name__ == "__main__":
    asyncio.run(measure(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0))
