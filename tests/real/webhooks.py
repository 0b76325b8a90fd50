"""A receiver of webhooks that keeps every request as it came and answers as scripted."""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import web
from multidict import CIMultiDictProxy

from tests.real.inbox import Inbox
from tests.real.loops import LoopThread, Site
from tests.real.pki import Pki


@dataclass(frozen=True)
class Received:
    """A request; `body` is the exact bytes."""

    method: str
    path: str
    """With the query."""
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is said to one request."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    """Seconds before anything is said."""
    fault: Literal["hang", "cut", "cut body"] | None = None
    """Never answer; close without a word; close within the body."""


class Receiver:
    """Answers with what was scripted, in turn, then with `default`; a path may have an answer of its own."""

    def __init__(self, thread: LoopThread, pki: Pki, *, tls: bool = False, ask_client: bool = False) -> None:
        self.requests: Inbox[Received] = Inbox()
        self.default = Answer()
        self.paths: dict[str, Answer] = {}
        """For a path (without the query), before anything else."""
        self._script: deque[Answer] = deque()
        context = pki.server_context(ask_client=ask_client) if tls else None
        self._site = Site(thread, self._take, context)

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a path: every path is served."""
        return self._site.url

    def script(self, *answers: Answer) -> None:
        """The answers to the next requests."""
        self._script.extend(answers)

    def stop(self) -> None:
        """Closes all connections and refuses new ones until `start`, which comes back under the same URL."""
        self._site.stop()

    def start(self) -> None:
        self._site.start()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        answer = self.paths.get(request.path) or (self._script.popleft() if self._script else self.default)
        # Kept before it is answered: whoever has had the answer finds the request here.
        self.requests.add(Received(request.method, request.path_qs, request.headers, body))
        if answer.delay:
            await asyncio.sleep(answer.delay)
        match answer.fault:
            case None:
                return web.Response(status=answer.status, body=answer.body, headers=answer.headers)
            case "hang":
                await asyncio.Event().wait()
            case "cut body":
                response = web.StreamResponse(status=answer.status, headers=answer.headers)
                response.content_length = len(answer.body) + 1000
                await response.prepare(request)
                await response.write(answer.body or b"{")
        if request.transport:
            request.transport.close()
        return web.Response()
