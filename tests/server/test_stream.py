"""The live stream: in order, from where one was, and nothing lost by who is slow."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from relay.model.plan import Plan
from relay.model.steps import Step
from relay.server import stream as streaming
from relay.server.api import live as listening
from relay.settings import Settings
from relay.store import Store
from tests.server.conftest import EVENT, TOKEN, Site
from tests.store import things

PATH = "/api/v1/stream"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def live(site: Site) -> AsyncIterator[Site]:
    await site.stream.start()
    running = asyncio.create_task(site.stream.run())
    yield site
    await site.stream.close()
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def happen(site: Site, *ids: str, type: str = "trust.deleted") -> None:
    await site.store.commit(Plan(at=things.NOW, events=tuple(things.event(id, type=type) for id in ids)))
    site.stream.step(Step.COMMITTED)
    await site.clock.advance(1)
    # It reads in a thread: what happens next is to come after this.
    await site.stream.wait(await site.store.newest_event() - 1, 10**9)


async def said(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """Return the next word of the stream that is no comment, by field."""
    while True:
        found: dict[str, str] = {}
        while line := (await answer.content.readline()).decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            found[name] = value
        if "event" in found:
            return found


async def events(answer: aiohttp.ClientResponse, count: int) -> list[str]:
    """Return the ids of the next so many events."""
    found: list[str] = []
    while len(found) < count:
        word = await said(answer)
        if word["event"] == "event":
            found.append(json.loads(word["data"])["id"])
    return found


async def in_time(site: Site, answer: aiohttp.ClientResponse, count: int) -> list[str]:
    """Return the ids of the next so many events while time passes: who is behind gets a page at a time."""
    reading = asyncio.create_task(events(answer, count))
    while not reading.done():
        await site.clock.advance(1)
        await asyncio.sleep(0.01)
    return await reading


async def test_what_happens_is_told_in_order(live: Site) -> None:
    async with live.session.get(PATH, headers=HEADERS) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        await happen(live, "evt_1", "evt_2")
        await happen(live, "evt_3")
        assert await events(answer, 3) == ["evt_1", "evt_2", "evt_3"]


async def test_it_begins_now_or_where_one_was(live: Site) -> None:
    await happen(live, "evt_1")
    async with live.session.get(PATH, headers=HEADERS) as answer:
        await happen(live, "evt_2")
        first = await said(answer)
        assert json.loads(first["data"])["id"] == "evt_2"
    await happen(live, "evt_3", "evt_4")
    async with live.session.get(PATH, headers=HEADERS | {"Last-Event-ID": first["id"]}) as answer:
        assert await events(answer, 2) == ["evt_3", "evt_4"]
    async with live.session.get(PATH + "?after=0", headers=HEADERS) as answer:
        assert await in_time(live, answer, 5) == [EVENT, "evt_1", "evt_2", "evt_3", "evt_4"]


async def test_who_was_away_for_long_reads_from_the_store(
    live: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "_PAGE", 3)
    monkeypatch.setattr(live.stream, "_latest", type(live.stream._latest)(maxlen=2))
    names = [f"evt_{number:02}" for number in range(10)]
    await happen(live, *names)
    async with live.session.get(PATH + "?after=1", headers=HEADERS) as answer:
        assert await in_time(live, answer, 10) == names


async def test_types_can_be_chosen(live: Site) -> None:
    async with live.session.get(PATH + "?type=trust.*,!trust.updated", headers=HEADERS) as answer:
        await happen(live, "evt_1", type="cluster.issue")
        await happen(live, "evt_2", type="trust.updated")
        await happen(live, "evt_3")
        assert await events(answer, 1) == ["evt_3"]


async def test_other_changes_are_told_without_what_they_are(live: Site) -> None:
    async with live.session.get(PATH, headers=HEADERS) as answer:
        live.stream.step(Step.SETTLED)
        await live.clock.advance(1)
        assert await said(answer) == {"event": "changed", "data": "{}"}


@pytest.mark.parametrize(
    ("place", "status"), [("-1", 400), ("x", 400), ("9" * 30, 400), ("²", 400), ("7", 200)]
)
async def test_a_place_that_is_none(live: Site, place: str, status: int) -> None:
    async with live.session.get(f"{PATH}?after={place}", headers=HEADERS) as answer:
        assert answer.status == status


async def test_nobody_listens_without_a_token(live: Site) -> None:
    async with live.session.get(PATH) as answer:
        assert (answer.status, answer.content_type) == (401, "application/problem+json")


async def test_it_ends_with_the_relay(live: Site) -> None:
    async with live.session.get(PATH, headers=HEADERS) as answer:
        await live.stream.close()
        assert (await answer.content.read()).startswith(b"retry: ")


async def test_it_goes_on_when_the_store_works_again(live: Site, tmp_path: Path) -> None:
    async with live.session.get(PATH, headers=HEADERS) as answer:
        await live.store.commit(Plan(at=things.NOW, events=(things.event("evt_1"),)))
        live.store.close()
        live.stream.step(Step.COMMITTED)
        await live.clock.advance(1)
        live.stream._store = live.store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
        await live.clock.advance(10)
        assert await events(answer, 1) == ["evt_1"]


async def test_a_place_of_another_store_is_told_and_begins_anew(live: Site) -> None:
    async with live.session.get(PATH, headers=HEADERS | {"Last-Event-ID": "999999"}) as answer:
        assert await said(answer) == {"event": "reset", "data": "{}"}
        await happen(live, "evt_1")
        assert await events(answer, 1) == ["evt_1"]


async def test_only_so_many_may_listen_under_one_name(live: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "MOST_EACH", 1)
    async with live.session.get(PATH, headers=HEADERS), live.session.get(PATH, headers=HEADERS) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (503, "30")


async def test_it_ends_cleanly_for_who_is_no_longer_let_in(live: Site) -> None:
    async with live.session.get(PATH, headers=HEADERS) as answer:
        live.api_token = None
        live.settings = Settings()
        await live.clock.advance(60)
        await happen(live, "evt_1")
        text = (await answer.content.read()).decode()
        assert "HTTP/1.1" not in text
        assert text.startswith("retry: ")
