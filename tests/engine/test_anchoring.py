"""Anchoring: the head of the evidence is told at each time of the schedule, exactly once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.engine.anchoring import Anchorer, Anchoring
from relay.engine.draft import Rules
from relay.engine.evidence import Verifier
from relay.engine.intake import Intake, Setting
from relay.engine.policy import Policy
from relay.engine.schedule import Schedule
from relay.engine.signing import Key
from relay.model.errors import StoreError
from relay.model.event import Event, Subject, SubjectKind
from relay.model.evidence import Entry, Head, Kind
from relay.model.observation import Fact, Report, Watch
from relay.store import Filter, Store, Stretch
from tests.engine.things import router, rule
from tests.support.clock import ManualClock, settle

PATIENCE = 20
MORNING = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)
KEY = Key("whsk_" + "A" * 43 + "=")
Take = Callable[[Report], Any]


class Bench:
    """A store with an intake, and anchorers."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = ManualClock(MORNING)
        self.failed: list[StoreError] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.records = 0
        rules = router(rule("everything", channels=["a", "b"]), channels=["a", "b"])
        self.intake = Intake(store, Setting(Policy(), Rules(rules), {}), lambda _: None)

    def run(self, take: Take | None = None, text: str = "0 6 * * *") -> None:
        anchoring = Anchoring("b", Schedule(text, "UTC"), KEY)
        anchorer = Anchorer(anchoring, self.store, self.clock, take or self.intake.take, self.failed.append)
        self.tasks.append(asyncio.create_task(anchorer.run()))

    async def end(self) -> None:
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def asleep(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await settle()
            while self.clock.sleepers < len(self.tasks):
                await asyncio.sleep(0.001)

    async def pass_(self, seconds: float, step: float = 60) -> None:
        for _ in range(round(seconds / step)):
            await self.clock.advance(step)
            await self.asleep()

    async def record(self) -> None:
        self.records += 1
        subject = Subject(SubjectKind.REPOSITORY, "prod/app")
        fact = Fact("trust.deleted", (str(self.records),), subject, "gone", self.clock.now())
        await self.intake.take(Report(Watch("prod", "changefeed"), self.clock.now(), (), facts=(fact,)))

    async def anchors(self) -> list[Entry]:
        found: list[Entry] = []

        def take(page: Sequence[Entry]) -> bool:
            found.extend(page)
            return True

        await self.store.walk_evidence(Stretch(kind=Kind.ANCHOR), take)
        return found

    async def told(self) -> list[Event]:
        listed = await self.store.list_events(Filter(type="evidence.anchored", limit=100))
        return [event for _, _, event in reversed(listed)]

    async def holds(self) -> int:
        """Verify the chain with the key; return how many signatures are good."""
        verifier = Verifier([KEY.public])
        verdict = verifier.finish(await self.store.walk_evidence(Stretch(), verifier.take))
        assert verdict.broken is None
        return verdict.signatures


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
    made = Bench(store)
    yield made
    await made.end()
    store.close()
    assert made.failed == []


async def test_the_head_is_told_at_its_time_to_its_channel_and_noted_in_the_chain(bench: Bench) -> None:
    await bench.record()
    await bench.record()
    head = await bench.store.evidence_head()
    bench.run()
    await bench.asleep()
    await bench.pass_(3540)
    assert await bench.told() == []
    await bench.pass_(120)
    (told,) = await bench.told()
    assert (told.details["seq"], told.details["hash"]) == (head.seq, head.hash) == (2, head.hash)
    deliveries = await bench.store.list_deliveries(Filter())
    assert [each.channel for each in deliveries if told.id in each.events] == ["b"]
    (anchor,) = await bench.anchors()
    assert (anchor.seq, anchor.subject, anchor.content) == (3, "b", {"seq": 2, "hash": head.hash})
    assert anchor.signature == told.details["signature"]
    assert await bench.holds() == 1
    await bench.pass_(86_400, step=600)
    # What wakes within a step reads the store while the clock goes on to its end: it may come a step later.
    await bench.pass_(1200)
    assert [each.details["seq"] for each in await bench.told()] == [2, 3]
    assert await bench.holds() == 2


async def test_while_there_is_no_evidence_nothing_is_told(bench: Bench) -> None:
    bench.run()
    await bench.asleep()
    await bench.pass_(3 * 86_400, step=3600)
    assert await bench.told() == []
    assert await bench.store.evidence_head() == Head()
    await bench.record()
    await bench.pass_(86_400, step=3600)
    assert [each.details["seq"] for each in await bench.told()] == [1]


async def test_after_a_downtime_it_is_told_once(bench: Bench) -> None:
    await bench.record()
    bench.run()
    await bench.asleep()
    await bench.end()
    bench.clock.jump(5 * 86_400)
    for _ in range(2):
        bench.run()
        await bench.asleep()
        await bench.end()
    (told,) = await bench.told()
    assert told.happened_at == MORNING + timedelta(days=4, hours=1)
    assert len(await bench.anchors()) == 1


@pytest.mark.parametrize("dies", ["before", "after"])
async def test_whenever_it_dies_it_is_told_once(bench: Bench, dies: str) -> None:
    await bench.record()
    bench.run()
    await bench.asleep()
    await bench.end()

    async def take(seen: Report) -> None:
        if dies == "after":
            await bench.intake.take(seen)
        raise asyncio.CancelledError

    bench.clock.jump(3600)
    bench.run(take)
    await asyncio.gather(*bench.tasks, return_exceptions=True)
    await bench.end()
    assert len(await bench.anchors()) == (dies == "after")
    bench.run()
    await bench.asleep()
    assert len(await bench.told()) == len(await bench.anchors()) == 1


async def test_the_one_before_a_reload_and_the_one_after_tell_it_once(bench: Bench) -> None:
    await bench.record()
    bench.run()
    bench.run()
    await bench.asleep()
    await bench.pass_(3660)
    assert len(await bench.told()) == len(await bench.anchors()) == 1


@pytest.mark.parametrize("times", [1, 4])
async def test_what_is_recorded_meanwhile_is_covered_too(bench: Bench, times: int) -> None:
    """An entry that came between the look at the head and the commit would make the anchor a lie."""
    await bench.record()
    left = times

    async def take(seen: Report) -> None:
        nonlocal left
        if seen.facts and left:
            left -= 1
            await bench.record()
        await bench.intake.take(seen)

    bench.run(take)
    await bench.asleep()
    await bench.pass_(3600)
    await bench.pass_(10, step=1)
    assert left == 0
    (told,) = await bench.told()
    assert told.details["seq"] == 1 + times
    assert len(await bench.anchors()) == 1
    assert await bench.holds() == 1
