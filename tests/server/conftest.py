"""The public listener on loopback, over a real store; its clock is moved by hand."""

import random
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from relay.engine.operate import Operator
from relay.engine.routing import Expression, Router
from relay.hooks import Hooks
from relay.model.observation import Report
from relay.model.plan import Plan
from relay.model.silence import Acknowledgement
from relay.render import Pages, Renderer
from relay.render.aside import Aside
from relay.server import (
    Access,
    Guesses,
    Links,
    Listener,
    Running,
    Service,
    Sessions,
    Stream,
    link_key,
    public_app,
)
from relay.settings import ServerSettings, Settings
from relay.store import Store
from tests.store import things
from tests.support.clock import ManualClock

TOKEN = "a-token-for-programs"
ALERT, EVENT = "alr_5fw3kq7yjxh2", "evt_2c8t0m4nvb91"
RUNBOOK = "https://wiki.example.com/msr?page=1&x=<y>"


def _any(_source: str) -> Expression:
    return lambda _event: True


async def _refuse(_report: Report) -> None:
    raise AssertionError("no hook is configured")


@dataclass
class Site:
    """The listener, and what stands behind it; what it works with may be changed between requests."""

    store: Store
    clock: ManualClock
    links: Links
    pages: Pages
    session: aiohttp.ClientSession
    guesses: Guesses
    stream: Stream
    settings: Settings
    access: Access
    aside: Aside = field(default_factory=Aside)
    source: random.Random = field(default_factory=lambda: random.Random(1))
    port: int = 0
    api_token: SecretStr | None = None
    running: Running = field(default_factory=lambda: Running(things.NOW, Router((), (), _any)))

    def service(self) -> Service:
        return Service(
            operator=Operator(self.store, self.clock, self.source),
            links=self.links,
            pages=self.pages,
            renderer=Renderer([], clock=self.clock),
            settings=self.settings,
            access=self.access,
            random_bytes=secrets.token_bytes,
            hooks=Hooks({}, _refuse),
            running=lambda: self.running,
            aside=self.aside,
        )

    def server(self) -> ServerSettings:
        return self.settings.server.model_copy(update={"api_token": self.api_token})

    def path(self, thread: str = ALERT, channel: str = "ops") -> str:
        return f"/ack/{self.links.token(thread, channel)}"

    async def get(self, path: str, method: str = "GET", **options: Any) -> tuple[int, str]:
        async with self.session.request(method, path, allow_redirects=False, **options) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, **fields: str) -> tuple[int, str]:
        return await self.get(path, "POST", data={"name": "Ann Example", "until": ""} | fields)

    async def call(
        self, operation: str, body: Any = None, method: str = "POST", token: str | None = TOKEN
    ) -> tuple[int, Any]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        options = {} if body is None else {"json": body}
        async with self.session.request(method, f"/api/v1{operation}", headers=headers, **options) as answer:
            kinds = ("application/json", "application/problem+json")
            assert answer.content_type == kinds[answer.status >= 400]
            return answer.status, await answer.json(content_type=None)

    async def acknowledged(self, thread: str = ALERT) -> Acknowledgement | None:
        return await self.store.acknowledgement(thread)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    store, clock = Store(f"sqlite:///{tmp_path / 'relay.db'}"), ManualClock(things.NOW)
    key = await link_key(store, secrets.token_bytes)
    links = Links(key, clock, timedelta(days=3), "https://relay.example.com")
    alert = things.alert(ALERT, summary="Table <b>tags</b> & more", annotations={"runbook_url": RUNBOOK})
    await store.commit(Plan(at=things.NOW, alerts=(alert,), events=(things.event(EVENT),)))
    async with aiohttp.ClientSession() as session:
        guesses, stream = Guesses(clock), Stream(store, clock)
        sessions = Sessions(key, clock, secrets.token_bytes)
        access = Access(lambda: site.server(), store, clock, guesses, sessions)
        site = Site(
            store, clock, links, Pages(clock=clock), session, guesses, stream, Settings(), access,
            api_token=SecretStr(TOKEN),
        )  # fmt: skip
        listener = Listener(public_app(dict, site.service, lambda: site.stream, guesses, clock))
        site.port = await listener.on_tcp("127.0.0.1:0")
        session._base_url = aiohttp.client.URL(f"http://127.0.0.1:{site.port}")
        yield site
        await listener.close()
        await site.aside.close()
    store.close()
