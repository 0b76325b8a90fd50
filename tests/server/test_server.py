"""Health for probes, and the control socket: who may open it, and what it says to bad orders."""

import asyncio
import io
import random
import resource
import stat
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from relay.engine.operate import Operator
from relay.model.delivery import ChannelState
from relay.server import Listener, control_app, listening
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


async def connect(port: int, said: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    return reader, writer


async def gone(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side closes; tell whether it said nothing more before."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("said", [b"", b"GET /healthz HT"])
async def test_a_connection_that_does_not_ask_is_closed(said: bytes) -> None:
    listener = Listener(health_app(dict), idle=0.01)
    reader, writer = await connect(await listener.on_tcp("127.0.0.1:0"), said)
    assert await gone(reader)
    writer.close()
    await listener.close()


async def test_one_that_asks_no_more_is_closed_and_one_that_is_answered_is_not() -> None:
    go_on = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await go_on.wait()
        await response.write(b" last")
        return response

    app = health_app(dict)
    app.add_routes([web.get("/stream", stream)])
    listener = Listener(app, idle=0.01)
    port = await listener.on_tcp("127.0.0.1:0")
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/stream") as answer:
        assert await answer.content.readany() == b"first"
        reader, writer = await connect(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"}")
        assert await gone(reader)
        go_on.set()
        assert await answer.text() == " last"
    writer.close()
    await listener.close()


async def test_too_many_connections_are_closed_and_there_is_room_again() -> None:
    listener = Listener(health_app(dict), most=2)
    port = await listener.on_tcp("127.0.0.1:0")
    silent, asking = await connect(port), await connect(port)
    surplus = await connect(port)
    assert await gone(surplus[0])
    for _ in range(2):
        asking[1].write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await asking[0].readuntil(b"}")
    silent[1].write(b"GET /healthz HTTP/1.0\r\n\r\n")
    # Closed by the listener, as HTTP/1.0 has it: there is room for another one.
    assert b"200 OK" in await silent[0].read()
    reader, writer = await connect(port, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert b"200 OK" in await reader.read()
    await listener.close()
    for each in (silent[1], asking[1], surplus[1], writer):
        each.close()


@pytest.mark.parametrize(
    ("files", "most"), [(256, 128), (1024, 512), (1_000_000, 2000), (resource.RLIM_INFINITY, 2000)]
)
def test_half_of_the_files_are_left(monkeypatch: pytest.MonkeyPatch, files: int, most: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (files, files))
    assert listening._bound() == most


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
