"""Breadth's yardstick: a bare aiohttp loop that asks the same things at the same pace, and does no more."""

import asyncio
import multiprocessing
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.served import PATHS

_PING, _NGINX, _STATUS, _FEED, _TOKEN = PATHS


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster: its replicas' URLs, and the file of its authority."""

    urls: Sequence[str]
    ca_file: Path


@contextmanager
def polling(targets: Sequence[Target], every: float) -> Iterator[int]:
    """Ask all of it every so many seconds, in a process of its own; yield its id."""
    # Spawned: what it holds and does is its own, from the first import on.
    spawning = multiprocessing.get_context("spawn")
    process = spawning.Process(target=_run, args=(targets, every), daemon=True)
    process.start()
    assert process.pid is not None, "it has been started"
    try:
        yield process.pid
    finally:
        process.terminate()
        process.join(10)


def _run(targets: Sequence[Target], every: float) -> None:
    asyncio.run(_poll(targets, every))


async def _poll(targets: Sequence[Target], every: float) -> None:
    contexts = {each.ca_file: ssl.create_default_context(cafile=each.ca_file) for each in targets}
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=1.0)
    async with aiohttp.ClientSession(connector=connector) as session:
        loops = []
        for number, target in enumerate(targets):
            delay = every * number / len(targets)
            context = contexts[target.ca_file]
            loops += [_replica(session, url, context, every, delay) for url in target.urls]
            loops.append(_feed(session, target.urls[0], context, every, delay))
        await asyncio.gather(*loops)


async def _replica(
    session: aiohttp.ClientSession, url: str, context: ssl.SSLContext, every: float, delay: float
) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time() + delay
    while True:
        await asyncio.sleep(due - loop.time())
        # One after the other, so that they share a connection, with its one handshake.
        for path in (_PING, _NGINX, _STATUS):
            async with session.get(url + path, ssl=context) as answer:
                await (answer.text() if path == _NGINX else answer.json())
        due += every


async def _feed(
    session: aiohttp.ClientSession, url: str, context: ssl.SSLContext, every: float, delay: float
) -> None:
    loop = asyncio.get_running_loop()
    async with session.get(url + _TOKEN, ssl=context) as answer:
        token = (await answer.json())["token"]
    due = loop.time() + delay
    while True:
        await asyncio.sleep(due - loop.time())
        query, headers = {"change_id": "0", "records": "1000"}, {"Authorization": f"Bearer {token}"}
        async with session.get(url + _FEED, params=query, headers=headers, ssl=context) as answer:
            await answer.json()
        due += every
