"""How much later than a page of the changefeed arrives what it tells goes out: at several rates."""

import asyncio
import json
import multiprocessing
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.figures import Section, Table, quantile, ratios, spread
from bench.flow import HOST, Feed, feed
from bench.running import running
from bench.sink import Sink, sink

_EVERY = 0.1
"""Seconds from one look at a feed to the next: the least that the relay accepts."""
_SECRET = "whsec_" + "bXNyLXJlbGF5LWJlbmNobWFyay1zZWNyZXQ="
_AT_ONCE = 16
_BODY = 1024
_WARM_RATE, _WARM = 100.0, 200
_NUMBER = re.compile(rb'"(?:record_id|ID)": ?"(\d+)"')
_PARTS = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


@dataclass(frozen=True, slots=True)
class Load:
    """So many records a second, in turn to so many clusters, for so many seconds."""

    rate: float
    seconds: float
    clusters: int = 1

    @property
    def count(self) -> int:
        """How many records."""
        return int(self.rate * self.seconds)


@dataclass(frozen=True, slots=True)
class Found:
    """How late, in milliseconds, each record was told, and how many records a page brought on average."""

    late: list[float]
    page: float

    def at(self, part: float) -> float:
        """Return a quantile of the milliseconds."""
        return quantile(self.late, part)


LOADS = (Load(10, 8), Load(100, 6), Load(200, 8), Load(200, 8, clusters=4), Load(1000, 3))

Way = Callable[[Feed, Sink, Load, Path], Awaitable[Found]]
"""Lets a load come and waits until all of it is told."""


def measure(loads: Sequence[Load] = LOADS, rounds: int = 3) -> Section:
    """Measure in turn, round after round."""
    return asyncio.run(_measure(loads, rounds))


async def _measure(loads: Sequence[Load], rounds: int) -> Section:
    ways: dict[str, Way] = {"relay": _relay, "bare": _bare}
    found: dict[tuple[Load, str], list[Found]] = {(load, name): [] for load in loads for name in ways}
    for number in range(rounds):
        for load in loads:
            for name, way in ways.items():
                with (
                    tempfile.TemporaryDirectory() as folder,
                    feed(load.clusters) as source,
                    sink(keep=True) as receiver,
                ):
                    one = await way(source, receiver, load, Path(folder))
                found[load, name].append(one)
                shown = ", ".join(f"{part} {one.at(at):.1f}" for part, at in _PARTS.items())
                print(f"{number + 1}/{rounds} {load} {name}: {shown} ms", file=sys.stderr, flush=True)
    rows = [_row(load, name, several, found[load, "bare"]) for (load, name), several in found.items()]
    head = ("records/s", "clusters", "to a page", "", *(f"{part}, ms" for part in _PARTS), "p99, of bare")
    return Section("Added latency", _how(), (Table(head, tuple(rows)),), _notes(loads, rounds))


def _row(load: Load, name: str, found: Sequence[Found], bare: Sequence[Found]) -> tuple[str, ...]:
    times = ratios([one.at(0.99) for one in found], [one.at(0.99) for one in bare])
    return (
        f"{load.rate:g}",
        f"{load.clusters}",
        spread([one.page for one in found]).shown(".1f"),
        name,
        *(spread([one.at(part) for one in found]).shown(".1f") for part in _PARTS.values()),
        times.shown(".1f"),
    )


def _how() -> str:
    return f"""
Records come to a changefeed steadily, and `msr-relay run` asks for them every {_EVERY * 1000:g} ms, the least
it accepts; so one page may bring several at once, and what stands behind others in a page waits for
them: that counts. The time of each is from when the server had written out the page that showed it first to
when its POST, rendered and signed, had come to a webhook receiver. In between lie the events, deliveries,
evidence and cursor, in one transaction on SQLite with `synchronous=FULL`, and the claim from the outbox.
Server, relay and receiver are processes of their own. Of several clusters each has its share of the records.
*Bare* is aiohttp's client on the stock event loop that asks as often, but only for what is new, parses that
with `json`, posts {_BODY} bytes for each record, {_AT_ONCE} at once, and stores nothing. Updates are told at
once (`trust: off`). Goals: p50 at most 5 ms, p99 at most 15 ms up to 200 a second.
"""


def _notes(loads: Sequence[Load], rounds: int) -> str:
    counts = ", ".join(f"{load.count:,} at {load.rate:g} a second" for load in loads)
    return (
        f"Each of the {rounds} rounds tells {counts}; of fewer than a thousand p99.9 is simply the slowest. "
        f"The first {_WARM} records of each run, which warm it up, do not count."
    )


async def _flow(source: Feed, to: Sink, load: Load) -> Found:
    """Warm up, let the load come, wait until all is told."""
    await _arrive(source, to, _WARM_RATE, _WARM)
    warm = source.pages()
    await _arrive(source, to, load.rate, load.count)
    late = _late(source.shown(), to.bodies(), _WARM + load.count)
    return Found(late, load.count / (source.pages() - warm))


async def _arrive(source: Feed, to: Sink, rate: float, count: int) -> None:
    before = to.taken().count
    source.flow(rate, count)
    await asyncio.sleep(count / rate)
    taken = await to.until(before + count, within=60)
    assert taken.count == before + count, f"{taken.count - before} of {count} came"


def _late(shown: dict[int, float], bodies: list[tuple[float, str, bytes]], count: int) -> list[float]:
    came: dict[int, float] = {}
    for at, _path, body in bodies:
        number = _NUMBER.search(body)
        assert number is not None, f"which record is this? {body!r}"
        assert int(number[1]) not in came, f"record {number[1].decode()} came twice"
        came[int(number[1])] = at
    assert came.keys() == shown.keys() == set(range(1, count + 1)), f"{len(came)} of {count} came"
    return [(came[number] - shown[number]) * 1000 for number in range(_WARM + 1, count + 1)]


async def _relay(source: Feed, to: Sink, load: Load, folder: Path) -> Found:
    async with running(folder, settings(source.urls, to.url)):
        return await _flow(source, to, load)


def settings(urls: Sequence[str], to: str) -> dict[str, Any]:
    """Return what the relay is to do."""
    off = dict.fromkeys(("ping", "nginx_status", "cluster_status", "trust"), "off")
    watch = {**off, "changefeed": {"every": f"{_EVERY * 1000:g}ms", "start": "beginning"}}
    user = {"username": "admin", "password": "password", "registry_host": HOST}
    return {
        "clusters": [
            {"name": f"c{number}", "url": url, "watch": watch, **user} for number, url in enumerate(urls)
        ],
        "channels": [
            {"name": "soc", "kind": "webhook", "url": to, "secrets": [_SECRET], "allow_private": True}
        ],
        "rules": [{"name": "updates", "match": {"type": "trust.updated"}, "channels": ["soc"]}],
    }


async def _bare(source: Feed, to: Sink, load: Load, _folder: Path) -> Found:
    process = multiprocessing.get_context("spawn").Process(
        target=_poll_all, args=(source.urls, to.url), daemon=True
    )
    process.start()
    try:
        return await _flow(source, to, load)
    finally:
        process.terminate()
        await asyncio.to_thread(process.join, 10)


def _poll_all(urls: Sequence[str], to: str) -> None:
    asyncio.run(_poll(urls, to))


async def _poll(urls: Sequence[str], to: str) -> None:
    turn = asyncio.Semaphore(_AT_ONCE)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def tell(record: dict[str, Any]) -> None:
            body = json.dumps(record)
            async with turn, session.post(to, data=body.ljust(_BODY).encode(), headers=headers) as answer:
                await answer.read()
                assert answer.status == 200

        async def read(number: int, url: str) -> None:
            await asyncio.sleep(_EVERY * number / len(urls))
            change_id = "0"
            while True:
                began = asyncio.get_running_loop().time()
                query = {"change_id": change_id, "records": "1000"}
                async with session.get(f"{url}/v2/_trust/changefeed", params=query) as answer:
                    records = json.loads(await answer.read())["records"]
                await asyncio.gather(*map(tell, records))
                change_id = records[-1]["ID"] if records else change_id
                await asyncio.sleep(began + _EVERY - asyncio.get_running_loop().time())

        await asyncio.gather(*(read(number, url) for number, url in enumerate(urls)))
