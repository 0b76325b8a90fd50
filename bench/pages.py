"""How long pages and listings take on a store that has grown: first after the start, and later.

    python -m bench.pages [DELIVERIES]

Each is asked for by itself. The yardstick is ``/healthz``, which touches no store.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from bench.filling import fill
from bench.running import HEADERS, running, store_of

_TIMES = 15
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


async def measure(count: int) -> None:
    """Fill a store, look at everything, and print how long it took, in milliseconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        fill(store_of(folder), count)
        size = (folder / "relay.db").stat().st_size / 2**20
        print(f"{count} deliveries, {size:.0f} MiB, filled in {time.perf_counter() - began:.0f} s")
        async with (
            running(folder, {"channels": _CHANNELS}) as url,
            aiohttp.ClientSession(url, headers=HEADERS) as session,
        ):
            print(f"{'path':38} {'first':>8} {'min':>8} {'median':>8} {'max':>8}  ms  ratio   size")
            yardstick = 0.0
            for path in PATHS:
                found, size = await look(session, path)
                first, *rest = found
                median = statistics.median(rest)
                yardstick = yardstick or median
                figures = " ".join(f"{each:8.1f}" for each in (first, min(rest), median, max(rest)))
                print(f"{path:38} {figures}  {median / yardstick:7.1f}   {size / 1024:.0f} KiB")


async def look(session: aiohttp.ClientSession, path: str) -> tuple[list[float], int]:
    """Ask for one path several times; return how many milliseconds each took, and the size in bytes."""
    took, size = [], 0
    for _ in range(_TIMES + 1):
        began = time.perf_counter()
        async with session.get(path) as answer:
            size = len(await answer.read())
            assert answer.status == 200, (path, answer.status)
        took.append((time.perf_counter() - began) * 1000)
    return took, size


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
