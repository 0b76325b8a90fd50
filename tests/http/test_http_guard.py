"""The guard against private addresses."""

import pytest
from aiohttp import web

from relay.http import HttpError, Reason, Route
from relay.http.guard import is_private


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "224.0.0.1",
        "239.255.255.250", "240.0.0.1", "255.255.255.255", "198.18.0.1", "203.0.113.1",
        "::", "::1", "::1%lo", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "2002:a9fe:a9fe::1",
    ],
)  # fmt: skip
def test_private(address):
    assert is_private(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "9.255.255.255", "172.32.0.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
)
def test_public(address):
    assert not is_private(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
async def test_nothing_connects_to_this_machine_unless_allowed(http, serve, host):
    asked = []

    async def handler(request):
        asked.append(request.path)
        return web.Response()

    url = await serve(handler)
    with pytest.raises(HttpError, match="allow_private: true") as caught:
        await http.send("GET", url.replace("127.0.0.1", host) + "/secret", route=Route(), timeout=5)
    assert caught.value.reason is Reason.BLOCKED
    assert asked == []


async def test_an_allowed_connection_is_not_lent_to_a_guarded_request(http, serve):
    async def handler(request):
        return web.Response()

    url = await serve(handler)
    await http.send("GET", url, route=Route(allow_private=True), timeout=5)
    with pytest.raises(HttpError):
        await http.send("GET", url, route=Route(), timeout=5)
