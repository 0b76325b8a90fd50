"""The relay as a process: stopping, reloading, one store one relay, its own listeners."""

import resource
import signal
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.acceptance.conftest import MakeCluster, MakeRelay
from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import PATIENCE, Relay, until
from tests.acceptance.told import Told, told, wait_for, webhook
from tests.real.fixtures import MakeReceiver
from tests.real.webhooks import Answer, Receiver


def one_of_each(cluster: Cluster, receiver: Receiver, **more: Any) -> dict[str, Any]:
    """One cluster whose feed is read, and one channel."""
    return {"clusters": [cluster.settings()], "channels": [webhook(receiver, "soc")], **more}


def state_of(relay: Relay, channel: str) -> list[str]:
    """The states of a channel's deliveries, in order."""
    return [
        row[0] for row in relay.rows("SELECT state FROM deliveries WHERE channel = ? ORDER BY seq", channel)
    ]


def test_what_is_under_way_ends_before_a_stop(
    cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    webhooks.script(Answer(delay=1.0))
    relay = make_relay(one_of_each(cluster, webhooks))
    cluster.delete("prod/app")
    relay.start(fresh=True)
    webhooks.requests.wait(1)
    assert relay.stop() == 0
    assert state_of(relay, "soc") == ["delivered"]


def test_what_does_not_end_in_time_is_handed_back(
    cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    webhooks.script(Answer(fault="hang"))
    relay = make_relay(one_of_each(cluster, webhooks, stop_within="1s"))
    cluster.delete("prod/app")
    relay.start()
    webhooks.requests.wait(1)
    assert relay.stop() == 0
    assert state_of(relay, "soc") == ["pending"]
    relay.start()
    first, second = wait_for(webhooks, "trust.deleted", count=2)
    assert first.delivery == second.delivery
    assert first.data == second.data
    assert relay.stop() == 0
    assert state_of(relay, "soc") == ["delivered"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_at_once(
    number: signal.Signals, cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    webhooks.script(Answer(fault="hang"))
    relay = make_relay(one_of_each(cluster, webhooks, stop_within="1h"))
    cluster.delete("prod/app")
    relay.start(fresh=True)
    webhooks.requests.wait(1)
    relay.signal(number)
    until(lambda: relay.entries("stopping"), "it is stopping")
    assert relay.running
    relay.signal(number)
    assert relay.wait() == 1


def test_nothing_but_the_store_is_left_and_only_its_owner_may_use_it(
    cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    relay = make_relay(one_of_each(cluster, webhooks))
    relay.start()
    assert relay.get("/healthz") == (200, {"alive": True})
    assert relay.get("/readyz") == (200, {"ready": True, "reasons": {}})
    with pytest.raises(AssertionError, match="404"):
        _found(relay, "/nowhere")
    for path in (relay.socket, relay.store):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_ISSOCK(relay.socket.stat().st_mode)
    assert relay.stop() == 0
    left = {path.name for path in relay.folder.iterdir()}
    assert left == {"relay.yaml", "relay.log", "relay.db", "relay.db.lock"}
    with pytest.raises(OSError, match="refused"):
        relay.get("/healthz")


def _found(relay: Relay, path: str) -> None:
    with socket.create_connection(("127.0.0.1", relay.port), PATIENCE) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        status = connection.makefile("rb").readline().split()[1].decode()
    assert status == "200", status


def test_two_relays_do_not_share_a_file(cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay) -> None:
    relay = make_relay(one_of_each(cluster, webhooks))
    relay.start()
    status, error = relay.start_refused()
    assert status == 7
    said = f"store: another msr-relay runs on {relay.store.resolve()}; stop it first"
    assert error.splitlines()[-1] == said
    assert relay.get("/readyz")[0] == 200
    assert relay.socket.exists(), "the second one has taken nothing from the first"
    assert relay.stop() == 0


def test_a_changed_file_counts_at_once_and_a_broken_one_never(
    make_cluster: MakeCluster, make_receiver: MakeReceiver, make_relay: MakeRelay
) -> None:
    cluster, receiver, other = make_cluster(), make_receiver(), make_receiver()
    soc, new = webhook(receiver, "soc"), webhook(other, "new")
    relay = make_relay(one_of_each(cluster, receiver))
    cluster.delete("prod/before")
    relay.start()
    wait_for(receiver, "trust.deleted", name="prod/before")

    relay.change(channels=[soc, new])
    relay.signal(signal.SIGHUP)
    until(lambda: relay.entries("reloaded"), "it has reloaded")
    cluster.delete("prod/after")
    wait_for(receiver, "trust.deleted", name="prod/after")
    wait_for(other, "trust.deleted", name="prod/after")
    assert [each.name for each in told(other)] == ["prod/after"]

    good = relay.file.read_text()
    for text in ("channels: [", good.replace("kind: webhook", "kind: webhok")):
        relay.write(text)
        relay.signal(signal.SIGHUP)
        wait_for(receiver, "config.rejected", "firing")
    cluster.delete("prod/meanwhile")
    wait_for(other, "trust.deleted", name="prod/meanwhile")
    relay.write(good)
    for each in (receiver, other):
        wait_for(each, "config.rejected", "resolved")
    assert relay.stop() == 0
    for each in (receiver, other):
        rejected = [message.status for message in told(each) if message.type == "config.rejected"]
        assert rejected == ["firing", "resolved"]
        assert _once(told(each))


def _once(messages: list[Told]) -> bool:
    return len({each.delivery for each in messages}) == len(messages)


def test_what_waits_for_a_removed_channel_is_held_until_it_comes_back(
    cluster: Cluster, make_receiver: MakeReceiver, make_relay: MakeRelay
) -> None:
    working, broken = make_receiver(), make_receiver()
    broken.default = Answer(status=503)
    soc, late = webhook(working, "soc"), webhook(broken, "late")
    relay = make_relay({"clusters": [cluster.settings()], "channels": [soc, late]})
    cluster.delete("prod/app")
    relay.start()
    broken.requests.wait(1)
    relay.change(channels=[soc])
    relay.signal(signal.SIGHUP)
    until(lambda: state_of(relay, "late")[:1] == ["held"], "what waits is held")
    cluster.delete("prod/other")
    wait_for(working, "trust.deleted", name="prod/other")
    broken.default = Answer()
    relay.change(channels=[soc, late])
    relay.signal(signal.SIGHUP)
    until(lambda: "delivered" in state_of(relay, "late"), "what was held is sent")
    assert relay.stop() == 0
    deleted = [each for each in told(broken) if each.type == "trust.deleted"]
    assert {each.name for each in deleted} == {"prod/app"}
    assert len({each.delivery for each in deleted}) == 1


def test_alerts_of_a_removed_cluster_end(
    make_cluster: MakeCluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    watch = {"cluster_status": "200ms"}
    stays, goes = make_cluster(), make_cluster()
    for each in (stays, goes):
        each.do(lambda it: it.raise_issue("memory_error", "too little", critical=True))
    clusters = [
        {**stays.settings(watch=watch), "name": "stays"},
        {**goes.settings(watch=watch), "name": "goes"},
    ]
    relay = make_relay({"clusters": clusters, "channels": [webhook(webhooks, "soc")]})
    relay.start()
    wait_for(webhooks, "cluster.issue", "firing", count=2)
    relay.change(clusters=clusters[:1])
    relay.signal(signal.SIGHUP)
    [ended] = wait_for(webhooks, "cluster.issue", "resolved")
    assert ended.data["cluster"] == "goes"
    assert "no longer watched" in str(ended.data)
    assert relay.stop() == 0
    assert len(told(webhooks)) == 3


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux's prlimit to fill the disk")
def test_a_full_disk_is_told_and_loses_nothing(
    cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    relay = make_relay(one_of_each(cluster, webhooks))
    cluster.delete("prod/before")
    relay.start()
    wait_for(webhooks, "trust.deleted", name="prod/before")
    until(lambda: state_of(relay, "soc") == ["delivered"], "its outcome is kept")
    with _full_disk(relay):
        cluster.delete("prod/meanwhile")
        [failing] = wait_for(webhooks, "store.failing", "firing")
        assert "full" in failing.data["details"]["error"] or "I/O" in failing.data["details"]["error"]
        status, document = relay.get("/readyz")
        assert (status, list(document["reasons"])) == (503, ["store"])
        assert relay.get("/healthz")[0] == 200
        assert not [each for each in told(webhooks) if each.name == "prod/meanwhile"]
    [resolved] = wait_for(webhooks, "store.failing", "resolved")
    assert resolved.data["id"] == failing.data["id"]
    wait_for(webhooks, "trust.deleted", name="prod/meanwhile")
    assert relay.get("/readyz")[0] == 200
    assert relay.stop() == 0
    assert _once(told(webhooks))


@contextmanager
def _full_disk(relay: Relay) -> Iterator[None]:
    """No file of the process can grow: what a full disk looks like to it, its log included."""
    before = resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, before)
