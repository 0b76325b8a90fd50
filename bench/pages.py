"""How long pages and listings take on a store that has grown: first after the start, and later."""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.figures import Section, Table, spread
from bench.filling import fill
from bench.running import HEADERS, running, store_of

_CHANNELS = [
    {"name": name, "kind": "webhook", "url": "http://127.0.0.1:9/", "allow_private": True}
    for name in ("soc", "mail", "chat")
]
PATHS = (
    "/healthz",
    "/",
    "/alerts",
    "/events",
    "/events?type=trust.deleted",
    "/events?search=team7/app77",
    "/deliveries",
    "/deliveries?state=dead",
    "/deliveries?channel=mail",
    "/channels",
    "/channels/soc",
    "/silences",
    "/repositories",
    "/rules",
    "/journal",
    "/api/v1/events",
    "/api/v1/deliveries?state=delivered",
    "/metrics",
)


def measure(count: int = 1_000_000, rounds: int = 15) -> Section:
    """Fill a store with so many deliveries, and look at everything so many times."""
    return asyncio.run(_measure(count, rounds))


async def _measure(count: int, rounds: int) -> Section:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"pages: filling a store with {count:,} deliveries", file=sys.stderr, flush=True)
        fill(store_of(folder), count)
        size = (folder / "relay.db").stat().st_size / 2**20
        async with (
            running(folder, {"channels": _CHANNELS}) as url,
            aiohttp.ClientSession(url, headers=HEADERS) as session,
        ):
            rows = await _look(session, rounds)
    return Section(
        "Pages and listings on a store that has grown",
        f"A relay with {count:,} deliveries and as many events in a SQLite store of {size:,.0f} MiB; each "
        f"path is asked for once after the start, and then {rounds} times in turn with the others. The "
        "yardstick, in the same round, is `/healthz`, which touches no store.",
        (Table(("path", "first, ms", "later, ms", "times /healthz", "KiB"), rows),),
    )


async def _look(session: aiohttp.ClientSession, rounds: int) -> tuple[tuple[str, ...], ...]:
    """Ask for every path in turn; return a row for each."""
    first = {path: await ask(session, path) for path in PATHS}
    later: dict[str, list[float]] = {path: [] for path in PATHS}
    for _ in range(rounds):
        for path in PATHS:
            later[path].append((await ask(session, path))[0])
    yardstick = statistics.median(later[PATHS[0]])
    return tuple(
        (
            f"`{path}`",
            f"{first[path][0]:.1f}",
            spread(took).shown(".1f"),
            f"{statistics.median(took) / yardstick:.1f}",
            f"{first[path][1] / 1024:.0f}",
        )
        for path, took in later.items()
    )


async def ask(session: aiohttp.ClientSession, path: str) -> tuple[float, int]:
    """Return how many milliseconds a path took, and the size of the answer in bytes."""
    began = time.perf_counter()
    async with session.get(path) as answer:
        size = len(await answer.read())
        assert answer.status == 200, (path, answer.status)
    return (time.perf_counter() - began) * 1000, size
