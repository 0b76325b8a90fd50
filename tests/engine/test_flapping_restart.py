"""A restart at any moment changes nothing of what is told of a condition that comes and goes."""

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.engine.draft import Rules
from relay.engine.intake import Intake, Setting
from relay.engine.policy import Damping, Flap, Policy
from relay.model.errors import StoreError
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition, Report, Watch
from relay.store import Filter, Store
from tests.engine.things import at, condition, failure, report, router, rule

WATCHED = {Watch("prod", "ping"): ("r1", "r2")}
# Pending lives in the midst, a settling to either side, and a failed look.
TIMELINE = "XX.XX.X.XX..X" + "X" * 10 + ".XX.X.XX?.X?." + "." * 11 + "XX.XX"
TOLD = "FRFR~FRFR~RFRF"


POLICY = Policy({"ping.failing": Damping(timedelta(seconds=45), flap=Flap(3))})
SETTING = Setting(POLICY, Rules(router(rule(channels=["a"]))), WATCHED)


def looks() -> Iterator[Report]:
    for minute, letter in enumerate(TIMELINE):
        shown = [condition()] if letter == "X" else []
        failures = [failure("r1", covered=True)] if letter == "?" else []
        yield report(60 * minute, *shown, failures=failures)


async def play(store: Store, restarts: Collection[int], setting: Setting = SETTING) -> list[Any]:
    """Return everything that the store holds after the timeline; restarts come before the numbered looks."""
    intake = Intake(store, setting, lambda _: None)
    await intake.start(at(0))
    for number, look in enumerate(looks()):
        if number in restarts:
            intake = Intake(store, setting, lambda _: None)
            await intake.start(look.at)
        await intake.take(look)
    everything = Filter(limit=1000)
    events = [event for _, _, event in await store.list_events(everything)]
    return [events, await store.list_alerts(everything), await store.list_deliveries(everything)]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Iterator[Store]]:
    opened: list[Store] = []

    def fresh() -> Iterator[Store]:
        while True:
            opened.append(Store(f"sqlite:///{tmp_path / f'{len(opened)}.db'}"))
            yield opened[-1]

    yield fresh()
    for store in opened:
        store.close()


async def test_a_restart_before_any_look_changes_nothing(stores: Iterator[Store]) -> None:
    without = await play(next(stores), ())
    told = ["~" if event.flapping else event.status.value[0].upper() for event in without[0]]
    assert "".join(reversed(told)) == TOLD
    for number in range(len(TIMELINE)):
        assert await play(next(stores), [number]) == without, f"restarted before look {number}"
    assert await play(next(stores), range(len(TIMELINE))) == without


async def test_what_could_not_be_committed_did_not_happen(stores: Iterator[Store], tmp_path: Path) -> None:
    without = await play(next(stores), ())
    store = next(stores)
    intake = Intake(store, SETTING, lambda _: None)
    await intake.start(at(0))
    blocker = sqlite3.connect(tmp_path / "1.db", isolation_level=None)
    for look in looks():
        blocker.execute(
            "CREATE TRIGGER full BEFORE INSERT ON alerts BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        before = list(intake.alerts)
        try:
            await intake.take(look)
        except StoreError:
            assert list(intake.alerts) == before
        blocker.execute("DROP TRIGGER full")
        await intake.take(look)
    blocker.close()
    assert [event for _, _, event in await store.list_events(Filter(limit=1000))] == without[0]


async def test_a_longer_window_of_another_type_brings_back_no_past_that_is_over(
    stores: Iterator[Store],
) -> None:
    """The store then gives alerts too that ended before the last settling."""
    long = Damping(flap=Flap(within=timedelta(days=1)))
    setting = replace(SETTING, policy=Policy({**POLICY.damping, "cluster.issue": long}))
    without = await play(next(stores), ())
    assert await play(next(stores), range(len(TIMELINE)), setting) == without


async def test_a_channel_that_works_again_is_told_though_nobody_looks(stores: Iterator[Store]) -> None:
    store = next(stores)
    intake = Intake(store, Setting(Policy(), Rules(router(rule(channels=["b"]))), {}), lambda _: None)
    await intake.start(at(0))
    subject = Subject(SubjectKind.CHANNEL, "a")
    trouble: Condition = replace(
        condition("a"), type="channel.failing", details={"channel": "a"}, subject=subject
    )
    for minute in range(8):
        shown = [trouble] if minute % 2 == 0 else []
        await intake.take(report(60 * minute, *shown, watcher="channels", cluster=None, sources=["a"]))
    (before,) = intake.alerts
    assert before.flapping
    await intake.pass_time(at(60 * 16))
    assert list(intake.alerts) == [before]
    await intake.pass_time(at(60 * 17))
    assert not intake.alerts
    (last,) = (event for _, _, event in await store.list_events(Filter(limit=1)))
    assert (last.status, last.ends_at) == ("resolved", at(60 * 7))
    assert await store.open_alerts() == []
