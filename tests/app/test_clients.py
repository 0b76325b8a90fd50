"""Clients of MSR outlive a reload, so that a refused password is not tried anew by each."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from pydantic import SecretStr

from relay.app.clients import Clients
from relay.http import Http
from relay.msr import PasswordRefused
from relay.settings import ClusterSettings
from tests.support.clock import ManualClock


class Refusing:
    """An MSR that refuses everybody, and counts."""

    def __init__(self) -> None:
        self.requests = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.requests += "Authorization" in request.headers
        return web.json_response({"errors": [{"code": "NOT_AUTHENTICATED"}]}, status=401)


@pytest.fixture
async def refusing() -> AsyncIterator[tuple[Refusing, str]]:
    made = Refusing()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield made, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def cluster(url: str, password: str = "wrong", **fields: object) -> ClusterSettings:
    return ClusterSettings.model_validate(
        {"name": "prod", "url": url, "username": "relay", "password": SecretStr(password), **fields}
    )


async def test_many_reloads_try_a_refused_password_once(refusing: tuple[Refusing, str]) -> None:
    server, url = refusing
    clock = ManualClock()
    http = Http(clock)
    clients = Clients(http, clock)
    for reload in range(5):
        client = clients.get(cluster(url, repositories=[f"prod/app{reload}"]))
        with pytest.raises(PasswordRefused):
            await client.cluster_status(client.replicas[0])
        clients.keep({"prod"})
    assert server.requests == 1
    corrected = clients.get(cluster(url, password="another"))
    with pytest.raises(PasswordRefused):
        await corrected.cluster_status(corrected.replicas[0])
    assert server.requests == 2, "a corrected password is tried at once"
    await http.close()
    await asyncio.sleep(0)


async def test_a_cluster_that_went_and_came_has_a_new_client() -> None:
    clock = ManualClock()
    http = Http(clock)
    clients = Clients(http, clock)
    first = clients.get(cluster("http://127.0.0.1:1"))
    clients.keep(set())
    assert clients.get(cluster("http://127.0.0.1:1")) is not first
    await http.close()
