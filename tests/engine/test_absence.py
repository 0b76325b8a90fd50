"""The relay's own absence: noticed, kept until told, told once, whenever the process dies."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from relay.engine.absence import SCOPE, Absence, Missed, Presence, Tick, slept, stopped
from relay.engine.draft import Rules
from relay.engine.intake import Intake, Setting
from relay.engine.policy import Policy
from relay.model.errors import StoreError
from relay.model.event import Event
from relay.model.observation import Look, Report, Watch
from relay.store import Filter, Store
from tests.engine.things import at, deletion, report, router
from tests.support.clock import ManualClock, settle

HOUR = 3600.0
LIMIT = timedelta(minutes=5)
FEED = Watch("prod", "changefeed")
_ROUNDS = 6
"""More reads than are made one after the other when an absence is told."""


class Dead(BaseException):
    """The process dies here."""


class Process:
    """One life of a relay, as far as its presence goes, on a store that outlives it."""

    def __init__(self, folder: Path, clock: ManualClock, *, dies_at: str = "") -> None:
        self.store = Store(f"sqlite:///{folder / 'relay.db'}")
        self.clock = clock
        self.dies_at = dies_at
        self.limit: timedelta | None = LIMIT
        self.looks = [Look(FEED, ("all",))]
        self.failed: list[StoreError] = []
        self.intake = Intake(self.store, Setting(Policy(), Rules(router()), {}), lambda _: None)
        self.presence = Presence(
            self.store, clock, self._take, lambda: self.looks, lambda: self.limit, self.failed.append
        )
        self._chores: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.intake.start(self.clock.now())
        await self.presence.start()
        self._chores = [asyncio.create_task(self.presence.beat()), asyncio.create_task(self.presence.tell())]

    async def _take(self, seen: Report) -> None:
        if self.dies_at == "before telling":
            raise Dead
        await self.intake.take(seen)
        if self.dies_at == "after telling":
            raise Dead

    def look(self, **unread: str) -> None:
        """All watchers look; the store may be read meanwhile."""
        self.looks = [
            replace(each, began=self.clock.monotonic(), at=self.clock.now(), unread=unread)
            for each in self.looks
        ]

    async def pass_(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, in steps; after each one the store gets to answer what it was asked."""
        for _ in range(round(seconds / step)):
            await self.clock.advance(step)
            for _ in range(_ROUNDS):
                await self.store.last_beat()
                await settle()
            await self.store.probe(self.clock.now())
            await settle()

    async def told(self) -> list[Event]:
        listed = await self.store.list_events(Filter(type="relay.resumed"))
        return [event for _, _, event in reversed(listed)]

    async def die(self) -> None:
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self.store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


async def alive_once(folder: Path) -> datetime:
    """A first life; the time of its only sign of life."""
    clock = ManualClock()
    first = Process(folder, clock)
    await first.start()
    first.look()
    await first.pass_(2)
    assert await first.told() == [], "a first start tells nothing"
    await first.die()
    return clock.now() - timedelta(seconds=2)


def after(beat: datetime, seconds: float) -> ManualClock:
    return ManualClock(beat + timedelta(seconds=seconds))


async def test_an_absence_is_told_once_every_watcher_has_looked(folder: Path) -> None:
    beat = await alive_once(folder)
    process = Process(folder, after(beat, HOUR))
    await process.start()
    await process.pass_(5)
    assert await process.told() == [], "nobody has looked yet"
    process.look()
    await process.pass_(2)
    (told,) = await process.told()
    assert told.details["seconds"] == HOUR
    assert (told.details["why"], told.details["total"], told.details["unread"]) == ("not running", 0, [])
    assert told.cluster is None
    await process.die()
    again = Process(folder, after(beat, HOUR + 60))
    await again.start()
    again.look()
    await again.pass_(5)
    assert len(await again.told()) == 1
    assert await again.store.cursor(SCOPE) == ""
    await again.die()
    third = Process(folder, after(beat, 3 * HOUR))
    await third.start()
    third.look()
    await third.pass_(5)
    _, later = await third.told()
    assert later.details["seconds"] == 2 * HOUR - 60, "what was told before is no part of it"
    await third.die()


@pytest.mark.parametrize("seconds", [60, 299, -HOUR])
async def test_a_short_one_is_not_told(folder: Path, seconds: float) -> None:
    process = Process(folder, after(await alive_once(folder), seconds))
    await process.start()
    process.look()
    await process.pass_(5)
    assert await process.told() == []
    await process.die()


async def test_it_can_be_off(folder: Path) -> None:
    process = Process(folder, after(await alive_once(folder), HOUR))
    process.limit = None
    await process.start()
    process.look()
    await process.pass_(5)
    assert await process.told() == []
    await process.die()


async def test_what_it_caught_up_on_is_counted_and_the_gravest_comes_first(folder: Path) -> None:
    beat = await alive_once(folder)
    process = Process(folder, after(beat, HOUR))
    await process.start()
    meanwhile = beat + timedelta(minutes=10)
    facts = [replace(deletion(f"prod/app-{n}", str(n)), happened_at=meanwhile) for n in range(7)]
    facts += [
        replace(deletion("prod/x", f"u{n}"), type="trust.updated", happened_at=meanwhile) for n in range(600)
    ]
    facts.append(replace(deletion("prod/before", "b"), happened_at=beat - timedelta(seconds=1)))
    facts.append(replace(deletion("prod/after", "a"), happened_at=beat + timedelta(seconds=HOUR + 1)))
    seen = replace(report(watcher="changefeed", sources=("all",), facts=facts), at=process.clock.now())
    await process.intake.take(seen)
    process.look()
    await process.pass_(3)
    (told,) = await process.told()
    assert told.details["counts"] == {"trust.deleted": 7, "trust.updated": 600}
    assert told.details["total"] == 607
    assert [each["type"] for each in told.details["first"]] == ["trust.deleted"] * 5
    await process.die()


async def test_what_cannot_be_read_is_waited_for_and_then_named(folder: Path) -> None:
    process = Process(folder, after(await alive_once(folder), HOUR))
    await process.start()
    process.look(all="refused")
    await process.pass_(290, step=10)
    assert await process.told() == [], "a failed look has seen nothing"
    await process.pass_(20, step=5)
    (told,) = await process.told()
    assert told.details["unread"] == ["prod/changefeed"]
    await process.die()


@pytest.mark.parametrize("step", ["noted", "before telling", "after telling"])
async def test_whenever_it_dies_it_is_told_once(folder: Path, step: str) -> None:
    beat = await alive_once(folder)
    process = Process(folder, after(beat, HOUR), dies_at=step)
    await process.start()
    if step != "noted":
        process.look()
        await process.pass_(2)
    await process.die()
    again = Process(folder, after(beat, HOUR + 30))
    await again.start()
    again.look()
    await again.pass_(3)
    (told,) = await again.told()
    assert datetime.fromisoformat(told.details["since"]) == beat
    assert told.details["seconds"] == HOUR
    await again.die()


async def test_a_second_absence_before_the_first_is_told_is_told_with_it(folder: Path) -> None:
    beat = await alive_once(folder)
    process = Process(folder, after(beat, HOUR))
    await process.start()
    seen = replace(
        report(watcher="changefeed", facts=[replace(deletion(), happened_at=beat)]), at=process.clock.now()
    )
    await process.intake.take(seen)
    await process.die()
    again = Process(folder, after(beat, 3 * HOUR))
    await again.start()
    again.look()
    await again.pass_(3)
    (told,) = await again.told()
    assert told.details["seconds"] == 3 * HOUR
    assert told.details["total"] == 1, "seen by the process between the two"
    await again.die()


async def test_sleep_while_running_is_told_too(folder: Path) -> None:
    process = Process(folder, ManualClock())
    await process.start()
    await process.pass_(65, step=5)
    before = process.clock.now()
    process.clock.jump(2 * HOUR)
    await process.pass_(60, step=5)
    process.look()
    await process.pass_(2)
    (told,) = await process.told()
    assert told.details["why"] == "asleep"
    assert datetime.fromisoformat(told.details["since"]) <= before
    assert 2 * HOUR <= told.details["seconds"] <= 2 * HOUR + 61
    await process.pass_(200, step=20)
    assert len(await process.told()) == 1
    await process.die()


async def test_finding_out_whether_the_store_works_wipes_out_no_evidence(folder: Path) -> None:
    beat = await alive_once(folder)
    store = Store(f"sqlite:///{folder / 'relay.db'}")
    await store.probe(beat + timedelta(seconds=HOUR))
    assert await store.last_beat() == beat
    store.close()


async def test_what_cannot_be_read_of_an_absence_stops_nobody(folder: Path) -> None:
    beat = await alive_once(folder)
    process = Process(folder, after(beat, HOUR))
    await process.start()
    assert Absence.read(await process.store.cursor(SCOPE)) is not None
    assert Absence.read("nonsense") is None
    await process.die()


class TestPure:
    BEFORE = Tick(at(0), 100.0)

    def after(self, wall: float, monotonic: float) -> Tick:
        return Tick(at(wall), 100.0 + monotonic)

    @pytest.mark.parametrize(
        ("wall", "monotonic", "busy", "asleep"),
        [
            (60, 60, 0, False),
            (HOUR, 60, 0, True),
            (HOUR, HOUR, 0, True),
            (-HOUR, HOUR, 0, True),
            (-HOUR, 60, 0, False),
            (HOUR, HOUR, HOUR - 60, False),
            (359, 359, 0, False),
        ],
    )
    def test_who_slept(self, wall: float, monotonic: float, busy: float, asleep: bool) -> None:
        found = slept(self.BEFORE, self.after(wall, monotonic), busy, LIMIT)
        assert (found is not None) == asleep
        assert slept(self.BEFORE, self.after(wall, monotonic), busy, None) is None
        if found is not None:
            assert found.until - found.since >= timedelta(seconds=max(wall, monotonic))

    def test_who_was_stopped(self) -> None:
        assert stopped(None, at(0), LIMIT) is None
        assert stopped(at(0), at(300), LIMIT) is None
        found = stopped(at(0), at(301), LIMIT)
        assert found == Absence(at(0), at(301), at(301), ("not running",))
        assert Absence.read(found.write()) == found

    def test_both_kinds_are_named(self) -> None:
        one, two = stopped(at(0), at(400), LIMIT), slept(self.BEFORE, self.after(HOUR, HOUR), 0, LIMIT)
        assert one is not None
        assert two is not None
        assert one.joined(two).why == ("not running", "asleep")
        assert one.joined(one).why == ("not running",)
        assert Missed(at(0), at(1)).counts.total() == 0
