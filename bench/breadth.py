"""How many clusters one process can watch: what it costs, and whether it asks in time."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.bare_polls import Target, polling
from bench.figures import Section, Table, quantile, ratios, spread
from bench.process import resident, sockets, used
from bench.running import started
from bench.served import PATHS, Served, served
from tests.real.pki import Pki

_EVERY = 30.0
_SHARE = (("ping", 0), ("nginx_status", 1), ("cluster_status", 2))
"""The watchers that ask every replica, with the number of the path that each asks for."""
_GOAL = 1.0
"""Seconds by which a poll may be late."""


@dataclass(frozen=True, slots=True)
class Window:
    """What one poller used while it was watched, once everything had been asked."""

    percent: float
    """Of one core."""
    requests: float
    """A second, as the servers counted them."""
    connections: float
    """Made a second."""
    resident: float
    sockets: int


def measure(clusters: int = 500, replicas: int = 3, windows: int = 2) -> Section:
    """Measure the relay, then the bare loop, over the same servers."""
    return asyncio.run(_measure(clusters, replicas, windows))


async def _measure(clusters: int, replicas: int, windows: int) -> Section:
    authorities = min(50, clusters)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys = [_pki(folder / f"ca{number}") for number in range(authorities)]
        pairs = [(each.server_cert, each.server_key) for each in keys]
        with served(clusters, replicas, pairs) as servers:
            targets = [
                Target(
                    [f"https://localhost:{port}" for port in servers.ports[at : at + replicas]],
                    keys[at // replicas % authorities].ca_file,
                )
                for at in range(0, len(servers.ports), replicas)
            ]
            relay = await _relay(folder, servers, targets, windows)
            servers.forget()
            with polling(targets, _EVERY) as process:
                await _all_asked(servers)
                bare = [await _window(process, servers) for _ in range(windows)]
    return _section(clusters, replicas, authorities, relay, bare)


def _pki(folder: Path) -> Pki:
    folder.mkdir()
    return Pki.make(folder)


@dataclass(frozen=True, slots=True)
class _Relay:
    first: float
    """Seconds from the start of the process to the first request."""
    all: float
    """Until every replica had been asked everything."""
    windows: Sequence[Window]
    late: dict[str, list[float]]
    """Seconds by which each request came later than its grid, by watcher."""


async def _relay(folder: Path, servers: Served, targets: Sequence[Target], windows: int) -> _Relay:
    servers.forget()
    async with started(folder, _settings(targets)) as relay:
        await _all_asked(servers)
        everything = time.perf_counter()
        first = min(each[0][0] for each in servers.asked())
        # The first looks are spread otherwise than the later ones.
        servers.forget()
        await asyncio.sleep(_EVERY)
        found, asked = [], servers.asked()
        for _ in range(windows):
            found.append(await _window(relay.pid, servers))
            for each, more in zip(asked, servers.asked(), strict=True):
                each.extend(more)
    late = {name: list(_lateness(asked, number, windows + 1)) for name, number in _SHARE}
    return _Relay(first - relay.began, everything - relay.began, found, late)


def _settings(targets: Sequence[Target]) -> dict[str, Any]:
    every = f"{_EVERY:.0f}s"
    watch = dict.fromkeys(("ping", "nginx_status", "cluster_status", "changefeed", "trust"), every)
    return {
        "clusters": [
            {
                "name": f"c{number}",
                "replicas": list(target.urls),
                "registry_host": "msr.example.com",
                "username": "relay",
                "password": "pw",
                "ca_file": str(target.ca_file),
                "watch": watch,
            }
            for number, target in enumerate(targets)
        ],
        "channels": [
            {"name": "nobody", "kind": "webhook", "url": "http://127.0.0.1:9/", "secrets": ["x" * 40]}
        ],
    }


async def _all_asked(servers: Served) -> None:
    """Wait until every replica has been asked all that it is asked for regularly."""
    wanted = {number for _, number in _SHARE}
    async with asyncio.timeout(180):
        while not all(wanted <= {number for _, number in each} for each in servers.asked()):
            await asyncio.sleep(1)


async def _window(pid: int, servers: Served) -> Window:
    """Watch a process for one interval."""
    servers.forget()
    before, began = used(pid), time.perf_counter()
    open_now, memory = [], []
    while time.perf_counter() < began + _EVERY:
        await asyncio.sleep(_EVERY / 10)
        open_now.append(sockets(pid))
        memory.append(resident(pid))
    took, after = time.perf_counter() - began, used(pid)
    asked = sum(map(len, servers.asked()))
    window = Window(
        100 * (after.seconds - before.seconds) / took,
        asked / took,
        servers.connections() / took,
        max(memory),
        max(open_now),
    )
    print(f"  {window}", file=sys.stderr, flush=True)
    return window


def _lateness(asked: Sequence[Sequence[tuple[float, int]]], path: int, windows: int) -> Iterator[float]:
    """Yield by how many seconds requests for a path came later than each replica's own grid.

    Its grid begins with its earliest poll, modulo the interval. Exits where polls are missing or too many:
    then nothing was punctual.
    """
    for each in asked:
        times = [at for at, number in each if number == path]
        if abs(len(times) - windows) > 1:
            sys.exit(f"a replica was asked for {PATHS[path]} {len(times)} times in {windows} intervals")
        middle = statistics.median_low(at % _EVERY for at in times)
        # Around the middle, so that a grid at the edge of the modulus does not seem torn apart.
        offsets = [(at - middle + _EVERY / 2) % _EVERY for at in times]
        yield from (offset - min(offsets) for offset in offsets)


def _section(
    clusters: int, replicas: int, authorities: int, relay: _Relay, bare: Sequence[Window]
) -> Section:
    how = (
        f"One relay watches {clusters} clusters of {replicas} replicas, over TLS, with {authorities} "
        f"distinct `ca_file`s; every watcher that is on by default looks every {_EVERY:.0f} s. The "
        "replicas are served by another process, which notes when it is asked for what. Bare: one aiohttp "
        "loop that asks the same at the same pace, on one connection per replica and interval, with one "
        "shared SSL context per file, parses the answers and does nothing with them. CPU is what the "
        "kernel counts for the process. A request's lateness is against its replica's own grid of the "
        "interval, of which the earliest request is taken to be on it. Goal: at most 50 % of a core, at "
        f"most 250 MiB, every poll within {_GOAL:.0f} s of its grid."
    )
    both = ("relay", relay.windows), ("bare", bare)
    rows = [
        (
            name,
            spread([each.percent for each in found]).shown(".1f"),
            spread([each.requests for each in found]).shown(".0f"),
            spread([each.connections for each in found]).shown(".0f"),
            spread([each.resident for each in found]).shown(".0f"),
            spread([float(each.sockets) for each in found]).shown(".0f"),
        )
        for name, found in both
    ]
    ratio = ratios([each.percent for each in relay.windows], [each.percent for each in bare])
    head = ("", "CPU, % of a core", "requests/s", "connections/s", "memory, MiB", "sockets, at most")
    cost = Table(head, (*rows, ("relay ÷ bare", ratio.shown(), "", "", "", "")))
    punctual = Table(
        ("polls of", "count", "late, p50 s", "p99 s", "worst s", "within the goal"),
        tuple(_punctuality(name, found) for name, found in relay.late.items()),
    )
    start = Table(
        ("from the start of the process", "s"),
        (
            ("to the first request", f"{relay.first:.2f}"),
            ("until all replicas were asked", f"{relay.all:.1f}"),
        ),
    )
    notes = (
        "A sample is one interval. A watcher's first looks come soon after the start, one cluster after the "
        "other; from then on each cluster has its own place in the interval."
    )
    return Section("Breadth: many clusters", how, (cost, punctual, start), notes)


def _punctuality(name: str, late: Sequence[float]) -> tuple[str, ...]:
    within = sum(each <= _GOAL for each in late) / len(late)
    figures = (quantile(late, 0.5), quantile(late, 0.99), max(late))
    return name, str(len(late)), *(f"{each:.2f}" for each in figures), f"{within:.2%}"
