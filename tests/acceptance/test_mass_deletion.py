"""Everything is deleted: from real deletions to one alert, across kills."""

import signal
from collections.abc import Iterable

import pytest

from relay.model.steps import Step
from tests.acceptance.conftest import MakeRelay
from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import Relay, until
from tests.acceptance.test_end_to_end import cluster as real
from tests.acceptance.test_end_to_end import reads_feed
from tests.acceptance.told import Told, told, wait_for, webhook
from tests.cli.conftest import Shell
from tests.real.msr import Msr
from tests.real.webhooks import Receiver

MASS = "trust.mass_deletion"


def single(messages: Iterable[Told]) -> list[str]:
    """The deletions that were told by themselves; one that came again, under the same id, once."""
    found = {each.delivery: each.name for each in messages if each.type == "trust.deleted"}
    return sorted(found.values())


def listed(messages: Iterable[Told]) -> set[str]:
    found = (each.data["details"]["deletions"] for each in messages if each.type == MASS)
    return {deletion["repository"] for deletions in found for deletion in deletions}


@pytest.mark.real("notary", "postgresql")
def test_seven_real_repositories_are_deleted(msr: Msr, webhooks: Receiver, make_relay: MakeRelay) -> None:
    names = [f"prod/app-{number}" for number in range(7)]
    for name in names:
        msr.sign(name)
    watched = real(msr, mass_deletion={"within": "20s", "update": "1s"})
    rules = [{"name": "deletions", "match": {"type": "trust.deleted"}, "channels": ["soc"]}]
    relay = make_relay({"clusters": [watched], "channels": [webhook(webhooks, "soc")], "rules": rules})
    relay.start()
    reads_feed(relay)
    for name in names[:5]:
        msr.delete(name)
    first = wait_for(webhooks, MASS, "firing")[0]
    assert single(told(webhooks)) == names[:4]
    relay.signal(signal.SIGKILL)
    assert relay.wait() == -signal.SIGKILL
    msr.delete(names[5])
    relay.start()
    msr.delete(names[6])
    until(lambda: listed(told(webhooks)) == set(names), "all are listed")
    (end,) = wait_for(webhooks, MASS, "resolved", timeout=60)
    assert relay.stop() == 0

    assert single(told(webhooks)) == names[:4]
    assert (first.name, first.data["severity"], first.data["rule"]) == ("prod", "critical", "deletions")
    assert first.data["id"] == end.data["id"]
    details = end.data["details"]
    assert [each["repository"] for each in details["deletions"]] == names
    assert (details["count"], details["within_seconds"], details["per"]) == (7, 20.0, "cluster")
    records = msr.notary.sql("SELECT gun, created_at FROM changefeed WHERE category = 'deletion'")
    assert {each["gun"] for each in details["deletions"]} == {gun for gun, _ in records}
    # What was not sent by itself says why, and can be had.
    shell = Shell(relay.folder)
    kept = shell.run("deliveries", "--state", "inhibited", "--json").json
    assert len(kept) == 3
    assert first.data["id"] in shell.run("explain", "--delivery", kept[0]["id"]).out
    assert f"{first.data['id']} lists it" in shell.run("deliveries", "show", kept[0]["id"]).out
    shown = shell.run("alerts", "show", first.data["id"]).out
    assert all(name in shown for name in names)


@pytest.mark.parametrize("step", [Step.PLANNED, Step.COMMITTING, Step.COMMITTED, Step.SENT, Step.SETTLING])
def test_killed_in_the_middle_nothing_is_lost(
    step: Step, cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    watched = cluster.settings(
        watch={"changefeed": {"every": "100ms", "start": "beginning", "page": 3}},
        mass_deletion={"count": 4, "within": "10m", "update": "1s"},
    )
    relay = make_relay({"clusters": [watched], "channels": [webhook(webhooks, "soc", timeout="10s")]})
    names = [f"prod/app-{number}" for number in range(20)]
    cluster.delete(*names[:8])
    _dies(relay, step)
    cluster.delete(*names[8:16])
    _dies(relay, step, 2)
    cluster.delete(*names[16:])
    relay.start()
    until(lambda: set(single(told(webhooks))) | listed(told(webhooks)) == set(names), "each is told")
    until(lambda: not relay.rows("SELECT 1 FROM deliveries WHERE state = 'pending'"), "nothing is left")
    assert relay.stop() == 0
    assert len(single(told(webhooks))) == 3
    assert len({each.data["id"] for each in told(webhooks) if each.type == MASS}) == 1
    events = relay.rows("SELECT count(*) FROM events WHERE type = 'trust.deleted'")
    assert events == [(20,)], "each is kept as what it is"


def _dies(relay: Relay, step: Step, time: int = 1) -> None:
    relay.start(f"{step.value}:{time}", wait=False)
    assert relay.wait() == -signal.SIGKILL, relay.log()
