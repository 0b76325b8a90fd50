"""What pruning costs those who are to be told meanwhile."""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import func, select

from bench.figures import Table, quantile
from bench.hooked import told
from bench.running import HEADERS, started
from bench.sink import Sink
from relay.store.database import connect, parse_url
from relay.store.schema import deliveries

RATE = 50.0
"""Messages a second."""
_SECONDS, _LONGEST = 10.0, 30.0
_KEPT = timedelta(days=30)


async def measure(folder: Path, settings: dict[str, Any], receiver: Sink) -> Table:
    """Measure without pruning, and until everything old is gone or the time is up."""
    url = settings["store"]
    async with (
        started(folder, settings, path="/readyz") as relay,
        aiohttp.ClientSession(relay.url, headers=HEADERS) as session,
    ):
        await told(session, receiver, RATE, 2.0)
        alone = await told(session, receiver, RATE, _SECONDS)
    before, found = _old(url), list[float]()
    async with (
        started(folder, settings, module="bench.soon", path="/readyz") as relay,
        aiohttp.ClientSession(relay.url, headers=HEADERS) as session,
    ):
        await told(session, receiver, RATE, 2.0)
        began, first, left = time.perf_counter(), _old(url), before
        while left and time.perf_counter() < began + _LONGEST:
            found += await told(session, receiver, RATE, 5.0)
            left = _old(url)
            print(f"pruning: {left:,} left", file=sys.stderr, flush=True)
        seconds = time.perf_counter() - began
    assert left < before, "nothing was pruned"
    rows = [
        ("not pruning", *(f"{quantile(alone, part) * 1000:.1f}" for part in (0.5, 0.99)), "", "", ""),
        (
            "pruning",
            *(f"{quantile(found, part) * 1000:.1f}" for part in (0.5, 0.99)),
            f"{quantile(found, 0.99) / quantile(alone, 0.99):.2f}",
            f"{(first - left) / seconds:.0f}",
            f"{before - left:,} of {before:,}",
        ),
    ]
    head = ("", "p50, ms", "p99, ms", "p99, of not pruning", "deliveries pruned/s", "pruned")
    return Table(head, tuple(rows))


def _old(url: str) -> int:
    engine = connect(parse_url(url), writing=False)
    with engine.connect() as connection:
        cut = datetime.now(UTC) - _KEPT
        query = select(func.count()).where(deliveries.c.finished_at < cut)
        found = connection.execute(query).scalar_one()
    engine.dispose()
    return found
