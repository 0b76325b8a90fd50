"""Messages that come by a hook at a steady rate, and how long each takes to be delivered."""

import asyncio
import json
import time

import aiohttp

from bench.sink import Sink

SECRET = "a-secret-of-the-benchmark-0123456789"


async def told(session: aiohttp.ClientSession, receiver: Sink, rate: float, seconds: float) -> list[float]:
    """Post messages to the hook ``msr``; return how many seconds each took until the receiver had it.

    The receiver keeps what comes, and each message goes to one channel.
    """
    receiver.forget()
    run, began = f"{time.time_ns()}", dict[str, float]()
    start = time.perf_counter()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(start + number / rate - time.perf_counter())
        tag = f"{run}-{number}"
        began[tag] = time.perf_counter()
        await _post(session, tag)
    deadline = time.perf_counter() + 60
    # The relay may have something of its own to say.
    while not began.keys() <= (came := _came(receiver)).keys():
        assert time.perf_counter() < deadline, f"{len(began.keys() - came.keys())} messages did not come"
        await asyncio.sleep(0.1)
    return [came[tag] - at for tag, at in began.items()]


async def _post(session: aiohttp.ClientSession, tag: str) -> None:
    contents = {"namespace": "prod", "repository": "app", "tag": tag, "digest": "sha256:" + "0" * 64}
    post = {"type": "TAG_PUSH", "createdAt": "2026-11-23T21:00:00Z", "contents": contents}
    headers, patience = {"Authorization": f"Bearer {SECRET}"}, aiohttp.ClientTimeout(total=20)
    async with session.post("/hooks/msr", json=post, headers=headers, timeout=patience) as done:
        assert done.status == 200, await done.text()


def _came(receiver: Sink) -> dict[str, float]:
    """Return when each message came first, by its tag."""
    return {_tag(body): at for at, _, body in reversed(receiver.bodies())}


def _tag(body: bytes) -> str:
    return str(json.loads(body)["data"]["details"].get("tag"))
