"""Imitated clusters on loopback, and clients for them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from random import Random

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from relay.demo.feed import BackEnd, RethinkDb
from relay.demo.imitation import Imitation, User
from relay.http import Http, Route
from relay.model.clock import Clock
from relay.msr import Msr, Replica
from tests.support.clock import ManualClock

PASSWORD = "admin's pässword"
Serve = Callable[[web.Application], Awaitable[str]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def http(clock: ManualClock) -> AsyncIterator[Http]:
    client = Http(clock)
    yield client
    await client.close()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves an application on loopback; gives its base URL."""
    async with AsyncExitStack() as stack:

        async def start(app: web.Application) -> str:
            server = TestServer(app)
            await server.start_server()
            stack.push_async_callback(server.close)
            return f"http://127.0.0.1:{server.port}"

        yield start


class Cluster:
    """An imitation of three replicas, served, and the means to make clients for it."""

    host = "msr.example.com"

    def __init__(self, http: Http, clock: Clock, back_end: BackEnd, token_seconds: int = 300) -> None:
        self._http, self._clock = http, clock
        self.requests: list[tuple[str, str]] = []
        """Replica and path of each, in order."""
        self.imitation = Imitation(
            self.host,
            ["r1", "r2", "r3"],
            users=[
                User("admin", PASSWORD, admin=True),
                User("ci-bot", "ci", repositories=frozenset({f"{self.host}/prod/app"})),
            ],
            back_end=back_end,
            clock=clock,
            random=Random(7),
            token_seconds=token_seconds,
        )
        self.replicas: list[Replica] = []

    async def start(self, serve: Serve) -> None:
        for name in ("r1", "r2", "r3"):
            app = self.imitation.app(name)
            app.middlewares.append(self._noting(name))
            self.replicas.append(Replica(name, await serve(app)))

    def _noting(self, name: str):
        @web.middleware
        async def note(request, handler):
            self.requests.append((name, request.path))
            return await handler(request)

        return note

    def paths(self) -> list[str]:
        return [path for _, path in self.requests]

    def client(self, username: str = "admin", password: str = PASSWORD, **more) -> Msr:
        settings = {"entry": self.replicas[0].url, "replicas": self.replicas, "registry_host": self.host}
        return Msr(
            "prod",
            username=username,
            password=SecretStr(password),
            http=self._http,
            clock=self._clock,
            **(settings | {"route": Route(allow_private=True), "timeout": 5.0} | more),
        )


@pytest.fixture
async def cluster(http: Http, clock: ManualClock, serve: Serve) -> Cluster:
    made = Cluster(http, clock, RethinkDb(Random(1)))
    await made.start(serve)
    return made
