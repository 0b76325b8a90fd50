"""What a relay costs that has nothing to tell: memory, CPU, wake-ups; and how soon it looks, and helps."""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Section, Table, ratios, spread
from bench.process import resident, used
from bench.running import installed, started
from bench.served import Served, served
from tests.real.alertmanager import Alertmanager

_HELP = [str(Path(sys.executable).with_name("msr-relay")), "--help"]
_SETTLES = 10.0
"""Seconds after the start that are not measured."""


@dataclass(frozen=True, slots=True)
class Idle:
    """What a process uses while nothing happens."""

    resident: float
    """MiB."""
    percent: float
    """Of one core."""
    wakes: float
    """A second, of all its threads."""


def measure(rounds: int = 2, seconds: float = 40.0, starts: int = 5) -> Section:
    """Measure the relay and Alertmanager turn about, then starts and the help."""
    relay, alertmanager = [], []
    first: list[float] = []
    ready: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            relay.append(asyncio.run(_relay(Path(folder), seconds)))
        with tempfile.TemporaryDirectory() as folder:
            alertmanager.append(_alertmanager(Path(folder), seconds))
    fresh = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(starts):
            first.append(asyncio.run(_first_poll(Path(folder))))
            ready.append(_alertmanager_ready())
            with tempfile.TemporaryDirectory() as empty:
                fresh.append(asyncio.run(_first_poll(Path(empty))))
            print(f"  start {number}: {first[-1]:.2f} s, {fresh[-1]:.2f} s", file=sys.stderr, flush=True)
        # The first of them made the store.
        first.pop(0), ready.pop(0), fresh.pop(0)
    help_, nothing = [], []
    _took(_HELP)
    for _ in range(starts):
        help_.append(_took(_HELP))
        nothing.append(_took([sys.executable, "-c", "pass"]))
    return _section((relay, alertmanager), (first, fresh, ready), (help_, nothing), seconds)


def _settings(servers: Served) -> dict[str, Any]:
    smtp = {"host": "127.0.0.1", "port": 9, "tls": "none"}
    people = {"from": "relay@example.com", "to": ["oncall@example.com"]}
    url = f"http://127.0.0.1:{servers.ports[0]}"
    return {
        "clusters": [{"name": "prod", "url": url, "username": "relay", "password": "pw"}],
        "channels": [
            {"name": "hook", "kind": "webhook", "url": "http://127.0.0.1:9/", "secrets": ["x" * 40]},
            {"name": "oncall", "kind": "email", "smtp": smtp, **people},
        ],
    }


async def _relay(folder: Path, seconds: float) -> Idle:
    with served(1, 1) as servers:
        # The second start: the first one makes the store.
        async with started(folder, _settings(servers)):
            await _asked(servers)
        async with started(folder, _settings(servers)) as relay:
            await asyncio.sleep(_SETTLES)
            found = await asyncio.to_thread(_idle, relay.pid, seconds)
            if not servers.asked()[0]:
                sys.exit("the relay does not watch")
            return found


def _alertmanager(folder: Path, seconds: float) -> Idle:
    program = Alertmanager(folder, {"url": "http://127.0.0.1:9/"})
    try:
        time.sleep(_SETTLES)
        return _idle(program.pid, seconds)
    finally:
        program.close()


def _idle(pid: int, seconds: float) -> Idle:
    before, began = used(pid), time.perf_counter()
    time.sleep(seconds)
    after, took = used(pid), time.perf_counter() - began
    found = Idle(
        resident(pid), 100 * (after.seconds - before.seconds) / took, (after.wakes - before.wakes) / took
    )
    print(f"  {found}", file=sys.stderr, flush=True)
    return found


async def _first_poll(folder: Path) -> float:
    """Start a relay; return after how many seconds its MSR was asked for the first time."""
    with served(1, 1) as servers:
        async with started(folder, _settings(servers)) as relay:
            return await _asked(servers) - relay.began


async def _asked(servers: Served) -> float:
    async with asyncio.timeout(60):
        while not servers.asked()[0]:
            await asyncio.sleep(0.01)
    return servers.asked()[0][0][0]


def _alertmanager_ready() -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        program = Alertmanager(Path(folder), {"url": "http://127.0.0.1:9/"})
        took = time.perf_counter() - began
        program.close()
    return took


def _took(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=installed())
    return time.perf_counter() - began


def _section(
    idle: tuple[list[Idle], list[Idle]],
    start: tuple[list[float], list[float], list[float]],
    helping: tuple[list[float], list[float]],
    seconds: float,
) -> Section:
    relay, alertmanager = idle
    first, fresh, ready = start
    help_, nothing = helping
    how = (
        "One cluster, served by another process, with the watchers on their defaults; a webhook and a "
        f"mail channel; nothing happens for {seconds:.0f} s. Wake-ups are the kernel's count of voluntary "
        "context switches of all threads. Beside it Alertmanager with one webhook, which watches nothing. "
        "A start is from the process's beginning until the served MSR is asked for the first time; "
        "Alertmanager's until it says that it is ready. The help is `msr-relay --help`, beside a Python "
        "that does nothing. Goals: 80 MiB, 0.5 % of a core, first poll within 1.5 s, help within 0.3 s."
    )
    rows = []
    for name, form, mine, theirs in (
        ("memory, MiB", ".0f", [each.resident for each in relay], [each.resident for each in alertmanager]),
        (
            "CPU, % of a core",
            ".2f",
            [each.percent for each in relay],
            [each.percent for each in alertmanager],
        ),
        ("wake-ups a second", ".1f", [each.wakes for each in relay], [each.wakes for each in alertmanager]),
        ("start, s", ".2f", first, ready),
        ("start on an empty store, s", ".2f", fresh, ready),
        ("help, s", ".2f", help_, nothing),
    ):
        own, other = spread(mine).shown(form), spread(theirs).shown(form)
        ratio = ratios(mine, theirs).shown() if min(theirs) > 0 else "not measurable"
        rows.append((name, own, other, ratio))
    table = Table(("", "relay", "Alertmanager; Python", "relay ÷ other"), tuple(rows))
    bare = statistics.median(nothing)
    notes = (
        "Most of the memory is code: Python holds that of every library that is imported. What is not "
        "configured is not imported (tests assert that). Of the start, "
        f"{bare:.2f} s pass before Python runs anything; nearly all of the rest is importing."
    )
    return Section("Idle, and starting", how, (table,), notes)
