"""The whole relay on PostgreSQL: the same as on a file, through a restart and an outage of the server."""

import json
import signal
import subprocess
import sys

import pytest

from tests.acceptance.conftest import MakeRelay
from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import PATIENCE, Relay, until
from tests.acceptance.told import told, wait_for, webhook
from tests.real.postgres import Postgres
from tests.real.webhooks import Receiver

pytestmark = pytest.mark.real("postgresql")


@pytest.fixture
def relay(cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay, postgres: Postgres) -> Relay:
    return make_relay(
        {
            "store": postgres.fresh(),
            "clusters": [cluster.settings()],
            "channels": [webhook(webhooks, "soc")],
        }
    )


def command(relay: Relay, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "relay", *words, "--config", str(relay.file)],
        capture_output=True, text=True, timeout=PATIENCE, check=True,
    )  # fmt: skip
    return done.stdout


def test_what_is_deleted_is_told_once_across_a_kill(
    relay: Relay, cluster: Cluster, webhooks: Receiver
) -> None:
    relay.start()
    cluster.delete("prod/one")
    wait_for(webhooks, "trust.deleted", count=1)
    relay.signal(signal.SIGKILL)
    assert relay.wait() == -signal.SIGKILL
    cluster.delete("prod/two")
    relay.start()

    def names() -> dict[str, set[str]]:
        """The ids under which each repository was told: what was in flight may come again, under the same."""
        found: dict[str, set[str]] = {}
        for each in told(webhooks):
            if each.type == "trust.deleted":
                found.setdefault(each.name, set()).add(each.delivery)
        return found

    until(lambda: len(names()) == 2, "both deletions are told")
    assert relay.stop() == 0
    assert {name: len(ids) for name, ids in names().items()} == {"prod/one": 1, "prod/two": 1}


def test_a_second_relay_is_refused(relay: Relay) -> None:
    relay.start()
    status, said = relay.start_refused()
    assert status == 7
    assert "another msr-relay runs on this database" in said


def test_commands_reach_the_running_relay(relay: Relay, cluster: Cluster, webhooks: Receiver) -> None:
    relay.start()
    cluster.delete("prod/app")
    (first,) = wait_for(webhooks, "trust.deleted", count=1)
    listed = json.loads(command(relay, "deliveries", "--json"))
    deleted = next(each for each in listed if each["id"] == first.delivery)
    command(relay, "deliveries", "replay", deleted["id"])
    again = wait_for(webhooks, "trust.deleted", count=2)[-1]
    assert again.delivery != first.delivery
    assert again.data["replay_of"] == first.delivery
    journal = json.loads(command(relay, "journal", "--json"))
    assert [each["action"] for each in journal] == ["replay"]
