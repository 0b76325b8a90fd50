"""A relay that was away says so, and heartbeats beat: the whole relay."""

import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.acceptance.conftest import MakeRelay
from tests.acceptance.imitated import Cluster
from tests.acceptance.in_process import running
from tests.acceptance.relay import Relay
from tests.acceptance.told import told, wait_for, webhook
from tests.real.fixtures import MakeReceiver
from tests.real.webhooks import Receiver
from tests.support.clock import ManualClock


def age(relay: Relay, by: timedelta) -> None:
    """Make the last sign of life of a dead relay older."""
    with closing(sqlite3.connect(relay.store)) as connection, connection:
        last = (datetime.now(UTC) - by).isoformat()
        done = connection.execute("UPDATE cursors SET value = ? WHERE scope = 'relay/alive'", (last,))
        assert done.rowcount == 1


def test_a_relay_that_was_dead_for_an_hour_says_so(
    cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    relay = make_relay({"clusters": [cluster.settings()], "channels": [webhook(webhooks, "soc")]})
    cluster.delete("prod/before")
    relay.start()
    wait_for(webhooks, "trust.deleted", name="prod/before")
    relay.signal(signal.SIGKILL)
    assert relay.wait() == -signal.SIGKILL
    age(relay, timedelta(hours=1))
    cluster.delete("prod/one", "prod/two")
    relay.start()
    wait_for(webhooks, "trust.deleted", name="prod/two")
    (resumed,) = wait_for(webhooks, "relay.resumed")
    details = resumed.data["details"]
    assert 3600 <= details["seconds"] < 3600 + 120
    assert details["why"] == "not running"
    assert details["counts"]["trust.deleted"] >= 2
    assert {"Trust data of prod/one was deleted", "Trust data of prod/two was deleted"} <= {
        each["summary"] for each in details["first"]
    }
    assert details["unread"] == []
    assert resumed.data["severity"] == "warning"
    relay.signal(signal.SIGKILL)
    assert relay.wait() == -signal.SIGKILL
    relay.start()
    cluster.delete("prod/after")
    wait_for(webhooks, "trust.deleted", name="prod/after")
    assert relay.stop() == 0
    # It may have been killed before it knew that it was delivered: then the same comes again.
    assert {each.delivery for each in told(webhooks) if each.type == "relay.resumed"} == {resumed.delivery}


async def test_heartbeats_follow_the_configuration(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    soc, other, switch = make_receiver(), make_receiver(), make_receiver()
    settings = {
        # By a clock that the test moves, real answers are slow.
        "clusters": [cluster.settings(watch={"ping": {"every": "5s", "slow_least": "1h"}})],
        "channels": [webhook(soc, "soc"), webhook(other, "other")],
        "heartbeats": [
            {"name": "hc", "url": f"{switch.url}/uuid", "allow_private": True},
            {"name": "hourly", "channel": "soc", "schedule": "0 * * * *"},
        ],
    }
    clock = ManualClock(datetime(2026, 11, 23, 11, 59, 30, tzinfo=UTC))
    async with running(tmp_path, settings, clock) as relay:
        await relay.until(lambda: len(switch.requests) >= 1, "the switch is pinged", step=5)
        await relay.until(lambda: told(soc), "the channel is greeted", step=5)
        (greeted,) = told(soc)
        assert (greeted.type, greeted.name) == ("relay.heartbeat", "hourly")
        assert greeted.data["details"]["scheduled_at"] == "2026-11-23T12:00:00Z"
        assert [each["watcher"] for each in greeted.data["details"]["looks"]] == ["ping"]
        relay.configure({**settings, "heartbeats": settings["heartbeats"][1:]})  # type: ignore[index]
        relay.app.reloading.set()
        await relay.until(lambda: len(relay.app._settings.heartbeats) == 1, "it has reloaded", step=5)
        await relay.advance(5)
        pings = len(switch.requests)
        await relay.advance(3600, step=60)
        await relay.until(lambda: len(told(soc)) == 2, "the next hour is told", step=5)
        assert len(switch.requests) == pings, "what was taken out is not pinged"
    assert told(other) == []


async def test_a_blind_relay_does_not_ping(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    soc, switch = make_receiver(), make_receiver()
    settings = {
        "clusters": [cluster.settings()],
        "channels": [webhook(soc, "soc")],
        "heartbeats": [{"name": "hc", "url": switch.url, "allow_private": True, "every": "10s"}],
    }
    async with running(tmp_path, settings) as relay:
        await relay.until(lambda: len(switch.requests) >= 1, "the switch is pinged")
        blocker = sqlite3.connect(tmp_path / "relay.db", isolation_level=None)
        blocker.execute(
            "CREATE TRIGGER full BEFORE INSERT ON cursors BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        cluster.delete("prod/app")
        await relay.until(lambda: "store" in relay.app.health(), "the store fails", step=1)
        pings = len(switch.requests)
        await relay.advance(60, step=5)
        assert len(switch.requests) <= pings + 1, "one may have been under way"
        blocker.execute("DROP TRIGGER full")
        blocker.close()
        await relay.until(lambda: not relay.app.health(), "the store works", step=5)
        await relay.until(lambda: len(switch.requests) > pings + 1, "pings resume", step=5)
