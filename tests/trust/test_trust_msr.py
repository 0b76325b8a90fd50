"""Trust data read through the client, from the real server behind a real front."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from relay.http import Http, Route
from relay.model.clock import SystemClock
from relay.msr import BadAnswer, Msr, NoAccess, Replica, TooLong
from relay.msr.tokens import MOST_KEPT, Token, Tokens
from relay.trust import GoneError, State, examine
from tests.real.msr import Msr as RealMsr
from tests.support.clock import ManualClock

from .stored import records

REPOSITORY = "prod/app"
MIB = 2**20
BY_HASH = re.compile(r"GET /v2/\S+/_trust/tuf/(\w+)\.([0-9a-f]{64})\.json")

MakeClient = Callable[..., Msr]


@pytest.fixture
async def client(msr: RealMsr) -> AsyncIterator[MakeClient]:
    http = Http(SystemClock())

    def make(user: str = "admin") -> Msr:
        return Msr(
            "prod",
            [Replica("r1", msr.url)],
            msr.url,
            registry_host=msr.host,
            username=user,
            password=SecretStr(msr.users[user].password),
            http=http,
            route=Route(ca_file=msr.pki.ca_file, allow_private=True),
            clock=SystemClock(),
        )

    yield make
    await http.close()


class Files:
    """A source that reads through a client."""

    def __init__(self, msr: Msr, gun: str) -> None:
        self._msr, self._gun = msr, gun

    async def file(self, role: str, digest: str, most: int) -> bytes:
        return self._there(role, await self._msr.trust_file(self._gun, role, sha256=digest, most=most))

    async def root(self, version: int, most: int) -> bytes:
        return self._there("root", await self._msr.trust_file(self._gun, "root", version=version, most=most))

    def _there(self, role: str, raw: bytes | None) -> bytes:
        if raw is None:
            raise GoneError(role)
        return raw


def tuf_requests(msr: RealMsr) -> list[str]:
    return [line for line in msr.replicas[0].requests.items if "/_trust/tuf/" in line]


@pytest.mark.real("notary")
async def test_nothing_is_written_however_often_expired_data_is_examined(
    msr: RealMsr, client: MakeClient
) -> None:
    gun = msr.gun(REPOSITORY)
    msr.sign(REPOSITORY, "1.0")
    found = records(msr, gun)
    msr.notary.expire_timestamp(gun)
    feed = msr.notary.sql("SELECT * FROM changefeed ORDER BY id")
    rows = msr.notary.sql("SELECT count(*) FROM tuf_files")
    # What the row of the newest one holds has been aged; the one before is as it was signed.
    asker = client()
    msr.replicas[0].requests.clear()
    before: State | None = None
    for _ in range(3):
        before = (await examine(Files(asker, gun), found[0], None, gun=gun)).state
        assert await asker.newest_root(gun, MIB) is not None
        assert (await examine(Files(asker, gun), found[0], before, gun=gun)).requests == 0
    assert msr.notary.sql("SELECT * FROM changefeed ORDER BY id") == feed
    assert msr.notary.sql("SELECT count(*) FROM tuf_files") == rows
    asked = tuf_requests(msr)
    assert len(asked) == 15
    assert [line for line in asked if not BY_HASH.fullmatch(line) and not line.endswith("/root.json")] == []

    # The same read as any client makes it does write: the test can fail.
    msr.client.run("list", gun)
    assert len(msr.notary.sql("SELECT * FROM changefeed")) == len(feed) + 1
    renewed = await examine(Files(asker, gun), records(msr, gun)[-1], before, gun=gun)
    assert renewed.state.expires["timestamp"] > before.expires["timestamp"]  # type: ignore[union-attr]


@pytest.mark.real("notary")
async def test_what_is_there_and_what_is_not(msr: RealMsr, client: MakeClient) -> None:
    gun = msr.gun(REPOSITORY)
    msr.sign(REPOSITORY)
    asker = client()
    root = await asker.newest_root(gun, MIB)
    assert root is not None
    assert await asker.trust_file(gun, "root", version=1, most=len(root)) == root
    with pytest.raises(TooLong, match=r"1\.root is longer than 100 bytes"):
        await asker.trust_file(gun, "root", version=1, most=100)
    assert await asker.trust_file(gun, "root", version=7, most=MIB) is None
    assert await asker.trust_file(gun, "targets/alice", sha256="0" * 64, most=MIB) is None
    assert await asker.newest_root(msr.gun("prod/other"), MIB) is None
    msr.delete(REPOSITORY)
    assert await asker.newest_root(gun, MIB) is None
    assert await asker.trust_file(gun, "root", version=1, most=10) is None


@pytest.mark.real("notary")
@pytest.mark.parametrize("gun", ["app", "prod/app", "ha:ll:o/x"])
async def test_names_as_they_were_signed(msr: RealMsr, client: MakeClient, gun: str) -> None:
    msr.client.sign(gun, "1.0")
    [digest] = records(msr, gun)[-1:]
    found = await examine(Files(client(), gun), digest, None, gun=gun)
    assert set(found.state.tags["targets"]) == {"1.0"}
    assert await client().newest_root(gun, MIB) is not None


@pytest.mark.parametrize(
    "asked",
    [
        {"role": "timestamp"},
        {"role": "snapshot"},
        {"role": "root"},
        {"role": "timestamp", "sha256": ""},
        {"role": "timestamp", "sha256": "x"},
        {"role": "timestamp", "sha256": "A" * 64},
        {"role": "timestamp", "sha256": "0" * 64, "version": 1},
        {"role": "timestamp", "version": 0},
        {"role": "timestamp.json?", "version": 1},
        {"role": "../timestamp", "version": 1},
        {"role": "targets/../timestamp", "version": 1},
        {"role": "", "version": 1},
    ],
)
async def test_no_plain_timestamp_can_be_asked_for(asked: dict[str, Any]) -> None:
    clock = ManualClock()
    http = Http(clock)
    nowhere = Msr(
        "prod",
        [],
        "http://127.0.0.1:9",
        registry_host="x",
        username="u",
        password=SecretStr("p"),
        http=http,
        route=Route(),
        clock=clock,
    )
    with pytest.raises(ValueError, match=r"no role|neither"):
        await nowhere.trust_file("prod/app", **asked, most=1)
    await http.close()


@pytest.mark.real("notary")
async def test_refusals(msr: RealMsr, client: MakeClient) -> None:
    gun = msr.gun(REPOSITORY)
    msr.sign(REPOSITORY)
    msr.add_user("reader", "secret", REPOSITORY)
    msr.add_user("other", "secret", "prod/other")
    assert await client("reader").newest_root(gun, MIB) is not None
    with pytest.raises(NoAccess, match="may not read the trust data of prod/app"):
        # Shorter than what the refusal says.
        await client("other").trust_file(gun, "root", version=1, most=1)

    # A token that is refused before its time is renewed, once.
    asker = client()
    await asker.newest_root(gun, MIB)
    refused = iter([True])

    def refuse(request: web.Request) -> web.Response | None:
        return web.Response(status=401) if "/tuf/" in request.path and next(refused, False) else None

    msr.replicas[0].interrupt = refuse
    msr.replicas[0].requests.clear()
    assert await asker.newest_root(gun, MIB) is not None
    assert [line.split("?")[0].rpartition("/")[2] for line in msr.replicas[0].requests.items] == [
        "root.json",
        "token",
        "root.json",
    ]


@pytest.mark.real("notary")
async def test_a_404_that_is_not_notarys_says_nothing(msr: RealMsr, client: MakeClient) -> None:
    gun = msr.gun(REPOSITORY)
    msr.replicas[0].interrupt = lambda request: (
        web.Response(status=404, text="<html>") if "/tuf/" in request.path else None
    )
    with pytest.raises(BadAnswer, match="no such page"):
        await client().newest_root(gun, MIB)


async def test_tokens_are_forgotten() -> None:
    clock = ManualClock()
    fetched: list[str] = []

    async def fetch(scope: str) -> Token:
        fetched.append(scope)
        return Token(scope, 60)

    tokens = Tokens(fetch, clock)
    for number in range(3 * MOST_KEPT):
        await tokens.get("registry:catalog:*")
        await tokens.get(f"repository:{number}:pull")
    # That of the changefeed, used all the time, was never pushed out.
    assert fetched.count("registry:catalog:*") == 1
    assert len(tokens) == MOST_KEPT
    await clock.advance(61)
    await tokens.get("repository:0:pull")
    assert len(tokens) == 1
