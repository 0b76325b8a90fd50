"""TLS: what is accepted, what is refused with which words, and what is shared."""

import datetime
import ssl
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from relay.http import HttpError, Reason, Route
from relay.http.tls import Contexts


class Stopped:
    """A clock that is moved by hand."""

    time = 0.0

    def monotonic(self):
        return self.time


async def hello(request):
    certificate = request.transport.get_extra_info("peercert")
    return web.Response(text="hello" if not certificate else "hello, friend")


async def refused(http, url, route):
    with pytest.raises(HttpError) as caught:
        await http.send("GET", url + "/secret", route=route, timeout=5)
    assert caught.value.reason is Reason.TLS
    assert "/secret" not in str(caught.value)
    return str(caught.value)


async def test_its_own_authority_is_enough(http, serve, authority, ca_file):
    url = await serve(hello, authority.issue_cert("127.0.0.1"))
    answer = await http.send("GET", url, route=Route(ca_file=ca_file, allow_private=True), timeout=5)
    assert answer.text() == "hello"


async def test_an_unknown_authority(http, serve, authority):
    url = await serve(hello, authority.issue_cert("127.0.0.1"))
    assert "set ca_file" in await refused(http, url, Route(allow_private=True))


async def test_verify_off_takes_any_certificate(http, serve, authority, ca_file):
    url = await serve(hello, authority.issue_cert("other.example"))
    for route in (
        Route(verify=False, allow_private=True),
        Route(verify=False, ca_file=ca_file, allow_private=True),
    ):
        assert (await http.send("GET", url, route=route, timeout=5)).status == 200


async def test_an_expired_certificate(http, serve, authority, ca_file):
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
    url = await serve(hello, authority.issue_cert("127.0.0.1", not_after=past))
    assert "has expired" in await refused(http, url, Route(ca_file=ca_file, allow_private=True))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_for_another_name(http, serve, authority, ca_file, host):
    url = await serve(hello, authority.issue_cert("other.example"), host=host)
    assert "another host name" in await refused(http, url, Route(ca_file=ca_file, allow_private=True))


async def test_plain_http_behind_https(http, serve):
    url = (await serve(hello)).replace("http:", "https:")
    assert "does not speak TLS" in await refused(http, url, Route(allow_private=True))


@pytest.fixture
def pair(authority: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    leaf = authority.issue_cert("relay@example.com")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    leaf.cert_chain_pems[0].write_to_path(str(certificate))
    leaf.private_key_pem.write_to_path(str(key))
    return certificate, key


async def test_client_certificate(http, serve, authority, ca_file, pair):
    url = await serve(hello, authority.issue_cert("127.0.0.1"), clients=authority)
    route = Route(ca_file=ca_file, client_cert=pair[0], client_key=pair[1], allow_private=True)
    assert (await http.send("GET", url, route=route, timeout=5)).text() == "hello, friend"
    with pytest.raises(HttpError, match="client certificate"):
        await http.send("GET", url, route=Route(ca_file=ca_file, allow_private=True), timeout=5)


async def test_files_that_cannot_be_used(http, tmp_path, ca_file, pair):
    empty, locked = tmp_path / "empty.pem", tmp_path / "locked.key"
    empty.touch()
    key = load_pem_private_key(pair[1].read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    )
    missing = tmp_path / "missing.pem"
    for route, word in (
        (Route(ca_file=missing), "missing.pem: cannot be read"),
        (Route(ca_file=tmp_path), "cannot be read"),
        (Route(ca_file=empty), "empty.pem: holds no certificates"),
        (Route(client_cert=pair[0], client_key=empty), "check client_cert"),
        (Route(client_cert=pair[0], client_key=locked), "check client_cert"),
        (Route(client_cert=pair[0]), "no client_key"),
        (Route(client_cert=ca_file, client_key=pair[1]), "check client_cert"),
    ):
        assert word in await refused(http, "https://127.0.0.1:1", route)


def test_contexts_are_shared_by_content(tmp_path, authority):
    contexts, files = Contexts(Stopped()), [tmp_path / name for name in ("a", "b")]
    for file in files:
        authority.cert_pem.write_to_path(str(file))
    one, two = (contexts.of(Route(ca_file=file)) for file in files)
    assert one is two
    assert isinstance(one, ssl.SSLContext)
    assert one.cert_store_stats()["x509"] == 1, "the system's authorities are not trusted as well"
    assert contexts.of(Route()) is True
    assert contexts.of(Route(ca_file=files[0], verify=False)) is False


def test_a_client_certificate_leaves_the_system_s_authorities_in_place(pair, ca_file, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    monkeypatch.setenv("SSL_CERT_DIR", str(ca_file.parent / "none"))
    context = Contexts(Stopped()).of(Route(client_cert=pair[0], client_key=pair[1]))
    assert isinstance(context, ssl.SSLContext)
    assert context.cert_store_stats()["x509"] == 1


def test_a_renewed_file_is_noticed(tmp_path, authority):
    clock, file = Stopped(), tmp_path / "ca.pem"
    contexts, route = Contexts(clock), Route(ca_file=file)
    authority.cert_pem.write_to_path(str(file))
    before = contexts.of(route)
    trustme.CA().cert_pem.write_to_path(str(file))
    clock.time = 9.9
    assert contexts.of(route) is before
    clock.time = 10
    after = contexts.of(route)
    assert after is not before
    assert contexts.of(route) is after
