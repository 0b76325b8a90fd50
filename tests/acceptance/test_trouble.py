"""Receivers, templates and the store in trouble: what goes out, when, and what is told about it elsewhere."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from relay.model.delivery import ChannelHealth, ChannelState
from tests.acceptance.imitated import Cluster
from tests.acceptance.in_process import Running, running
from tests.acceptance.told import Told, told, webhook
from tests.real.fixtures import MakeReceiver
from tests.real.webhooks import Answer, Receiver


@pytest.fixture
def soc(make_receiver: MakeReceiver) -> Receiver:
    """The receiver that has trouble."""
    return make_receiver()


@pytest.fixture
def other(make_receiver: MakeReceiver) -> Receiver:
    """The receiver that has none."""
    return make_receiver()


@pytest.fixture
def settings(cluster: Cluster, soc: Receiver, other: Receiver) -> dict[str, Any]:
    channels = [webhook(soc, "soc", concurrency=1), webhook(other, "other")]
    return {"clusters": [cluster.settings(watch={"changefeed": {"every": "1s", "start": "beginning"}})]} | {
        "channels": channels
    }


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "relay.db")) as connection:
        return connection.execute(query).fetchall()


def came(receiver: Receiver, type_name: str, status: str | None = None) -> Callable[[], list[Told]]:
    """A condition: a message of this type and status has come in."""

    def found() -> list[Told]:
        return [e for e in told(receiver) if e.type == type_name and status in (None, e.status)]

    return found


def statuses(receiver: Receiver, type_name: str) -> list[str]:
    return [each.status for each in told(receiver) if each.type == type_name]


async def _everything_came(relay: Running, receiver: Receiver, names: set[str], step: float = 0.5) -> None:
    def all_of_it() -> bool:
        return {each.name for each in came(receiver, "trust.deleted")()} >= names

    await relay.until(all_of_it, "everything has come", within=1200 * step, step=step)


async def test_a_receiver_that_was_down_gets_everything(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver, other: Receiver
) -> None:
    soc.stop()
    names = {f"prod/app-{number}" for number in range(4)}
    cluster.delete(*sorted(names))
    async with running(tmp_path, settings) as relay:
        [failing] = await relay.until(came(other, "channel.failing", "firing"), "the trouble is told")
        assert failing.name == "soc"
        assert failing.data["details"]["state"] == "failing"
        await relay.advance(1200, step=30)
        soc.start()
        await _everything_came(relay, soc, names, step=15)
        [resolved] = await relay.until(came(other, "channel.failing", "resolved"), "its end is told")
        assert resolved.data["id"] == failing.data["id"]
    assert statuses(other, "channel.failing") == ["firing", "resolved"]
    deleted = came(soc, "trust.deleted")()
    assert len({each.delivery for each in deleted}) == len(deleted) == 4
    assert not came(soc, "channel.failing")(), "a channel in trouble cannot tell of itself"


async def test_refused_credentials_hold_the_channel(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver, other: Receiver
) -> None:
    soc.default = Answer(status=401)
    names = {f"prod/app-{number}" for number in range(4)}
    cluster.delete(*sorted(names))
    async with running(tmp_path, settings) as relay:
        [failing] = await relay.until(came(other, "channel.failing", "firing"), "the refusal is told")
        assert failing.data["details"]["state"] == "held"
        await relay.advance(3600, step=30)
        assert len(soc.requests) <= 10, "a refused account is asked rarely"
        states = rows(tmp_path, "SELECT DISTINCT state FROM deliveries WHERE channel = 'soc'")
        assert states == [("pending",)]
        soc.default = Answer()
        probed = len(soc.requests)
        await relay.until(lambda: len(soc.requests) > probed, "it is probed", within=1900, step=30)
        await _everything_came(relay, soc, names)
        await relay.until(came(other, "channel.failing", "resolved"), "its end is told")
    assert statuses(other, "channel.failing") == ["firing", "resolved"]


async def test_a_receiver_that_is_gone_disables_the_channel(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver, other: Receiver
) -> None:
    soc.default = Answer(status=410)
    cluster.delete("prod/one", "prod/two")
    async with running(tmp_path, settings) as relay:
        [disabled] = await relay.until(came(other, "channel.disabled"), "it is told")
        assert (disabled.status, disabled.name) == ("firing", "soc")
        await relay.advance(7200, step=60)
        assert len(soc.requests) == 1
    assert rows(tmp_path, "SELECT state FROM deliveries WHERE channel = 'soc'") == [("pending",)] * 2
    async with running(tmp_path, settings, relay.clock) as again:
        await again.advance(120)
        assert len(soc.requests) == 1, "a restart does not enable it"
        await again.app._operator().enable("soc", "a test")
        soc.default = Answer()
        await _everything_came(again, soc, {"prod/one", "prod/two"})
        await again.until(came(other, "channel.disabled", "resolved"), "its end is told")


async def test_retry_after_is_obeyed_in_full(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver
) -> None:
    soc.script(Answer(status=429, headers={"Retry-After": "600"}))
    cluster.delete("prod/one", "prod/two")
    async with running(tmp_path, settings) as relay:
        await relay.until(lambda: len(soc.requests), "the first attempt")
        await relay.breathe()
        await relay.advance(598, step=2)
        assert len(soc.requests) == 1, "neither this message nor another before its time"
        await _everything_came(relay, soc, {"prod/one", "prod/two"})
    first, *rest = told(soc)
    assert first.delivery in {each.delivery for each in rest}


async def test_a_message_that_is_refused_for_good_is_told_elsewhere(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver, other: Receiver
) -> None:
    soc.script(Answer(status=400, body=b"no such field"))
    cluster.delete("prod/one", "prod/two")
    async with running(tmp_path, settings) as relay:
        [dead] = await relay.until(came(other, "delivery.dead"), "the refusal is told")
        await relay.until(lambda: len(came(soc, "trust.deleted")()) == 2, "the next one goes out")
        await relay.advance(600, step=30)
    lost = told(soc)[0]
    assert dead.data["details"]["delivery"] == lost.delivery
    assert lost.name in dead.data["details"]["about"]
    assert [each.delivery for each in told(soc)].count(lost.delivery) == 1
    assert not came(soc, "delivery.dead")()
    [state] = rows(tmp_path, f"SELECT state FROM deliveries WHERE id = '{lost.delivery}'")
    assert state == ("dead",)


async def test_a_broken_template_costs_the_form_but_not_the_message(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver, other: Receiver
) -> None:
    own = tmp_path / "templates"
    (own / "webhook").mkdir(parents=True)
    template = own / "webhook" / "trust.deleted.json.j2"
    template.write_text("{{ event.no_such_thing.at_all }}")
    cluster.delete("prod/app")
    async with running(tmp_path, {**settings, "templates": str(own)}) as relay:
        [plain] = await relay.until(came(soc, "trust.deleted"), "the message comes all the same")
        assert plain.name == "prod/app"
        assert "prod/app" in plain.data["title"]
        assert "the built-in form" in plain.data["text"]
        [failing] = await relay.until(came(other, "template.failing", "firing"), "the template is told")
        assert failing.name == "webhook/trust.deleted"
        assert "no_such_thing" in failing.data["details"]["error"]
        template.write_text('{"type": "trust.deleted", "data": {{ payload.data | tojson }}, "mine": true}')
        relay.app.reloading.set()
        cluster.delete("prod/mended")
        await relay.until(came(other, "template.failing", "resolved"), "its end is told")
    assert statuses(other, "template.failing") == ["firing", "resolved"]


async def test_a_template_that_breaks_again_after_a_restart_is_in_trouble_again(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver
) -> None:
    """Its alert was still open, though the template had worked meanwhile."""
    template = tmp_path / "templates" / "webhook" / "trust.deleted.json.j2"
    template.parent.mkdir(parents=True)
    broken, good = "{{ event.no_such_thing.at_all }}", "{{ payload | tojson }}"
    settings |= {
        "templates": str(tmp_path / "templates"),
        "alerts": {"template.failing": {"keep_firing_for": "1h"}},
    }

    def works(relay: Running) -> list[bool]:
        alerts = relay.app._intake.alerts
        return [alert.absent_since is not None for alert in alerts if alert.type == "template.failing"]

    template.write_text(broken)
    cluster.delete("prod/first")
    async with running(tmp_path, settings) as relay:
        await relay.until(lambda: works(relay) == [False], "it is in trouble")
        template.write_text(good)
        relay.app.reloading.set()
        cluster.delete("prod/second")
        await relay.until(lambda: works(relay) == [True], "it works, though the alert is kept")
    template.write_text(broken)
    cluster.delete("prod/third")
    async with running(tmp_path, settings, relay.clock) as again:
        await again.until(lambda: works(again) == [False], "it is in trouble again")


async def test_a_store_that_fails_is_told_directly_and_nothing_is_lost(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver, other: Receiver
) -> None:
    store, away = tmp_path / "relay.db", tmp_path / "away.db"
    cluster.delete("prod/before")
    async with running(tmp_path, settings) as relay:
        await relay.until(came(soc, "trust.deleted"), "it works")
        await relay.until(lambda: not _pending(tmp_path), "all outcomes are kept")
        before = _cursors(store)
        store.rename(away)
        cluster.delete("prod/meanwhile")
        for receiver in (soc, other):
            await relay.until(came(receiver, "store.failing", "firing"), "the store is told")
        assert "is gone" in relay.app.health()["store"]
        await relay.advance(120, step=5)
        away.rename(store)
        assert _cursors(store) == before
        for receiver in (soc, other):
            await relay.until(came(receiver, "store.failing", "resolved"), "its end is told")
            await _everything_came(relay, receiver, {"prod/before", "prod/meanwhile"})
        assert relay.app.health() == {}
    for receiver in (soc, other):
        assert statuses(receiver, "store.failing") == ["firing", "resolved"]
        assert len(told(receiver)) == 4


def _pending(folder: Path) -> int:
    return int(rows(folder, "SELECT count(*) FROM deliveries WHERE state = 'pending'")[0][0])


def _cursors(store: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(store)) as connection:
        return connection.execute("SELECT * FROM cursors WHERE scope LIKE 'prod/%'").fetchall()


async def test_a_channel_that_recovered_unnoticed_is_not_in_trouble_for_ever(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver, other: Receiver
) -> None:
    soc.default = Answer(status=401)
    cluster.delete("prod/app")
    async with running(tmp_path, settings) as relay:
        await relay.until(came(other, "channel.failing", "firing"), "the trouble is told")
        # As if killed between noting the recovery and telling it.
        await relay.app._tools.store.save_health(ChannelHealth("soc", ChannelState.WORKING))
    soc.default = Answer()
    async with running(tmp_path, settings, relay.clock) as again:
        await again.until(came(other, "channel.failing", "resolved"), "its end is told")


async def test_trouble_of_a_channel_that_is_removed_ends(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, soc: Receiver, other: Receiver
) -> None:
    soc.default = Answer(status=401)
    cluster.delete("prod/app")
    async with running(tmp_path, settings) as relay:
        await relay.until(came(other, "channel.failing", "firing"), "the trouble is told")
        relay.configure({**settings, "channels": settings["channels"][1:]})
        relay.app.reloading.set()
        await relay.until(came(other, "channel.failing", "resolved"), "its end is told")


async def test_a_rejected_file_that_is_mended_while_the_relay_is_stopped_is_told(
    tmp_path: Path, settings: dict[str, Any], other: Receiver
) -> None:
    async with running(tmp_path, settings) as relay:
        relay.configure({**settings, "channels": [{"kind": "webhok"}]})
        relay.app.reloading.set()
        await relay.until(came(other, "config.rejected", "firing"), "the rejection is told")
    async with running(tmp_path, settings, relay.clock) as again:
        await again.until(came(other, "config.rejected", "resolved"), "its end is told")


async def test_trouble_that_is_kept_firing_for_a_while_ends_though_nothing_more_is_reported(
    tmp_path: Path, settings: dict[str, Any], other: Receiver
) -> None:
    """The relay reports what it sees of itself once: the rest is up to the time."""
    settings["alerts"] = {"config.rejected": {"keep_firing_for": "30s"}}
    async with running(tmp_path, settings) as relay:
        relay.configure({**settings, "channels": [{"kind": "webhok"}]})
        relay.app.reloading.set()
        await relay.until(came(other, "config.rejected", "firing"), "the rejection is told")
        relay.configure(settings)
        relay.app.reloading.set()
        await relay.advance(20)
        assert statuses(other, "config.rejected") == ["firing"]
        await relay.until(came(other, "config.rejected", "resolved"), "its end is told", within=30)
