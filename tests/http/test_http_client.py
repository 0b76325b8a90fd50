"""The one way out, against real servers on loopback."""

import asyncio
import gzip
import json
import traceback

import pytest
from aiohttp import web

import relay
from relay.http import Http, HttpError, Reason, Route

SECRET = "T0000/B0000/XXXXsecretXXXX"


async def test_sends_what_it_was_given_and_says_who_it_is(http, lan, serve):
    seen = {}

    async def handler(request):
        seen.update(request.headers, method=request.method, path=request.path_qs, body=await request.read())
        return web.Response(status=418, text="tea", headers={"X-Kind": "pot"})

    url = await serve(handler)
    answer = await http.send(
        "POST", f"{url}/a?b=c", route=lan, headers={"X-Mine": "1"}, body=b"in", timeout=5
    )
    assert (answer.status, answer.text(), answer.cut, answer.headers["x-kind"]) == (418, "tea", False, "pot")
    assert (seen["method"], seen["path"], seen["body"], seen["X-Mine"]) == ("POST", "/a?b=c", b"in", "1")
    assert seen["User-Agent"] == f"msr-relay/{relay.__version__}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(http, lan, serve, status):
    paths = []

    async def handler(request):
        paths.append((request.method, request.path))
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    answer = await http.send("POST", await serve(handler) + "/here", route=lan, body=b"x", timeout=5)
    assert (answer.status, paths) == (status, [("POST", "/here")])


async def test_an_answer_of_5_mb_is_cut_and_its_connection_not_used_again(http, lan, serve):
    peers = set()

    async def handler(request):
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(body=b"x" * 5_000_000)

    url = await serve(handler)
    for _ in range(2):
        answer = await http.send("GET", url, route=lan, timeout=5, max_bytes=1000)
        assert (answer.body, answer.cut) == (b"x" * 1000, True)
    assert len(peers) == 2


async def test_a_whole_answer_may_not_exceed_the_bound(http, lan, serve):
    async def handler(request):
        return web.Response(body=b"x" * 1001)

    url = await serve(handler)
    with pytest.raises(HttpError, match="longer than 1000 bytes") as caught:
        await http.send("GET", url, route=lan, timeout=5, max_bytes=1000, whole=True)
    assert caught.value.reason is Reason.TOO_LARGE
    answer = await http.send("GET", url, route=lan, timeout=5, max_bytes=1001, whole=True)
    assert len(answer.body) == 1001


async def test_a_decompression_bomb_stays_packed(http, lan, serve):
    packed = gzip.compress(b"0" * 10_000_000)
    asked = []

    async def handler(request):
        asked.append(request.headers["Accept-Encoding"])
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    url = await serve(handler)
    answer = await http.send("GET", url, route=lan, timeout=5)
    assert (answer.body, asked) == (packed, ["identity"])
    with pytest.raises(HttpError, match="compressed") as caught:
        await http.send("GET", url, route=lan, timeout=5, whole=True)
    assert caught.value.reason is Reason.INVALID


async def test_a_slow_drip_ends_at_the_timeout(http, lan, converse):
    gone = asyncio.Event()

    async def drip(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    port = await converse(drip)
    with pytest.raises(HttpError, match=r"within 0\.2 s") as caught:
        await http.send("GET", f"http://127.0.0.1:{port}/", route=lan, timeout=0.2)
    assert caught.value.reason is Reason.TIMEOUT
    await gone.wait()


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "DELETE"])
async def test_a_kept_connection_that_drops_sends_nothing_twice(http, lan, converse, method):
    bodies = []

    async def drop_second(reader, writer):
        for answer in (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""):
            await reader.readuntil(b"\r\n\r\n")
            bodies.append(await reader.readexactly(2))
            writer.write(answer)

    url = f"http://127.0.0.1:{await converse(drop_second)}/"
    await http.send(method, url, route=lan, body=b"1.", timeout=5)
    with pytest.raises(HttpError, match="connection broke") as caught:
        await http.send(method, url, route=lan, body=b"2.", timeout=5)
    assert caught.value.reason is Reason.DROPPED
    assert bodies == [b"1.", b"2."]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Reason.INVALID),
        (b"\x00\xff\xfe" * 100, Reason.INVALID),
        (b"HTTP/1.1 two hundred\r\n\r\n", Reason.INVALID),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", Reason.INVALID),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n", Reason.INVALID),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", Reason.INVALID),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.", Reason.DROPPED),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Reason.INVALID),
        (b"", Reason.DROPPED),
    ],
)
async def test_garbage_ends_as_an_error(http, lan, converse, said, reason):
    async def say(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()

    port = await converse(say)
    with pytest.raises(HttpError) as caught:
        await http.send("GET", f"http://127.0.0.1:{port}/", route=lan, timeout=5)
    assert caught.value.reason is reason


async def test_a_closed_port_says_so(http, lan, unused_tcp_port):
    with pytest.raises(
        HttpError, match=r"^http://127.0.0.1:\d+: cannot connect \(connection refused\)"
    ) as caught:
        await http.send("GET", f"http://127.0.0.1:{unused_tcp_port}/", route=lan, timeout=5)
    assert caught.value.reason is Reason.CONNECT


async def test_an_unknown_name_says_so(http):
    with pytest.raises(HttpError, match="does not resolve") as caught:
        await http.send("GET", "http://msr.invalid/", route=Route(), timeout=20)
    assert caught.value.reason is Reason.DNS


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        ("GET", "", {}),
        ("GET", "/etc/passwd", {}),
        ("GET", "file:///etc/passwd", {}),
        ("GET", "http://", {}),
        ("GET", "http://host:port/", {}),
        ("GET", "http://host:99999/", {}),
        ("GET", "http://[::1/", {}),
        ("GET", "http://127.1/", {}),
        ("GET", f"http://{'a' * 70}.example/", {}),
        ("G\r\nET", "http://127.0.0.1/", {}),
        ("GET", "http://user:pass@127.0.0.1/", {"Authorization": "Bearer x"}),
    ],
)
async def test_an_impossible_request_is_refused(http, lan, method, url, headers):
    with pytest.raises(HttpError) as caught:
        await http.send(method, url, route=lan, headers=headers, timeout=5)
    assert caught.value.reason in {Reason.INVALID, Reason.DNS}


async def test_a_header_cannot_smuggle_another(http, lan, serve):
    asked = []

    async def handler(request):
        asked.append(request.path)
        return web.Response()

    with pytest.raises(HttpError) as caught:
        await http.send("GET", await serve(handler), route=lan, headers={"X": "a\r\nY: b"}, timeout=5)
    assert caught.value.reason is Reason.INVALID
    assert asked == []


async def test_cookies_are_not_kept(http, lan, serve):
    sent = []

    async def handler(request):
        sent.append(dict(request.cookies))
        return web.Response(headers={"Set-Cookie": "a=b; Path=/"})

    url = (await serve(handler)).replace("127.0.0.1", "localhost")
    for _ in range(2):
        await http.send("GET", url, route=lan, timeout=5)
    assert sent == [{}, {}]


async def test_pools_share_no_connections(http, lan, serve):
    peers = []

    async def handler(request):
        peers.append(request.transport.get_extra_info("peername"))
        return web.Response()

    url = await serve(handler)
    for pool in ("a", "a", "b"):
        await http.send("GET", url, route=lan, timeout=5, pool=pool)
    assert peers[0] == peers[1] != peers[2]


async def test_the_caller_can_give_up(http, lan, converse):
    heard = asyncio.Event()

    async def silent(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        heard.set()
        await reader.read()

    port = await converse(silent)
    task = asyncio.create_task(http.send("GET", f"http://127.0.0.1:{port}/", route=lan, timeout=60))
    await heard.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_json_is_what_it_is_whatever_it_is_called(http, lan, serve):
    async def handler(request):
        return web.Response(body=await request.read(), content_type="text/plain")

    async def parsed(body):
        return (await http.send("POST", url, route=lan, body=body, timeout=5)).json()

    url = await serve(handler)
    assert await parsed(json.dumps({"a": [1]}).encode()) == {"a": [1]}
    for bad in (b"", b"<html>", b"\xff\xfe\x00", b"[" * 60_000, b"9" * 5000):
        with pytest.raises(ValueError):
            await parsed(bad)
    cut = await http.send("POST", url, route=lan, body=b"[1, 2]", timeout=5, max_bytes=3)
    with pytest.raises(ValueError, match="cut off"):
        cut.json()


class TestSecrets:
    """No error's text, and no traceback, holds a path, a query, a user or a password."""

    async def failures(self, http: Http, lan: Route, converse, dead_port: int):
        async def hang_up(reader, writer):
            await reader.readuntil(b"\r\n\r\n")

        async def garbage(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"nonsense\r\n\r\n")

        async def silent(reader, writer):
            await reader.read()

        async def location(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + b"x" * 90000)

        for conversation in (hang_up, garbage, silent, location):
            port = await converse(conversation)
            yield f"http://user:{SECRET[-8:]}@127.0.0.1:{port}/services/{SECRET}?token={SECRET}", lan
        tail = f"services/{SECRET}?t={SECRET}"
        yield f"http://127.0.0.1:{dead_port}/{tail}", lan
        yield f"http://127.0.0.1:{dead_port}/{tail}", Route()
        yield f"https://msr.invalid/{tail}", Route()
        yield f"gopher://host/{tail}", Route()
        yield f"http://host:port/{tail}", Route()
        yield f"http://{SECRET[-4:]}@127.1/{tail}", lan

    async def test_stay_out_of_every_error(self, http, lan, converse, unused_tcp_port):
        count = 0
        async for url, route in self.failures(http, lan, converse, unused_tcp_port):
            with pytest.raises(HttpError) as caught:
                await http.send("GET", url, route=route, timeout=0.5, max_bytes=1000, whole=True)
            shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
            assert caught.value.__context__ is None
            assert "secret" not in shown.replace("test_http_client.py", ""), url
            count += 1
        assert count == 10
