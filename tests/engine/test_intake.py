"""Intake on a real store: what is committed, what is known afterwards, and what a failure leaves."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from relay.engine.draft import Rules
from relay.engine.intake import Intake, Setting
from relay.engine.policy import Policy
from relay.model.delivery import DeliveryState
from relay.model.errors import StoreError
from relay.model.event import Subject, SubjectKind
from relay.model.observation import CursorMove, Report, Watch
from relay.store import CursorMovedError, Filter, Store
from tests.engine.things import at, condition, deletion, failure, issue, report, router, rule

WATCHED = {
    Watch("prod", "ping"): ("r1", "r2"),
    Watch("prod", "nginx_status"): ("r1", "r2"),
    Watch("prod", "cluster_status"): ("r1", "r2"),
    Watch("prod", "changefeed"): ("all",),
}
SETTING = Setting(Policy(), Rules(router(rule(channels=["a", "b"]))), WATCHED)


class Door:
    """An intake and what it woke."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        self.woken: list[str] = []
        self.intake = Intake(self.store, SETTING, self.woken.extend)

    async def types(self) -> list[tuple[str, str]]:
        listed = await self.store.list_events(Filter())
        return [(event.type, event.status.value) for _, _, event in reversed(listed)]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'relay.db'}"


@pytest.fixture
async def door(url: str) -> AsyncIterator[Door]:
    made = Door(url)
    await made.intake.start(at(0))
    yield made
    made.store.close()


async def test_events_deliveries_and_cursor_become_true_together(door: Door) -> None:
    await door.intake.take(report(facts=[deletion()], cursor=CursorMove("feed", None, "1")))
    assert await door.types() == [("trust.deleted", "event")]
    assert {each.channel for each in await door.store.list_deliveries(Filter())} == {"a", "b"}
    assert await door.store.cursor("feed") == "1"
    assert sorted(door.woken) == ["a", "b"]


async def test_the_same_page_again_tells_nothing(door: Door) -> None:
    page = report(facts=[deletion()])
    await door.intake.take(page)
    await door.intake.take(page)
    assert len(await door.store.list_deliveries(Filter())) == 2


async def test_changed_rules_do_not_tell_old_facts_anew(door: Door) -> None:
    await door.intake.take(report(facts=[deletion()]))
    await door.intake.change(Setting(Policy(), Rules(router(rule(channels=["c"]))), WATCHED), at(1))
    await door.intake.take(report(facts=[deletion()]))
    assert {each.channel for each in await door.store.list_deliveries(Filter())} == {"a", "b"}


async def test_a_cursor_that_somebody_moved_keeps_everything_back(door: Door) -> None:
    await door.intake.take(report(cursor=CursorMove("feed", None, "1")))
    with pytest.raises(CursorMovedError):
        await door.intake.take(
            report(1, condition(), facts=[deletion()], cursor=CursorMove("feed", "0", "2"))
        )
    assert await door.types() == []
    assert not door.intake.alerts, "what is known is a copy of what the store has"
    await door.intake.take(report(2, condition(), facts=[deletion()], cursor=CursorMove("feed", "1", "2")))
    assert len(await door.types()) == 2


async def test_alerts_go_on_after_a_restart(door: Door, url: str) -> None:
    await door.intake.take(report(0, condition()))
    door.store.close()
    again = Door(url)
    await again.intake.start(at(60))
    await again.intake.take(report(60, condition()))
    assert await again.types() == [("ping.failing", "firing")]
    await again.intake.take(report(70))
    assert await again.types() == [("ping.failing", "firing"), ("ping.failing", "resolved")]
    again.store.close()
    door.store = Store(url)


async def test_an_outage_goes_on_after_a_restart(door: Door, url: str) -> None:
    for seconds in (0, 10, 20):
        await door.intake.take(report(seconds, watcher="nginx_status", failures=[failure("r1")]))
    door.store.close()
    again = Door(url)
    await again.intake.start(at(60))
    await again.intake.take(report(60, watcher="cluster_status"))
    assert await again.types() == [("watch.failing", "firing")]
    await again.intake.take(report(70, watcher="nginx_status"))
    assert (await again.types())[-1] == ("watch.failing", "resolved")
    again.store.close()
    door.store = Store(url)


class TestNoLongerWatched:
    async def change(self, door: Door, *gone: Watch, **sources: tuple[str, ...]) -> None:
        watched = {watch: found for watch, found in WATCHED.items() if watch not in gone}
        watched.update({Watch("prod", name): found for name, found in sources.items()})
        await door.intake.change(Setting(SETTING.policy, SETTING.rules, watched), at(60))

    async def test_a_watcher_that_was_turned_off(self, door: Door) -> None:
        await door.intake.take(report(0, condition()))
        await door.intake.take(report(0, issue(), watcher="cluster_status"))
        await self.change(door, Watch("prod", "ping"))
        assert (await door.types())[2:] == [("ping.failing", "resolved")]
        ended = (await door.store.list_events(Filter(limit=1)))[0][2]
        assert ended.details["ended_because"] == "no longer watched"

    async def test_a_replica_that_was_taken_out(self, door: Door) -> None:
        await door.intake.take(report(0, condition("r1"), condition("r2")))
        await self.change(door, ping=("r2",))
        assert [alert.source for alert in door.intake.alerts] == ["r2"]

    async def test_a_whole_cluster(self, door: Door) -> None:
        await door.intake.take(report(0, condition()))
        for seconds in (0, 10, 20):
            await door.intake.take(report(seconds, watcher="nginx_status", failures=[failure("r1")]))
        await self.change(door, *WATCHED)
        assert not door.intake.alerts
        assert sorted(await door.types())[1::2] == [
            ("ping.failing", "resolved"),
            ("watch.failing", "resolved"),
        ]

    async def test_what_of_an_outage_is_no_longer_looked_at(self, door: Door) -> None:
        for seconds in (0, 10, 20):
            await door.intake.take(report(seconds, watcher="nginx_status", failures=[failure("r1")]))
        await self.change(door, Watch("prod", "nginx_status"))
        await door.intake.take(report(70))
        assert (await door.types())[-1] == ("watch.failing", "resolved")

    async def test_the_relays_own_alerts_stay(self, door: Door) -> None:
        own = report(0, condition("a"), sources=("a",), cluster=None, watcher="channels")
        await door.intake.take(own)
        await self.change(door, *WATCHED)
        assert len(door.intake.alerts) == 1

    async def test_trouble_of_a_channel_that_is_gone(self, door: Door) -> None:
        own = report(0, condition("a"), condition("b"), sources=("a", "b"), cluster=None, watcher="channels")
        await door.intake.take(own)
        await door.intake.change(Setting(Policy(), Rules(router(channels=["b"])), WATCHED), at(60))
        assert [alert.source for alert in door.intake.alerts] == ["b"]


async def test_a_store_that_fails_changes_nothing(door: Door, tmp_path: Path) -> None:
    await door.intake.take(report(0, condition()))
    blocker = sqlite3.connect(tmp_path / "relay.db", isolation_level=None)
    blocker.execute("PRAGMA busy_timeout=0")
    blocker.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'disk full'); END")
    with pytest.raises(StoreError, match="disk full"):
        await door.intake.take(report(10))
    assert len(door.intake.alerts) == 1
    blocker.execute("DROP TRIGGER full")
    blocker.close()
    await door.intake.take(report(20))
    assert await door.types() == [("ping.failing", "firing"), ("ping.failing", "resolved")]


async def test_a_caller_that_is_cancelled_does_not_part_store_and_memory(door: Door) -> None:
    taking = asyncio.create_task(door.intake.take(report(0, condition())))
    await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await door.intake.take(report(10, condition()))
    assert await door.types() == [("ping.failing", "firing")]
    assert len(door.intake.alerts) == len(await door.store.open_alerts()) == 1


async def test_what_was_held_back_is_sent_when_it_is_let_go(door: Door) -> None:
    def down(seconds: float, *up: str) -> Report:
        names = [name for name in ("r1", "r2") if name not in up]
        failures = [failure(name, dark=True, covered=True) for name in names]
        return report(seconds, *(condition(name, looks=3) for name in names), failures=failures)

    for seconds in (0, 10, 20):
        await door.intake.take(down(seconds))
    counts = await door.store.count_deliveries()
    assert counts == {DeliveryState.PENDING: 2, DeliveryState.INHIBITED: 4}
    door.woken.clear()
    await door.intake.take(down(30, "r1"))
    counts = await door.store.count_deliveries()
    # Of r1 nothing is told any more; what is to be told of r2 is due, and looked at by the woken channels.
    assert counts == {DeliveryState.PENDING: 4, DeliveryState.INHIBITED: 2, DeliveryState.SUPERSEDED: 2}
    assert sorted(set(door.woken)) == ["a", "b"]
    due = await door.store.due("a", at(30), 10, ())
    assert [
        claim.events[0].subject.name for claim in due if claim.delivery.state is DeliveryState.INHIBITED
    ] == ["r2"]


async def test_a_last_failure_of_a_channel_that_was_just_removed_leaves_no_alert(door: Door) -> None:
    """A reload waits for what is under way, after intake has the new configuration: nobody would end it."""
    subject = Subject(SubjectKind.CHANNEL, "gone")
    trouble = replace(
        condition("gone"), type="channel.failing", details={"channel": "gone"}, subject=subject, source="gone"
    )
    await door.intake.take(report(1, trouble, watcher="channels", cluster=None, sources=["gone"]))
    assert await door.store.open_alerts() == []
