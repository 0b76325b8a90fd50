"""Posted alerts in intake: what becomes of them when the configuration changes, and what covers them."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.engine.draft import Rules
from relay.engine.inhibition import Inhibitions, InhibitRule
from relay.engine.intake import Intake, Setting
from relay.engine.policy import Policy
from relay.hooks import read
from relay.model.delivery import DeliveryState
from relay.model.observation import Report, Watch
from relay.store import Filter, Store
from tests.engine.things import router, rule
from tests.hooks.posts import ALERTS, NOW, alert, body, group

COVERS = InhibitRule.model_validate(
    {
        "source": {"type": "alertmanager.alert", "labels": {"alertname": "ClusterDown"}},
        "target": {"type": "alertmanager.alert", "labels": {"alertname": "DiskFull"}},
    }
)


def setting(*hooks: Watch, inhibit: Sequence[InhibitRule] = ()) -> Setting:
    return Setting(Policy(), Rules(router(rule()), Inhibitions(inhibit)), {}, hooks=hooks)


def posted(*alerts: Any, at: float = 0) -> Report:
    return read(ALERTS, body(group(*alerts)), NOW + timedelta(seconds=at))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(f"sqlite:///{tmp_path / 'relay.db'}")
    yield made
    made.close()


async def started(store: Store, given: Setting) -> Intake:
    intake = Intake(store, given, lambda _names: None)
    await intake.start(NOW)
    return intake


def ends(intake: Intake) -> list[str]:
    return sorted(each.details["name"] for each in intake.alerts)


async def test_they_stay_as_long_as_their_hook_is_there(store: Store) -> None:
    intake = await started(store, setting(ALERTS.watch))
    await intake.take(posted(alert()))
    await intake.change(setting(ALERTS.watch, Watch("prod", "hooks/other")), NOW)
    assert ends(intake) == ["DiskFull"]
    again = await started(store, setting(ALERTS.watch))
    assert ends(again) == ["DiskFull"]
    await again.change(setting(Watch("prod", "hooks/other")), NOW)
    assert ends(again) == []
    (latest, *_) = [event for _, _, event in await store.list_events(Filter())]
    assert (latest.status, latest.details["ended_because"]) == ("resolved", "no longer watched")


async def test_one_that_comes_while_its_hook_is_removed_would_never_end(store: Store) -> None:
    intake = await started(store, setting())
    await intake.take(posted(alert()))
    assert ends(intake) == []
    assert await store.list_events(Filter()) == []


async def test_what_a_larger_one_covered_is_let_go_when_that_is_over(store: Store) -> None:
    intake = await started(store, setting(ALERTS.watch, inhibit=[COVERS]))
    await intake.take(posted(alert("ClusterDown")))
    await intake.take(posted(alert("DiskFull"), at=1))
    states = {each.state for each in await store.list_deliveries(Filter())}
    assert states == {DeliveryState.PENDING, DeliveryState.INHIBITED}
    await intake.take(posted(alert("ClusterDown", "resolved"), at=2))
    (left,) = intake.alerts
    assert (left.details["name"], left.inhibited) == ("DiskFull", False)
