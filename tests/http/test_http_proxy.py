"""Through a proxy that knows CONNECT."""

import asyncio
import base64

import pytest
from aiohttp import web
from pydantic import SecretStr

from relay.http import HttpError, Reason, Route


async def hello(request):
    return web.Response(text="hello")


class Proxy:
    """Answers CONNECT, whatever the name, by a tunnel to one port."""

    def __init__(self, port: int, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> None:
        self.port, self.answer, self.heads = port, answer, []

    async def __call__(self, reader, writer):
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.answer)
        if b" 200 " not in self.answer:
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


async def test_tls_goes_through_the_tunnel_to_the_name_asked_for(http, serve, converse, authority, ca_file):
    url = await serve(hello, authority.issue_cert("msr.example.com"))
    proxy = Proxy(port_of(url))
    address = SecretStr(f"http://relay:pa%20ss@127.0.0.1:{await converse(proxy)}")
    route = Route(ca_file=ca_file, proxy=address)
    answer = await http.send("GET", "https://msr.example.com/x", route=route, timeout=5)
    assert answer.text() == "hello"
    assert proxy.heads[0].startswith("CONNECT msr.example.com:443 ")
    assert base64.b64encode(b"relay:pa ss").decode() in proxy.heads[0]
    assert "/x" not in proxy.heads[0]


@pytest.mark.parametrize(("status", "words"), [(407, "a user and a password"), (403, "status 403")])
async def test_a_refusing_proxy(http, converse, status, words):
    proxy = Proxy(0, f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
    route = Route(proxy=SecretStr(f"http://relay:hush@127.0.0.1:{await converse(proxy)}"))
    with pytest.raises(HttpError, match=words) as caught:
        await http.send("GET", "https://msr.example.com/", route=route, timeout=5)
    assert caught.value.reason is Reason.PROXY
    assert "hush" not in str(caught.value)


async def test_a_dead_proxy(http, unused_tcp_port):
    route = Route(proxy=SecretStr(f"http://127.0.0.1:{unused_tcp_port}"))
    with pytest.raises(HttpError, match="proxy cannot be reached") as caught:
        await http.send("GET", "https://msr.example.com/", route=route, timeout=5)
    assert caught.value.reason is Reason.PROXY


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "127.0.0.1:3128", "http://[::1", ""])
async def test_an_impossible_proxy(http, proxy):
    with pytest.raises(HttpError, match="of the form http://") as caught:
        await http.send("GET", "https://msr.example.com/", route=Route(proxy=SecretStr(proxy)), timeout=5)
    assert caught.value.reason is Reason.PROXY


async def test_private_addresses_are_not_asked_of_a_proxy(http, converse):
    proxy = Proxy(0)
    route = Route(proxy=SecretStr(f"http://127.0.0.1:{await converse(proxy)}"))
    with pytest.raises(HttpError) as caught:
        await http.send("GET", "https://169.254.169.254/latest", route=route, timeout=5)
    assert caught.value.reason is Reason.BLOCKED
    assert proxy.heads == []
