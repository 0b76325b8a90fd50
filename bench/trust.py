"""What it costs to learn what many repositories hold: requests, time, storage."""

import asyncio
import json
import multiprocessing
import random
import sys
import tempfile
import time
from base64 import b64decode
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from bench.figures import Section, Table, ratios, spread
from relay.app import build
from relay.app.clients import Clients
from relay.demo.feed import Sql
from relay.demo.imitation import Imitation, User
from relay.engine.intake import Intake
from relay.http import Http
from relay.model.clock import SystemClock
from relay.model.steps import pass_by
from relay.settings import read
from relay.store import Store

_AT_ONCE = 4
_TAGS = 10
_RATE = 10
"""Requests a second that the watcher makes at the most, by default."""
_HOST = "msr.example.com"


def serve(repositories: int, pipe: Connection) -> None:
    """Be an MSR with so many repositories until the pipe says otherwise; then tell what was asked."""
    asyncio.run(_serve(repositories, pipe))


async def _serve(repositories: int, pipe: Connection) -> None:
    clock, source = SystemClock(), random.Random(1)
    users = [User("admin", "password", admin=True)]
    msr = Imitation(_HOST, ["r1"], users=users, back_end=Sql(source), clock=clock, random=source)
    asked: Counter[str] = Counter()
    for number in range(repositories):
        msr.sign(f"team{number % 100}/app{number}", {f"1.{tag}": f"{tag:064x}" for tag in range(_TAGS)})

    def count(_replica: str, request: web.Request) -> None:
        name = request.path.rpartition("/")[2]
        asked[name.partition(".")[0] if "/tuf/" in request.path else name] += 1

    msr.interrupt = count
    runner = web.AppRunner(msr.app("r1"), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pipe.send(runner.addresses[0][1])
    while await asyncio.to_thread(pipe.recv) == "asked":
        pipe.send(dict(asked))
        asked.clear()
    await runner.cleanup()


async def bare(url: str) -> float:
    """Fetch everything plainly; return the seconds that it took."""
    began = time.perf_counter()
    turn = asyncio.Semaphore(_AT_ONCE)
    password = {"Authorization": aiohttp.encode_basic_auth("admin", "password")}
    async with aiohttp.ClientSession(url) as session:

        async def token(scope: str) -> dict[str, str]:
            query = {"realm": "dtr", "service": "dtr", "scope": scope}
            async with session.get("/auth/token", params=query, headers=password) as answer:
                return {"Authorization": f"Bearer {(await answer.json())['token']}"}

        async def one(record: dict[str, Any]) -> None:
            async with turn:
                gun = record["GUN"]
                headers = await token(f"repository:{gun}:pull")

                async def file(role: str, digest: str) -> Any:
                    path = f"/v2/{gun}/_trust/tuf/{role}.{digest}.json"
                    async with session.get(path, headers=headers) as answer:
                        return json.loads(await answer.read())["signed"].get("meta", {})

                def digest(meta: Any, role: str) -> str:
                    return b64decode(meta[role]["hashes"]["sha256"]).hex()

                timestamp = await file("timestamp", record["SHA256"])
                snapshot = await file("snapshot", digest(timestamp, "snapshot"))
                await file("root", digest(snapshot, "root"))
                await file("targets", digest(snapshot, "targets"))

        headers, change_id = await token("registry:catalog:*"), "0"
        while True:
            query = {"change_id": change_id, "records": "-1000"}
            async with session.get("/v2/_trust/changefeed", params=query, headers=headers) as answer:
                records = json.loads(await answer.read())["records"]
            if not records:
                return time.perf_counter() - began
            await asyncio.gather(*map(one, records))
            change_id = records[0]["ID"]


async def relayed(url: str, folder: Path) -> tuple[float, int]:
    """Let the relay's watcher learn everything; return the seconds, and the bytes of the store."""
    file = folder / "relay.yaml"
    watch = {"trust": {"rate": 1000, "reconcile": "off"}, "changefeed": "15s"}
    user = {"username": "admin", "password": "password"}
    cluster = {"name": "prod", "url": url, "registry_host": _HOST, "watch": watch, **user}
    settings = {"store": f"sqlite:///{folder / 'relay.db'}", "clusters": [cluster]}
    file.write_text(yaml.safe_dump({**settings, "channels": [{"name": "log", "kind": "console"}]}))
    found, clock = read(file, {}, None).settings, SystemClock()
    http, store = Http(clock), Store(found.store.get_secret_value())
    tools = build.Tools(clock, random.Random(1), store, http, Clients(http, clock), pass_by, "")
    watchers = list(build.watchers(found, tools))
    watcher = next(each for each in watchers if each.NAME == "trust")
    intake = Intake(store, build.setting(found, watchers), lambda _names: None)
    await intake.start(clock.now())
    began = time.perf_counter()
    while True:
        reports = 0
        async for report in watcher.look():
            reports += 1
            await intake.take(report)
        if reports == 1:
            break
    seconds = time.perf_counter() - began
    await http.close()
    store.close()
    return seconds, (folder / "relay.db").stat().st_size


def measure(repositories: int = 2_000, rounds: int = 3) -> Section:
    """Measure so many repositories so many times."""
    here, there = multiprocessing.Pipe()
    spawning = multiprocessing.get_context("spawn")
    print(f"trust: {repositories:,} repositories are signed", file=sys.stderr, flush=True)
    server = spawning.Process(target=serve, args=(repositories, there), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{here.recv()}"

    def asked() -> dict[str, int]:
        here.send("asked")
        found: dict[str, int] = here.recv()
        return found

    yardstick, found = [], []
    requests: dict[str, int] = {}
    size = 0
    for number in range(rounds):
        print(f"trust: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
        yardstick.append(repositories / asyncio.run(bare(url)))
        asked()
        with tempfile.TemporaryDirectory() as name:
            seconds, size = asyncio.run(relayed(url, Path(name)))
        found.append(repositories / seconds)
        requests = asked()
        assert requests["targets"] == repositories, requests
    here.send("end")
    server.join(10)
    total = sum(requests.values())
    rows = (
        ("bare loop, repositories/s", spread(yardstick).shown(".0f")),
        ("relay, repositories/s", spread(found).shown(".0f")),
        ("relay, of the bare loop", ratios(found, yardstick).shown()),
        ("requests for each repository", f"{total / repositories:.2f}"),
        ("KiB in the store for each, with its evidence", f"{size / repositories / 1024:.1f}"),
        (
            "minutes for 10,000 repositories at the default of 10 requests a second",
            f"{total / repositories * 10_000 / _RATE / 60:.0f}",
        ),
    )
    return Section(
        "Learning what repositories hold",
        f"The watcher `trust` learns {repositories:,} repositories of {_TAGS} tags from an imitated MSR in a "
        "process of its own that signs for real: it fetches, verifies, and commits each to a SQLite store. "
        f"The yardstick, in the same round, fetches the same files with aiohttp's client, {_AT_ONCE} "
        "repositories at a time as the relay does, takes them apart with `json`, and verifies and stores "
        "nothing.",
        (Table(("what", "found"), rows),),
        "In service the relay asks MSR no faster than `rate` of the watcher allows: that, not its own pace, "
        "says how long learning takes.",
    )
