"""What receivers that answer feel of others that do not: their latency, with slow ones and without."""

import asyncio
import multiprocessing
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.figures import Section, Table, quantile, ratios, spread
from bench.running import HEADERS, running
from bench.sink import Sink, sink

_CHANNELS = 50
_RATE = 4.0
_WARM = 8
_SECRET = "a-secret-of-the-benchmark-0123456789"
_HANGS = 3600.0
_TAG = re.compile(rb'"tag": ?"n(\d+)"')
_NOTIFICATIONS = 3
_APPRISE_EVERY = 4.0
"""Longer than the slow ones take, so that nothing piles up: it would make the ratio whatever one likes."""
_SLOW_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Case:
    """So many of the receivers answer only after so many seconds."""

    name: str
    slow: int = 0
    seconds: float = 0.0

    def wait(self, path: str) -> float:
        """Return how long the receiver at a path lets its sender wait."""
        return self.seconds if int(path.strip("/") or 0) < self.slow else 0.0


CASES = (Case("all answer"), Case("1 hangs", 1, _HANGS), Case("10 take 10 s", 10, 10.0))
APPRISE = (Case("all answer"), Case("6 take 2 s", 6, _SLOW_SECONDS))


def measure(seconds: float = 12.0, rounds: int = 3) -> Section:
    """Measure in turn, round after round."""
    return asyncio.run(_measure(seconds, rounds))


async def _measure(seconds: float, rounds: int) -> Section:
    relay: dict[Case, list[list[float]]] = {case: [] for case in CASES}
    apprise: dict[Case, list[list[float]]] = {case: [] for case in APPRISE}
    for number in range(rounds):
        for case in CASES:
            with tempfile.TemporaryDirectory() as folder, sink(keep=True, seconds=case.wait) as receiver:
                relay[case].append(await _relay(receiver, case, int(_RATE * seconds), Path(folder)))
            _say(f"{number + 1}/{rounds} relay", case, relay[case][-1])
        for case in APPRISE:
            with sink(keep=True, seconds=case.wait) as receiver:
                apprise[case].append(await _apprise(receiver))
            _say(f"{number + 1}/{rounds} Apprise", case, apprise[case][-1])
    tables = (_table("relay", relay), _table("Apprise", apprise))
    return Section("Slow receivers", _how(seconds), tables, _notes(seconds, rounds))


def _say(who: str, case: Case, late: Sequence[float]) -> None:
    shown = f"p50 {quantile(late, 0.5):.1f} ms, p99 {quantile(late, 0.99):.1f} ms"
    print(f"{who}, {case.name}: {shown}", file=sys.stderr, flush=True)


def _table(who: str, found: dict[Case, list[list[float]]]) -> Table:
    rows = []
    calm = next(iter(found.values()))
    for case, several in found.items():
        cells = [case.name]
        for part in (0.5, 0.99):
            mine, theirs = [[quantile(one, part) for one in each] for each in (several, calm)]
            cells += [ratios(mine, theirs).shown(), spread(mine).shown(".1f")]
        rows.append(tuple(cells))
    return Table((f"{who}: the others", "p50", "p50, ms", "p99", "p99, ms"), tuple(rows))


def _how(seconds: float) -> str:
    return f"""
A hook of `msr-relay run` gets a post every {1 / _RATE:g} s for {seconds:g} s, and each is told to {_CHANNELS}
webhook channels: {_RATE * _CHANNELS:g} deliveries a second. In turn all receivers answer at once, one never
answers, and ten answer after 10 s. Measured is, of the channels that answer at once in all cases, the time
from the post to the request at the receiver. *p50* and *p99* are ratios to when all answer. Goal:
p99 at most 1.1. Beside it Apprise's own `async_notify` to {_CHANNELS} `json://` addresses, of which 6 answer
after {_SLOW_SECONDS:g} s: a notification is due every {_APPRISE_EVERY:g} s, {_NOTIFICATIONS} of them, and is
begun once the one before has ended.
"""


def _notes(seconds: float, rounds: int) -> str:
    others = _CHANNELS - max(case.slow for case in CASES)
    count = int(_RATE * seconds) * others
    return (
        f"Each p99 of the relay is of {count:,} deliveries, measured {rounds} times. To slow receivers fewer "
        "deliveries are under way, so the others have more of the machine to themselves: a ratio below 1 is "
        "no merit. The two tables have different loads: compare their ratios, not their milliseconds."
    )


async def _relay(to: Sink, case: Case, count: int, folder: Path) -> list[float]:
    async with running(folder, _settings(to)) as url, aiohttp.ClientSession(url, headers=HEADERS) as session:
        posted = await _post(session, 0, _WARM) | await _post(session, _WARM, count)
        others = {f"/{number}" for number in range(_CHANNELS) if not case.wait(f"/{number}")}
        came = await _until(to, others, len(posted))
    measured = {f"/{number}" for number in range(max(each.slow for each in CASES), _CHANNELS)}
    return [
        (at - posted[number]) * 1000
        for (path, number), at in came.items()
        if path in measured and number >= _WARM
    ]


def _settings(to: Sink) -> dict[str, Any]:
    names = [f"soc-{number}" for number in range(_CHANNELS)]
    off = dict.fromkeys(("ping", "nginx_status", "cluster_status", "changefeed", "trust"), "off")
    return {
        "stop_within": "1s",
        "clusters": [{"name": "prod", "url": "http://127.0.0.1:9", "watch": off}],
        "hooks": [{"name": "msr", "kind": "msr", "cluster": "prod", "secret": _SECRET}],
        "channels": [
            {"name": name, "kind": "webhook", "url": f"{to.url}{number}", "allow_private": True}
            for number, name in enumerate(names)
        ],
        "rules": [{"name": "all", "match": {"type": "msr.*"}, "channels": names}],
    }


async def _post(session: aiohttp.ClientSession, first: int, count: int) -> dict[int, float]:
    """Post steadily; return when each was posted."""
    start, posted = time.perf_counter(), dict[int, float]()
    for number in range(first, first + count):
        await asyncio.sleep(start + (number - first) / _RATE - time.perf_counter())
        contents = {
            "namespace": "prod",
            "repository": "app",
            "tag": f"n{number}",
            "digest": "sha256:" + "0" * 64,
        }
        post = {"type": "TAG_PUSH", "createdAt": "2026-11-23T21:00:00Z", "contents": contents}
        posted[number] = time.perf_counter()
        headers = {"Authorization": f"Bearer {_SECRET}"}
        async with session.post("/hooks/msr", json=post, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
    return posted


async def _until(to: Sink, others: set[str], count: int) -> dict[tuple[str, int], float]:
    """Return when each message came first, once all have come that go to those who answer at once."""
    wanted = {(path, number) for path in others for number in range(count)}
    async with asyncio.timeout(60):
        while True:
            came: dict[tuple[str, int], float] = {}
            for at, path, body in to.bodies():
                tag = _TAG.search(body)
                assert tag is not None, f"which message is this? {body!r}"
                place = (path, int(tag[1]))
                assert path not in others or place not in came, f"{place} came twice"
                came.setdefault(place, at)
            if wanted <= came.keys():
                return came
            await asyncio.sleep(0.2)


async def _apprise(to: Sink) -> list[float]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_notify_all, args=(to.port, there))
    process.start()
    began: float = await asyncio.to_thread(here.recv)
    await asyncio.to_thread(process.join)
    assert process.exitcode == 0, "Apprise failed"
    bodies = to.bodies()
    assert len(bodies) == _CHANNELS * _NOTIFICATIONS, f"{len(bodies)} came"
    measured = {f"/{number}" for number in range(max(each.slow for each in APPRISE), _CHANNELS)}
    return [
        (at - began - _APPRISE_EVERY * number) * 1000
        for path in measured
        for number, at in enumerate(sorted(at for at, each, _ in bodies if each == path))
    ]


def _notify_all(port: int, pipe: Any) -> None:
    asyncio.run(_notify(port, pipe))


async def _notify(port: int, pipe: Any) -> None:
    from apprise import Apprise

    several = Apprise()
    for number in range(_CHANNELS):
        several.add(f"json://127.0.0.1:{port}/{number}")
    start = time.perf_counter()
    for number in range(_NOTIFICATIONS):
        await asyncio.sleep(start + number * _APPRISE_EVERY - time.perf_counter())
        assert await several.async_notify(title=f"n{number}", body="x" * 600)
    pipe.send(start)
