"""What becomes of a hundred thousand events that come in one catch-up, where they are gathered for people."""

import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.feed import Feed, feed
from bench.figures import Section, Table
from bench.process import resident
from bench.running import started
from bench.sink import Sink, sink
from bench.watching import stored

_HALF_AN_HOUR = 1 / 48
_GROUP = {"by": ["cluster"], "wait": "5s", "interval": "10s"}
_MASS = {"mass_deletion": {"update": "15s"}}
_WITHIN = 600.0
"""Seconds that everything may take."""

Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Case:
    """What the feed holds, what the relay is told to do with it, and of which type the events are."""

    deletions: bool
    cluster: Settings
    rules: tuple[Settings, ...]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Seconds until all was stored and until all was told, messages, events told, MiB of memory."""

    stored: float
    told: float
    messages: int
    items: int
    memory: float


def measure(events: int = 100_000) -> Section:
    """Measure each case once."""
    gathered = {"name": "gathered", "match": {"type": "trust.*"}, "channels": ["soc"], "group": _GROUP}
    quiet = {"name": "nothing", "match": {"type": "ping.*"}, "channels": ["soc"]}
    off = {"mass_deletion": "off"}
    cases = {
        "only stored": _Case(False, off, (quiet,)),
        "updates, grouped": _Case(False, off, (gathered,)),
        "deletions, grouped": _Case(True, off, (gathered,)),
        "deletions, told as a mass deletion": _Case(True, _MASS, (gathered,)),
    }
    rows = []
    with feed() as source:
        found: dict[str, _Outcome] = {}
        for name, case in cases.items():
            source.fill(events, events, "true" if case.deletions else "false", _HALF_AN_HOUR)
            found[name] = outcome = _relay(source, events, case)
            print(f"{name}: {outcome}", file=sys.stderr, flush=True)
        plain = found["only stored"]
        for name, outcome in found.items():
            rows.append(
                (
                    name,
                    f"{outcome.stored / plain.stored:.2f}",
                    f"{outcome.stored:.1f}",
                    f"{outcome.told:.1f}" if outcome.messages else "",
                    str(outcome.messages),
                    f"{outcome.items:,}",
                    f"{outcome.memory:.0f}",
                )
            )
    head = (
        "",
        "time of only stored",
        "s until stored",
        "s until told",
        "messages",
        "events told",
        "memory at most, MiB",
    )
    return Section("A storm", _how(events), (Table(head, tuple(rows)),))


def _how(events: int) -> str:
    return f"""
{events:,} records of as many repositories, made within half an hour, are read in one catch-up: `msr-relay
run` on SQLite, the trust data not examined. The yardstick is the same with a rule that takes none of them.
*Grouped*: a rule gathers them by cluster (`wait: 5s`, `interval: 10s`) for one webhook channel. *Told as a
mass deletion*: the default of `mass_deletion`, but told anew after 15 s. Told is when no delivery waits any
more. A webhook gets all of a group, in parts of at most `max_bytes` (20,000, the default). Counted in the
messages that came: each event is listed or counted in exactly one of them. Goal: no flood, and no event lost.
"""


def _relay(source: Feed, events: int, case: _Case) -> _Outcome:
    with tempfile.TemporaryDirectory() as name, sink(keep=True) as receiver:
        return asyncio.run(_run(source, events, case, Path(name), receiver))


async def _run(source: Feed, events: int, case: _Case, folder: Path, to: Sink) -> _Outcome:
    cluster = {**source.cluster(), **case.cluster}
    cluster["watch"]["trust"] = "off"  # type: ignore[index]
    channel = {"name": "soc", "kind": "webhook", "url": to.url, "allow_private": True}
    settings = {"clusters": [cluster], "channels": [channel], "rules": list(case.rules)}
    routed = case.rules[0]["name"] == "gathered"
    # Of what a mass deletion tells anew after a while nothing waits before that.
    mass = case.cluster is _MASS
    source.first_asked()
    most, at = 0.0, 0.0
    async with started(folder, settings) as relay, asyncio.timeout(_WITHIN):
        with closing(sqlite3.connect(f"file:{folder / 'relay.db'}?mode=ro", uri=True)) as reading:
            while not at or _waiting(reading) or (mass and _told(_bodies(to)) < events):
                if not at and stored(reading) >= events:
                    at = time.perf_counter()
                most = max(most, resident(relay.pid))
                await asyncio.sleep(0.1)
            ended = time.perf_counter()
    bodies = _bodies(to)
    items = _told(bodies)
    _check(folder / "relay.db", events, items, routed=routed)
    first = source.first_asked()
    return _Outcome(at - first, ended - first, len(bodies), items, most)


def _bodies(to: Sink) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in to.bodies()]


def _waiting(reading: sqlite3.Connection) -> bool:
    (some,) = reading.execute("SELECT exists(SELECT 1 FROM deliveries WHERE finished_at IS NULL)").fetchone()
    return bool(some)


def _told(bodies: list[dict[str, Any]]) -> int:
    """Return how many records the messages tell, listed or counted."""
    listed: list[str] = []
    mass: dict[str, tuple[set[str], int]] = {}
    counted = 0
    for body in bodies:
        data = body["data"]
        for item in [each["data"] for each in data["items"]] if "items" in data else [data]:
            details = item["details"]
            if "deletions" in details:
                # What was told last of an alert has everything before in it.
                mass[item["id"]] = ({each["event"] for each in details["deletions"]}, details["more"])
            else:
                listed.append(item["id"])
        counted += data.get("more", 0)
    assert len(set(listed)) == len(listed), "an event was told twice"
    # A mass deletion lists the few before it was one, which were told by themselves.
    of_mass = set[str]().union(*(events for events, _ in mass.values()))
    return len(of_mass.union(listed)) + counted + sum(more for _, more in mass.values())


def _check(store: Path, events: int, items: int, *, routed: bool) -> None:
    with closing(sqlite3.connect(store)) as reading:
        of_records = "type IN ('trust.updated', 'trust.deleted')"
        (found,) = reading.execute(f"SELECT count(DISTINCT id) FROM events WHERE {of_records}").fetchone()
    assert found == events, f"{found} events are in the store, and not {events}"
    assert items == (events if routed else 0), f"{items} events were told"


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:])).shown())
