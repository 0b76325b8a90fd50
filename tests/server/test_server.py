"""Health for probes, and the control socket: who may open it, and what it says to bad orders."""

import io
import random
import stat
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from relay.engine.operate import Operator
from relay.model.delivery import ChannelState
from relay.server import Listener, control_app
from relay.server.health import health_routes
from relay.server.listening import ListenError
from relay.store import Store
from tests.support.clock import ManualClock


def health_app(health: Callable[[], Mapping[str, str]]) -> web.Application:
    app = web.Application()
    app.add_routes(health_routes(health))
    return app


async def test_ready_says_what_is_wrong() -> None:
    reasons: dict[str, str] = {}
    listener = Listener(health_app(lambda: reasons))
    port = await listener.on_tcp("127.0.0.1:0")
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        async with session.get("/readyz") as answer:
            assert (answer.status, (await answer.json())["ready"]) == (200, True)
        reasons["store"] = "full"
        async with session.get("/readyz") as answer:
            assert (answer.status, (await answer.json())["reasons"]) == (503, {"store": "full"})
        async with session.get("/healthz") as answer:
            assert answer.status == 200
    await listener.close()


async def test_a_port_that_is_taken_is_an_error_of_ours() -> None:
    first, second = Listener(health_app(dict)), Listener(health_app(dict))
    port = await first.on_tcp("127.0.0.1:0")
    with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}"):
        await second.on_tcp(f"127.0.0.1:{port}")
    await first.close()


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[tuple[Path, Store]]:
    store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
    listener = Listener(control_app(lambda: Operator(store, ManualClock(), random.Random(1))))
    path = tmp_path / "c.sock"
    await listener.on_socket(path)
    yield path, store
    await listener.close()
    assert not path.exists()
    store.close()


async def post(path: Path, order: str, body: bytes | io.BytesIO) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession("http://relay", connector=aiohttp.UnixConnector(str(path))) as session,
        session.post(order, data=body) as answer,
    ):
        return answer.status, await answer.text()


async def test_only_the_owner_may_open_it(control: tuple[Path, Store]) -> None:
    assert stat.S_IMODE(control[0].stat().st_mode) == 0o600


async def test_an_order_is_carried_out(control: tuple[Path, Store]) -> None:
    path, store = control
    status, _ = await post(path, "/disable", b'{"by": "ann", "channel": "soc", "reason": "noise"}')
    assert status == 200
    assert (await store.healths())["soc"].state is ChannelState.DISABLED
    assert (await store.list_deeds())[0]["who"] == "ann"
    await post(path, "/enable", b'{"by": "ann", "channel": "soc"}')
    assert (await store.healths())["soc"].state is ChannelState.WORKING


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"by": "a", "other": 1}', b'{"by": "\xff"}'])
async def test_bad_orders_are_not_understood(control: tuple[Path, Store], body: bytes) -> None:
    status, text = await post(control[0], "/replay", body)
    assert status == 400
    assert "not understood" in text


async def test_an_unknown_delivery_is_said(control: tuple[Path, Store]) -> None:
    status, text = await post(control[0], "/replay", b'{"by": "a", "deliveries": ["dlv_x"]}')
    assert status == 409
    assert "there is no delivery dlv_x" in text


async def test_an_order_is_bounded(control: tuple[Path, Store]) -> None:
    status, _ = await post(control[0], "/replay", io.BytesIO(b" " * (5 * 1024 * 1024)))
    assert status == 413
