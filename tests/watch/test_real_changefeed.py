"""The changefeed watcher against the real notary server, the real PostgreSQL and the real client."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from relay.http import Http, Route
from relay.model.clock import SystemClock
from relay.msr import Msr, Replica
from relay.watch import WATCHERS, Place, Watcher
from tests.real.fixtures import MakeMsr
from tests.real.msr import Msr as RealMsr

from .things import NothingKept, Taker

pytestmark = pytest.mark.real("notary")


class Real:
    def __init__(self, msr: RealMsr, http: Http) -> None:
        self.msr, self.taker = msr, Taker()
        self._client = Msr(
            "prod",
            [Replica("r1", msr.url)],
            msr.url,
            registry_host=msr.host,
            username=msr.admin.name,
            password=SecretStr(msr.admin.password),
            http=http,
            route=Route(ca_file=Path(msr.pki.ca_file), allow_private=True),
            clock=SystemClock(),
        )

    def watcher(self, **options) -> Watcher:
        model, made = WATCHERS["changefeed"]
        place = Place("prod", self._client, SystemClock(), self.taker.read_cursor, NothingKept())
        return made(place, model.model_validate(options))

    async def look(self, watcher: Watcher, times: int = 1) -> None:
        for _ in range(times):
            async for report in watcher.look():
                await self.taker.take(report)


@pytest.fixture
async def real(make_msr: MakeMsr) -> AsyncIterator[Real]:
    msr = await asyncio.to_thread(make_msr)
    http = Http(SystemClock())
    yield Real(msr, http)
    await http.close()
    await asyncio.to_thread(msr.close)


async def test_signing_deleting_and_initialising_again(real: Real) -> None:
    await asyncio.to_thread(real.msr.sign, "prod/old")
    watcher = real.watcher()
    await real.look(watcher)
    await asyncio.to_thread(real.msr.sign, "prod/app")
    await asyncio.to_thread(real.msr.delete, "prod/app")
    await asyncio.to_thread(real.msr.sign, "prod/app")
    await real.look(watcher)
    await real.look(real.watcher(page=2), 2)
    assert real.taker.told() == [*["updated prod/app"] * 2, "deleted prod/app", *["updated prod/app"] * 2]
    assert [event.details["version"] for event in real.taker.events] == [1, 2, 0, 1, 2]


@pytest.mark.parametrize("size", [3, 1000])
async def test_a_slow_transaction(real: Real, size: int) -> None:
    notary, gun = real.msr.notary, real.msr.gun("prod/app")
    watcher = real.watcher(page=size)
    notary.add_record(gun, "update", version=1)
    await real.look(watcher)
    notary.skip_ids(1)
    ids = [notary.add_record(gun, "update", version=number) for number in range(2, 9)]
    await real.look(watcher, 2)
    notary.add_record(real.msr.gun("prod/late"), record_id=int(ids[0]) - 1)
    await real.look(real.watcher(page=size), 2)
    assert real.taker.told().count("deleted prod/late") == 1
    assert real.taker.told().count("updated prod/app") == 7


async def test_rebuilt_tables(real: Real) -> None:
    notary = real.msr.notary
    watcher = real.watcher(page=2)
    for number in range(3):
        notary.add_record(real.msr.gun("prod/old"), "update", version=number + 1)
    await real.look(watcher)
    for _ in range(3):
        notary.add_record(real.msr.gun("prod/app"))
    await real.look(watcher)
    notary.rebuild_feed()
    for _ in range(5):
        notary.add_record(real.msr.gun("prod/new"))
    await real.look(watcher, 5)
    assert real.taker.told() == [*["deleted prod/app"] * 3, *["deleted prod/new"] * 5]
    assert [state for _, state in real.taker.statuses("changefeed.reset")] == ["firing", "resolved"]


@pytest.mark.parametrize("index", [0, 2])
async def test_starts(real: Real, index: int) -> None:
    notary = real.msr.notary
    names = [f"prod/{number}" for number in range(4)]
    ids = [notary.add_record(real.msr.gun(name)) for name in names]
    await real.look(real.watcher(start={"id": ids[index]}, page=2), 2)
    assert real.taker.told() == [f"deleted {name}" for name in names[index + 1 :]]
    real.taker = Taker()
    times = notary.sql("SELECT created_at FROM changefeed ORDER BY id")
    start = {"time": f"{times[index][0].isoformat()}Z"}
    await real.look(real.watcher(start=start, page=2), 2)
    assert real.taker.told() == [f"deleted {name}" for name in names[index:]]
