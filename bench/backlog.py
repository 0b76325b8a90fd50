"""Whether the store is as fast when it has grown: claiming, sending, starting, looking, pruning.

    python -m bench.backlog [KEPT [DELIVERIES ...]]

KEPT is a folder in which stores that were filled are kept, and found by the next run.
"""

import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from bench import pruned
from bench.claiming import claim_and_settle
from bench.figures import Section, Table, ratios, spread
from bench.grown import HELD, MEASURED, THREAD, fill
from bench.hooked import SECRET
from bench.outbox import outcomes, settings_of, take_in
from bench.pages import ask
from bench.running import HEADERS, started
from bench.sink import Sink, sink
from relay.store import Store
from tests.real.postgres import DURABLE, Postgres

_SIGNED = "whsec_" + "bXNyLXJlbGF5LWJlbmNobWFyay1zZWNyZXQ="
_FLOOD = 100
"""A store that has so many times as many rows has a backlog to claim from, round after round."""
_LOOKS = 15
_PAGES = ("/", "/deliveries", "/metrics")
_SIZES, _SERVER_SIZES = (1_000, 1_000_000, 5_000_000), (1_000, 1_000_000)
_NUMBERS = count(int(time.time()))
"""Of each lot of events that is taken in: a store that was kept knows those of earlier runs."""


@dataclass
class Grown:
    """A store that has grown, None rows: a fresh one each time. What was found, round by round."""

    kind: str
    rows: int | None
    url: str = ""
    filled: float = 0.0
    claims: list[float] = field(default_factory=list)
    flood: list[float] = field(default_factory=list)
    sends: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    looks: dict[str, list[float]] = field(default_factory=dict)


def measure(
    sizes: tuple[int, ...] = _SIZES,
    server_sizes: tuple[int, ...] = _SERVER_SIZES,
    events: int = 1_500,
    rounds: int = 3,
    kept: Path | None = None,
) -> Section:
    """Measure in turn, round after round."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        postgres = Postgres(DURABLE)
        stack.callback(postgres.close)
        return asyncio.run(_measure(folder, postgres, sizes, server_sizes, events, rounds, kept))


async def _measure(
    folder: Path,
    postgres: Postgres,
    sizes: tuple[int, ...],
    server_sizes: tuple[int, ...],
    events: int,
    rounds: int,
    kept: Path | None,
) -> Section:
    stores = [Grown("SQLite", size) for size in (None, *sizes)]
    if server_sizes:
        stores += [Grown("PostgreSQL", size) for size in (None, *server_sizes)]
    for each in stores:
        if each.rows is not None:
            file = (kept or folder) / f"{each.rows}.db"
            each.url = postgres.fresh() if each.kind == "PostgreSQL" else f"sqlite:///{file}"
            if each.kind == "PostgreSQL" or not file.exists():
                each.filled = fill(each.url, each.rows)
                _note(f"{each.kind} filled with {each.rows:,} in {each.filled:.0f} s")
    with sink(keep=True) as receiver:
        for each in stores:
            if each.rows is not None:
                await _settle_down(folder, each.url, receiver)
        with tempfile.TemporaryDirectory() as name:
            # What is measured first must not pay for what is compiled once.
            await _one_round(Grown("SQLite", None), Path(name), postgres, receiver, 100)
        for number in range(rounds):
            for each in stores:
                with tempfile.TemporaryDirectory() as name:
                    await _one_round(each, Path(name), postgres, receiver, events)
                told = f"claims {each.claims[-1]:.0f}/s, sends {each.sends[-1]:.0f}/s"
                told += f", start {each.starts[-1]:.2f} s"
                _note(f"{number + 1}/{rounds} {each.kind} {each.rows or 0:,}: {told}")
        largest = max(stores, key=lambda each: (each.rows or 0, each.kind))
        pruning = await pruned.measure(folder, _settings(largest.url, receiver), receiver)
    tables = (_rates(stores), _waits(stores), pruning)
    return Section("A store that has grown", _how(events, largest), tables, _notes(stores))


async def _settle_down(folder: Path, url: str, receiver: Sink) -> None:
    """Have the relay say once what it has to say about channels that are disabled."""
    settings = _settings(url, receiver)
    async with started(folder, settings, path="/readyz"):
        await asyncio.sleep(2)


async def _one_round(each: Grown, folder: Path, postgres: Postgres, receiver: Sink, events: int) -> None:
    url = each.url
    if each.rows is None:
        server = each.kind == "PostgreSQL"
        url, other = (postgres.fresh() if server else f"sqlite:///{folder / name}.db" for name in "ab")
        each.flood.append(await _one_channel(folder, other, receiver, events))
    settings, many = _settings(url, receiver), events * len(MEASURED)
    await _due(folder, settings, events)
    store = Store(url)
    each.claims.append(await claim_and_settle(store, MEASURED, events))
    if each.rows is not None and each.rows >= _FLOOD * events:
        # Of those that have been due all the time, in a channel with a backlog.
        each.flood.append(await claim_and_settle(store, [HELD], events))
    store.close()

    before = await _due(folder, settings, events)
    receiver.forget()
    async with started(folder, settings, path="/readyz"):
        taken = await receiver.until(many)
    assert taken.count == many, f"{taken.count} of {many} came"
    each.sends.append(taken.rate)
    after = await outcomes(settings_of(folder, settings))
    assert after["delivered"] == before.get("delivered", 0) + many, (before, after)

    async with (
        started(folder, settings, path="/readyz") as relay,
        aiohttp.ClientSession(relay.url, headers=HEADERS) as session,
    ):
        each.starts.append(relay.seconds)
        for path in ("/healthz", *_PAGES):
            took = [(await ask(session, path))[0] for _ in range(_LOOKS + 1)]
            each.looks.setdefault(path, []).extend(took[1:])


async def _one_channel(folder: Path, url: str, receiver: Sink, events: int) -> float:
    """Return the rate at which one channel of an empty store is claimed and settled."""
    await _due(folder, _settings(url, receiver), events)
    store = Store(url)
    rate = await claim_and_settle(store, MEASURED[:1], events)
    store.close()
    return rate


async def _due(folder: Path, settings: dict[str, Any], events: int) -> dict[str, int]:
    """Have so many due in each channel that is measured; return what was there before, by state."""
    read = settings_of(folder, settings)
    before = await outcomes(read)
    there = await take_in(read, events, first=next(_NUMBERS) * events)
    added = there - sum(before.values())
    assert added == events * len(MEASURED), f"{added} deliveries are due"
    return before


def _settings(url: str, receiver: Sink) -> dict[str, Any]:
    return {
        "store": url,
        "clusters": [{"name": "lab", "url": "http://127.0.0.1:9", "watch": {"ping": "off"}}],
        "hooks": [{"name": "msr", "kind": "msr", "cluster": "lab", "secret": SECRET}],
        "channels": [
            {
                "name": name,
                "kind": "webhook",
                "url": receiver.url,
                "secrets": [_SIGNED],
                "allow_private": True,
            }
            for name in (*MEASURED, HELD, THREAD)
        ],
        "rules": [
            {"name": "updates", "match": {"type": "trust.updated"}, "channels": list(MEASURED)},
            {"name": "pushes", "match": {"type": "msr.*"}, "channels": [MEASURED[0]]},
        ],
    }


def _rates(stores: list[Grown]) -> Table:
    rows = []
    for each in stores:
        empty = next(other for other in stores if other.kind == each.kind)
        rows.append(
            (
                each.kind,
                f"{each.rows or 0:,}",
                ratios(each.sends, empty.sends).shown(),
                ratios(each.claims, empty.claims).shown(),
                ratios(each.flood, empty.flood).shown() if each.flood else "",
                spread(each.sends).shown(".0f"),
                spread(each.claims).shown(".0f"),
            )
        )
    head = ("store", "rows", "sent, of empty", "claimed and settled, of empty", "of a backlog, of empty")
    return Table((*head, "sent/s", "claimed and settled/s"), tuple(rows))


def _waits(stores: list[Grown]) -> Table:
    rows = [
        (
            each.kind,
            f"{each.rows or 0:,}",
            spread(each.starts).shown(),
            *(spread(each.looks[path]).shown(".0f") for path in ("/healthz", *_PAGES)),
        )
        for each in stores
    ]
    head = ("store", "rows", "start, s", "`/healthz`, ms", *(f"`{path}`, ms" for path in _PAGES))
    return Table(head, tuple(rows))


def _how(events: int, largest: Grown) -> str:
    return f"""
The outbox has up to {largest.rows:,} rows. Half of them are finished. A quarter waits for the measured
channels but is due later. A quarter is due and waits for channels that somebody has disabled, a tenth of
that in one thread. Then {events:,} events for {len(MEASURED)} webhook channels are taken in. *Sent*:
`msr-relay run` sends them, as in Throughput. *Claimed and settled*: `Store.due` and `Store.settle` alone,
as a channel's loop calls them. *Of a backlog*: the same for one channel alone, in which nearly a quarter
of all rows is due, beside one channel of an empty store. *Empty* is a fresh store of the same kind.
*Start* is from the start of the process until `/readyz` answers 200; pages are asked for one after the
other by a relay that has nothing to send, and `/healthz` touches no store. *Pruning*: into the largest
store messages are posted by a hook, {pruned.RATE:.0f} a second, while a relay removes what is older than
it is kept; p50 and p99 are from the post to the receiver. Goals: 0.8 of empty, and a start within 2 s.
"""


def _notes(stores: list[Grown]) -> str:
    filled = [f"{each.rows:,} ({each.kind}): {each.filled:.0f} s" for each in stores if each.filled]
    return f"The stores were filled in bulk beforehand: {', '.join(filled)}." if filled else ""


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    _kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    _wanted = tuple(map(int, sys.argv[2:])) or _SIZES
    _found = measure(_wanted, tuple(size for size in _wanted if size <= max(_SERVER_SIZES)), kept=_kept)
    print(_found.shown())
