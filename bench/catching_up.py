"""How fast a relay catches up on a long feed, beside a loop that only reads it, and if its memory grows."""

import asyncio
import json
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.feed import PAGE, Feed, feed
from bench.figures import Section, Table, ratios, spread
from bench.process import resident
from bench.running import started
from bench.sink import Sink, sink
from bench.watching import stored as stored_in

_REPOSITORIES = 10_000
_DAYS = 60
_DELETIONS = 500
_UNEXAMINED = "nor trust data examined"
"""One in so many records is a deletion."""
_RULES = 20
_BARE = "bare"

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Run:
    """How it went: records a second, and by how many MiB the memory grew after the first tenth."""

    rate: float
    growth: float = 0.0
    most: float = 0.0


def measure(records: int = 1_000_000, rounds: int = 3) -> Section:
    """Measure rounds of a twentieth of the feed, and once all of it, without examining trust data: that finds
    nothing here, and would tell so of each repository."""
    with feed() as source:
        source.fill(records, _REPOSITORIES, f"mod(n, {_DELETIONS}) = 0", _DAYS)
        part = records // 20
        parts = [_round(source, records - part, part, f"{number + 1}/{rounds}") for number in range(rounds)]
        whole = _round(source, 0, records, "all", only=(_BARE, _UNEXAMINED))
    rows = []
    for name in parts[0]:
        found, bare = [each[name].rate for each in parts], [each[_BARE].rate for each in parts]
        row = (name, ratios(found, bare).shown(), spread(found).shown(",.0f"))
        run = whole.get(name)
        if run is None:
            rows.append((*row, "", "", "", ""))
            continue
        memory = ("", "") if name == _BARE else (f"{run.growth:+.1f}", f"{run.most:.0f}")
        rows.append((*row, f"{run.rate / whole[_BARE].rate:.2f}", f"{run.rate:,.0f}", *memory))
    head = (
        "",
        f"of bare, {part:,} records",
        "records/s",
        f"of bare, {records:,} records",
        "records/s",
        "memory, MiB",
        "at most, MiB",
    )
    return Section("Catching up", _how(records), (Table(head, tuple(rows)),))


def _how(records: int) -> str:
    return f"""
A real notary server on PostgreSQL has {records:,} records of {_REPOSITORIES:,} repositories, one in
{_DELETIONS} a deletion. `msr-relay run` reads them from the beginning, {PAGE:,} a page: each record becomes
an event in the store (SQLite with `synchronous=FULL`), {_RULES} rules are applied, and the deletions go to
a webhook. *Bare* is a loop with aiohttp's client that fetches the same pages from the same server one after
another and takes them apart with `json`. *As it is* has the
defaults: a line is logged for each event, the evidence log is kept, and the trust data of the repositories is
examined meanwhile; each further row has one of these less. The rate is that from the first
request until the last record is committed. Memory is what the process had more at the end than after the
first tenth, and the most that it had. Goals: 0.40 of bare, and memory flat within 20 MiB.
"""


def _round(source: Feed, behind: int, count: int, name: str, only: Collection[str] = ()) -> dict[str, _Run]:
    quiet: Settings = {"log": {"level": "warning"}}
    least: Settings = {**quiet, "evidence": {"enabled": False}}
    contenders: dict[str, Callable[[], _Run]] = {
        _BARE: lambda: _bare(source, behind, count),
        "relay, as it is": lambda: _relay(source, behind, count, {}),
        "no line logged for each event": lambda: _relay(source, behind, count, quiet),
        _UNEXAMINED: lambda: _relay(source, behind, count, quiet, trust="off"),
        "nor evidence kept": lambda: _relay(source, behind, count, least, trust="off"),
    }
    found = {}
    for contender, run in contenders.items():
        if only and contender not in only:
            continue
        found[contender] = run()
        print(f"{name} {contender}: {found[contender].rate:,.0f} records/s", file=sys.stderr, flush=True)
    return found


def _bare(source: Feed, behind: int, count: int) -> _Run:
    spawning = multiprocessing.get_context("spawn")
    here, there = spawning.Pipe()
    process = spawning.Process(target=_read_all, args=(source.url, source.token(), behind, there))
    process.start()
    read, seconds = here.recv()
    process.join()
    assert read == count, f"the bare loop read {read} records, and not {count}"
    return _Run(count / seconds)


def _read_all(url: str, token: str, behind: int, pipe: Any) -> None:
    pipe.send(asyncio.run(_pages(url, token, behind)))


async def _pages(url: str, token: str, behind: int) -> tuple[int, float]:
    headers = {"Authorization": f"Bearer {token}"}
    change_id, read, began = str(behind), 0, time.perf_counter()
    async with aiohttp.ClientSession(url, headers=headers) as session:
        while True:
            query = {"change_id": change_id, "records": str(PAGE)}
            async with session.get("/v2/_trust/changefeed", params=query) as answer:
                records = json.loads(await answer.read())["records"]
            read += len(records)
            if len(records) < PAGE:
                return read, time.perf_counter() - began
            change_id = records[-1]["ID"]


def _relay(source: Feed, behind: int, count: int, settings: Settings, **watch: Any) -> _Run:
    with tempfile.TemporaryDirectory() as name, sink() as receiver:
        return asyncio.run(_run(source, behind, count, settings, watch, Path(name), receiver))


async def _run(
    source: Feed, behind: int, count: int, more: Settings, watch: Settings, folder: Path, to: Sink
) -> _Run:
    cluster = source.cluster({"id": str(behind)} if behind else "beginning")
    cluster["watch"].update(watch)  # type: ignore[attr-defined]
    source.first_asked()
    deletions = (behind + count) // _DELETIONS - behind // _DELETIONS
    async with started(folder, {"clusters": [cluster], **_told(to), **more}) as relay:
        store = folder / "relay.db"
        memory = [(0, 0.0)]
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as reading:
            while (stored := stored_in(reading)) < count:
                memory.append((stored, resident(relay.pid)))
                await asyncio.sleep(0.05)
            ended = time.perf_counter()
            memory.append((stored, resident(relay.pid)))
        await to.until(deletions)
    _check(store, count, more)
    taken = to.taken().count
    assert taken == deletions, f"{taken} messages came of {deletions} deletions"
    first = next(size for stored, size in memory if stored >= count / 10)
    most = max(size for _, size in memory)
    return _Run(count / (ended - source.first_asked()), memory[-1][1] - first, most)


def _told(to: Sink) -> Settings:
    quiet = [
        {"name": f"team {n}", "match": {"repository": f"other{n}/**"}, "channels": ["soc"]}
        for n in range(_RULES - 1)
    ]
    channel = {"name": "soc", "kind": "webhook", "url": to.url, "allow_private": True}
    deleted = {"name": "deletions", "match": {"type": "trust.deleted"}, "channels": ["soc"]}
    return {"channels": [channel], "rules": [*quiet, deleted]}


def _check(store: Path, count: int, settings: Settings) -> None:
    with closing(sqlite3.connect(store)) as reading:
        of_records = "type IN ('trust.updated', 'trust.deleted')"
        (stored,) = reading.execute(f"SELECT count(DISTINCT id) FROM events WHERE {of_records}").fetchone()
        assert stored == count, f"{stored} events are in the store, and not {count}"
        (proven,) = reading.execute("SELECT count(*) FROM evidence WHERE kind = 'record'").fetchone()
        wanted = 0 if settings.get("evidence") else count
        assert proven == wanted, f"{proven} entries are in the evidence log, and not {wanted}"


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:])).shown())
