"""How many signed, rendered webhooks a second go out durably, beside what goes out without all that."""

import asyncio
import json
import multiprocessing
import sys
import tempfile
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from bench.figures import Section, Table, ratios, spread
from bench.outbox import outcomes, settings_of, take_in
from bench.running import running, store_of
from bench.sink import Sink, sink
from tests.real.alertmanager import Alertmanager
from tests.real.postgres import DURABLE, Postgres

_CHANNELS = 4
_AT_ONCE = 64
_SECRET = "whsec_" + "bXNyLXJlbGF5LWJlbmNobWFyay1zZWNyZXQ="
_APPRISE_SHARE = 20
_BODY = json.dumps({"text": "x" * 1000}).encode()

Sending = Callable[[Sink, int, Path], Awaitable[None]]
"""Sends so many messages to the sink; returns when all of them have come."""


def measure(events: int = 4000, rounds: int = 5) -> Section:
    """Measure in turn, round after round."""
    return asyncio.run(_measure(events, rounds))


async def _measure(events: int, rounds: int) -> Section:
    postgres = Postgres(DURABLE)
    try:
        return await _turn_about(postgres, events, rounds)
    finally:
        postgres.close()


async def _turn_about(postgres: Postgres, events: int, rounds: int) -> Section:
    count = events * _CHANNELS
    contenders: dict[str, tuple[Sending, int]] = {
        "bare aiohttp": (_bare, count),
        "relay, SQLite": (lambda to, many, folder: _relay(to, many, folder, store_of(folder)), count),
        "relay, PostgreSQL": (lambda to, many, folder: _relay(to, many, folder, postgres.fresh()), count),
        "Alertmanager": (_alertmanager, events),
        "Apprise": (_apprise, count // _APPRISE_SHARE),
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, (send, many) in contenders.items():
            with tempfile.TemporaryDirectory() as folder, sink() as receiver:
                await send(receiver, many, Path(folder))
                taken = receiver.taken()
            assert taken.count == many, f"{name}: {taken.count} of {many} came"
            rates[name].append(taken.rate)
            print(f"{number + 1}/{rounds} {name}: {taken.rate:.0f} a second", file=sys.stderr)
    bare = rates["bare aiohttp"]
    rows = [
        (
            name,
            ratios(found, bare).shown(),
            ratios(found, rates["Alertmanager"]).shown(),
            ratios(found, rates["Apprise"]).shown(".1f"),
            spread(found).shown(".0f"),
        )
        for name, found in rates.items()
    ]
    head = ("", "of bare", "of Alertmanager", "of Apprise", "messages/s")
    return Section("Throughput", _how(count), (Table(head, tuple(rows)),))


def _how(count: int) -> str:
    return f"""
{count:,} deliveries are due in the outbox, to {_CHANNELS} webhook channels of 16 at once (the default).
`msr-relay run` renders, signs and posts each, logs it, and commits its attempt and outcome: SQLite with
`synchronous=FULL`, PostgreSQL with its defaults. *Bare* is aiohttp's client on the stock event loop,
{_AT_ONCE} requests of {len(_BODY)} bytes at once: it renders, signs, logs and stores nothing. Alertmanager
notifies of alerts that are a group each. Apprise's `async_notify` goes to {_AT_ONCE} `json://` addresses at a
time. All post to the same receiver, a process of its own. The rate is that from the first request to the
last. Goals: 0.75 of bare, 1 of Alertmanager, 10 of Apprise.
"""


async def _relay(to: Sink, count: int, folder: Path, store: str) -> None:
    settings = _settings(to, store)
    due = await take_in(settings_of(folder, settings), count // _CHANNELS)
    assert due == count, f"{due} deliveries are due, and not {count}"
    async with running(folder, settings):
        await to.until(count)
    # Stopped gracefully it has recorded every outcome.
    found = await outcomes(settings_of(folder, settings))
    assert found == {"delivered": count}, found


def _settings(to: Sink, store: str) -> dict[str, Any]:
    names = [f"soc-{number}" for number in range(_CHANNELS)]
    channels = [
        {"name": name, "kind": "webhook", "url": to.url, "secrets": [_SECRET], "allow_private": True}
        for name in names
    ]
    rules = [{"name": "updates", "match": {"type": "trust.updated"}, "channels": names}]
    return {"store": store, "channels": channels, "rules": rules}


async def _bare(to: Sink, count: int, _folder: Path) -> None:
    await _in_a_process(_post_all, to.url, count)


async def _in_a_process(work: Callable[..., None], *arguments: Any) -> None:
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == 0, f"{work.__name__} failed"


def _post_all(url: str, count: int) -> None:
    asyncio.run(_post(url, count))


async def _post(url: str, count: int) -> None:
    left = iter(range(count))
    headers = {"Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def post() -> None:
            for _ in left:
                async with session.post(url, data=_BODY) as answer:
                    await answer.read()
                    assert answer.status == 200

        await asyncio.gather(*(post() for _ in range(_AT_ONCE)))


async def _alertmanager(to: Sink, count: int, folder: Path) -> None:
    webhook = {"url": to.url, "send_resolved": False, "max_alerts": 0}
    manager = Alertmanager(folder, webhook)
    try:
        # A cluster each, so that each is a group of its own.
        until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        alerts = [_alert(number, until) for number in range(count)]
        await asyncio.to_thread(_raise_alerts, manager.url, alerts)
        await to.until(count)
    finally:
        manager.close()


def _alert(number: int, until: str) -> dict[str, Any]:
    labels = {"alertname": "TrustUpdated", "cluster": f"c{number}", "severity": "info"}
    return {"labels": labels, "annotations": {"summary": "x" * 300}, "endsAt": until}


def _raise_alerts(url: str, alerts: list[dict[str, Any]]) -> None:
    body = json.dumps(alerts).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/v2/alerts", body, headers)) as answer:
        assert answer.status == 200


async def _apprise(to: Sink, count: int, _folder: Path) -> None:
    await _in_a_process(_notify_all, to.port, count)


def _notify_all(port: int, count: int) -> None:
    asyncio.run(_notify(port, count))


async def _notify(port: int, count: int) -> None:
    from apprise import Apprise

    for start in range(0, count, _AT_ONCE):
        several = Apprise()
        for number in range(start, min(start + _AT_ONCE, count)):
            several.add(f"json://127.0.0.1:{port}/?:n={number}")
        assert await several.async_notify(title="Trust data was updated", body="x" * 600)
