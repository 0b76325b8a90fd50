"""A changefeed in a process of its own, to which records come steadily; it notes when it showed which.

It answers as the imitation of MSR does, but holds nothing back for it to compute: records are written as
text when they come.
"""

import asyncio
import json
import multiprocessing
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

HOST = "msr.example.com"


class Feed:
    """The changefeeds of one or several clusters, as others see them."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.urls: list[str] = pipe.recv()

    def flow(self, rate: float, count: int) -> None:
        """Let so many records come from now on, so many a second, in turn to each cluster."""
        self._ask(("flow", rate, count))

    def shown(self) -> dict[int, float]:
        """Return when the first page that held a record was written out, by the record's number."""
        found: dict[int, float] = self._ask(("shown",))
        return found

    def pages(self) -> int:
        """Return how many pages brought something new."""
        found: int = self._ask(("pages",))
        return found

    def _ask(self, what: Any) -> Any:
        self._pipe.send(what)
        return self._pipe.recv()


@contextmanager
def feed(clusters: int = 1) -> Iterator[Feed]:
    """Serve the feeds of so many clusters."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(there, clusters), daemon=True)
    process.start()
    try:
        yield Feed(here)
    finally:
        process.terminate()
        process.join(10)


def _serve(pipe: Connection, clusters: int) -> None:
    asyncio.run(_Server(pipe, clusters).run())


@dataclass(slots=True)
class _Records:
    """The feed of one cluster: numbers, and each record as notary writes it."""

    numbers: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    shown: int = 0


class _Server:
    def __init__(self, pipe: Connection, clusters: int) -> None:
        self._pipe = pipe
        self._feeds = [_Records() for _ in range(clusters)]
        self._ports: dict[int, _Records] = {}
        self._shown: dict[int, float] = {}
        self._pages = 0
        self._made = 0
        self._flow = (0.0, 1.0, 0, 0)

    async def run(self) -> None:
        urls = []
        runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await runner.setup()
        for records in self._feeds:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[-1][1]
            self._ports[port] = records
            urls.append(f"http://127.0.0.1:{port}")
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._told)
        self._pipe.send(urls)
        await asyncio.Event().wait()

    def _told(self) -> None:
        match self._pipe.recv():
            case ("flow", rate, count):
                self._flow = (time.perf_counter(), rate, self._made, self._made + count)
                self._pipe.send(None)
            case ("shown",):
                self._pipe.send(self._shown)
            case _:
                self._pipe.send(self._pages)

    def _come(self) -> None:
        """Write down the records that have come by now."""
        began, rate, first, end = self._flow
        due = min(end, first + int((time.perf_counter() - began) * rate))
        for number in range(self._made + 1, due + 1):
            records = self._feeds[number % len(self._feeds)]
            records.numbers.append(number)
            records.texts.append(_record(number))
        self._made = max(self._made, due)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/auth/token":
            granted = {"token": "t" * 64, "access_token": "t" * 64, "expires_in": 300}
            return web.json_response({**granted, "issued_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})
        if request.path != "/v2/_trust/changefeed":
            return web.Response(status=404)
        self._come()
        records = self._ports[urlsplit(f"//{request.host}").port or 0]
        after, most = int(request.query["change_id"]), int(request.query["records"])
        begin = bisect_right(records.numbers, after)
        texts = records.texts[begin : begin + most]
        body = f'{{"count": {len(texts)}, "records": [{", ".join(texts)}]}}'
        response = web.Response(text=body, content_type="text/plain", charset="utf-8")
        # Who asked may have been stopped meanwhile; then nothing was shown.
        with suppress(ConnectionError):
            await response.prepare(request)
            await response.write_eof()
            self._note(records, begin + len(texts))
        return response

    def _note(self, records: _Records, end: int) -> None:
        now = time.perf_counter()
        if end > records.shown:
            self._pages += 1
            self._shown.update(dict.fromkeys(records.numbers[records.shown : end], now))
            records.shown = end


def _record(number: int) -> str:
    record = {
        "ID": str(number),
        "CreatedAt": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "GUN": f"{HOST}/team{number % 100}/app{number}",
        "Version": number % 50 + 1,
        "SHA256": f"{number:064x}",
        "Category": "update",
    }
    return json.dumps(record)
