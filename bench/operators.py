"""What watching the relay costs those who are to be told: deliveries with and without readers of the API.

Messages are posted to a hook of a relay that runs, and a webhook receiver notes how long each took to come.
"""

import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import aiohttp

from bench.figures import Section, Table, quantile, ratios, spread
from bench.running import HEADERS, running
from bench.sink import Sink, sink

SECRET = "a-secret-of-the-benchmark-0123456789"
READERS, LISTENERS, RATE = 200, 50, 20.0
PATHS = ("/alerts?limit=50", "/events?limit=50", "/deliveries?limit=50", "/channels", "/clusters", "/status")


def settings(sink: str) -> dict[str, Any]:
    """Return what the relay is to do."""
    return {
        "clusters": [{"name": "prod", "url": "http://127.0.0.1:9", "watch": {"ping": "off"}}],
        "hooks": [{"name": "msr", "kind": "msr", "cluster": "prod", "secret": SECRET}],
        "channels": [{"name": "soc", "kind": "webhook", "url": sink, "allow_private": True}],
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


async def told(session: aiohttp.ClientSession, receiver: Sink, name: str, seconds: float) -> list[float]:
    """Post messages for so long; return how many milliseconds each took to arrive."""
    receiver.forget()
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
    await receiver.until(len(began), within=60)
    came = {json.loads(body)["data"]["details"]["tag"]: at for at, _, body in receiver.bodies()}
    assert came.keys() == began.keys(), f"{len(came)} of {len(began)} messages came"
    return [(came[tag] - at) * 1000 for tag, at in began.items()]


async def under_load(
    session: aiohttp.ClientSession, receiver: Sink, url: str, name: str, pause: float, seconds: float
) -> tuple[list[float], float]:
    """Measure while others read; return how long messages took, and how many answers a second were given."""
    stop, (here, there) = multiprocessing.Event(), multiprocessing.Pipe()
    readers = multiprocessing.Process(target=read_on, args=(url, pause, stop, there))
    readers.start()
    await asyncio.sleep(2)
    began = time.perf_counter()
    found = await told(session, receiver, name, seconds)
    took = time.perf_counter() - began
    stop.set()
    # The last event lets those go who listen.
    await told(session, receiver, f"{name}-end", 1)
    answered = await asyncio.to_thread(here.recv)
    await asyncio.to_thread(readers.join)
    return found, answered / (took + 3)


ALONE = "nobody reads"
LOADS = {
    f"{READERS} read once a second, {LISTENERS} listen": 1.0,
    f"{READERS} read without a pause, {LISTENERS} listen": 0.0,
}
"""What is measured beside nobody's reading: how many seconds each reader pauses."""


def measure(seconds: float = 10.0, rounds: int = 3) -> Section:
    """Measure each load for so many seconds, in turn, so many times."""
    return asyncio.run(_measure(seconds, rounds))


async def _measure(seconds: float, rounds: int) -> Section:
    found: dict[str, list[list[float]]] = {ALONE: [], **{load: [] for load in LOADS}}
    rates: dict[str, list[float]] = {load: [] for load in LOADS}
    with tempfile.TemporaryDirectory() as folder, sink(keep=True) as receiver:
        async with (
            running(Path(folder), settings(receiver.url)) as url,
            aiohttp.ClientSession(url) as session,
        ):
            await told(session, receiver, "warm", 5)
            for number in range(rounds):
                print(f"operators: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
                found[ALONE].append(await told(session, receiver, f"alone{number}", seconds))
                for at, (load, pause) in enumerate(LOADS.items()):
                    name = f"load{at}-{number}"
                    took, rate = await under_load(session, receiver, url, name, pause, seconds)
                    found[load].append(took)
                    rates[load].append(rate)
    return Section(
        "What it costs to be watched",
        f"{RATE:.0f} messages a second are posted to a hook of the relay, on SQLite, and told to a webhook; "
        f"a message's time is from before the post to its arrival. Readers ask for one of {len(PATHS)} paths "
        "of the API each, from alerts to status; listeners have the live stream open. All of them are in one "
        "process beside the relay. The yardstick, in the same round, is nobody's reading.",
        tuple(_table(found, rates, part) for part in (0.5, 0.99)),
        f"{int(RATE * seconds)} messages for each load in a round. Readers without a pause ask again as soon "
        "as they are answered.",
    )


def _table(found: dict[str, list[list[float]]], rates: dict[str, list[float]], part: float) -> Table:
    alone = [quantile(each, part) for each in found[ALONE]]
    rows = []
    for load, rounds in found.items():
        took = [quantile(each, part) for each in rounds]
        answers = spread(rates[load]).shown(".0f") if load in rates else "0"
        rows.append((load, spread(took).shown(".1f"), ratios(took, alone).shown(), answers))
    return Table((f"p{part * 100:.0f}", "ms", "times nobody reading", "answers/s"), tuple(rows))
