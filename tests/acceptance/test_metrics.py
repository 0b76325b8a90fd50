"""What a running relay says of itself at /metrics."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from relay.model.delivery import ChannelState
from tests.acceptance.imitated import Cluster
from tests.acceptance.in_process import Running, running
from tests.real.fixtures import MakeReceiver
from tests.real.webhooks import Answer, Receiver

TOKEN = "a-token-for-programs"


def settings(cluster: Cluster, receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {
        "clusters": [cluster.settings(watch={"changefeed": {"every": "1s", "start": "beginning"}})],
        "channels": [
            {"name": "hook", "kind": "webhook", "url": f"{receiver.url}/x", "allow_private": True},
        ],
        "rules": [{"name": "all", "channels": ["hook"]}],
        **more,
    }


class Scraped:
    """One scrape, by name and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [each for family in text_string_to_metric_families(text) for each in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples that have these labels."""
        wanted = labels.items()
        found = [each.value for each in self.samples if each.name == name and wanted <= each.labels.items()]
        assert found, f"there is no {name} with {labels}"
        return sum(found)


async def scrape(relay: Running) -> Scraped:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{relay.app.port}/metrics") as answer,
    ):
        assert answer.status == 200
        return Scraped(await answer.text())


async def test_every_stage_is_counted(tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver) -> None:
    receiver = make_receiver()
    receiver.script(Answer(503), Answer(200))
    cluster.delete("prod/app")
    async with running(tmp_path, settings(cluster, receiver)) as relay:
        await relay.until(lambda: len(receiver.requests.items) >= 3, "both records were told")
        await relay.breathe()
        found = await scrape(relay)
    assert (
        found.value("msr_relay_look_seconds_count", cluster="prod", watcher="changefeed", outcome="read") > 0
    )
    assert found.value("msr_relay_events_total", cluster="prod", type="trust.deleted", status="event") == 1
    assert found.value("msr_relay_event_lag_seconds_count", cluster="prod") >= 2
    assert found.value("msr_relay_rule_matches_total", rule="all") >= 2
    assert found.value("msr_relay_evidence_entries_total", kind="record") == 2
    assert found.value("msr_relay_attempt_seconds_count", channel="hook", outcome="retry") == 1
    assert found.value("msr_relay_attempt_seconds_count", channel="hook", outcome="delivered") >= 2
    assert found.value("msr_relay_deliveries_total", channel="hook", state="delivered", reason="new") >= 2
    assert found.value("msr_relay_deliveries_decided_total", channel="hook", reason="new") >= 2
    assert found.value("msr_relay_delivery_seconds_count", channel="hook") >= 2
    for operation in ("commit", "settle", "read", "write"):
        assert found.value("msr_relay_store_seconds_count", operation=operation) > 0
        assert found.value("msr_relay_store_errors_total", operation=operation) == 0
    assert found.value("msr_relay_channel_state", channel="hook", state=ChannelState.WORKING) == 1
    assert found.value("msr_relay_queue_ready_deliveries", channel="hook") == 0
    assert found.value("msr_relay_queue_oldest_ready_age_seconds", channel="hook") == 0
    assert found.value("msr_relay_changefeed_lag_seconds", cluster="prod") < 2
    assert found.value("msr_relay_lease_holder") == found.value("msr_relay_build_info") == 1
    assert found.value("msr_relay_ready") == found.value("msr_relay_store_up") == 1
    assert "prod/app" not in found.text, "repositories are no labels"


async def test_what_waits_shows_after_a_restart(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    receiver = make_receiver()
    receiver.default = Answer(503)
    given = settings(cluster, receiver)
    cluster.delete("prod/app")
    async with running(tmp_path, given) as relay:
        await relay.until(lambda: receiver.requests.items, "something was tried")
        await relay.advance(120)
    cluster.stop()
    async with running(tmp_path, given, relay.clock) as relay:
        await relay.advance(60)
        found = await scrape(relay)
        assert found.value("msr_relay_queue_deliveries", channel="hook", state="pending") >= 2
        assert found.value("msr_relay_queue_ready_deliveries", channel="hook") >= 2
        assert 120 < found.value("msr_relay_queue_oldest_ready_age_seconds", channel="hook") < 300
        assert found.value("msr_relay_channel_state", channel="hook", state=ChannelState.FAILING) == 1
        assert found.value("msr_relay_channel_consecutive_failures", channel="hook") > 1
        assert found.value("msr_relay_changefeed_lag_seconds", cluster="prod") > 50
        missed = {"cluster": "prod", "watcher": "changefeed", "cause": "unreachable", "replica": ""}
        assert found.value("msr_relay_look_failures_total", **missed) > 1
        receiver.default = Answer(200)
        await relay.until(lambda: relay.app._dispatcher.loops["hook"].health.failures == 0, "it works again")
        await relay.advance(5)
        found = await scrape(relay)
        assert found.value("msr_relay_queue_ready_deliveries", channel="hook") == 0


@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), ("wrong" * 5, 401), (TOKEN, 200)], ids=["none", "wrong", "right"]
)
async def test_a_token_is_asked_for_where_metrics_are_not_public(
    tmp_path: Path, token: str | None, status: int
) -> None:
    server = {"listen": "127.0.0.1:0", "api_token": TOKEN, "metrics": {"public": False}}
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with (
        running(tmp_path, {"server": server}) as relay,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{relay.app.port}/metrics", headers=headers) as answer,
    ):
        assert answer.status == status
        assert ("msr_relay_ready" in await answer.text()) == (status == 200)


@pytest.mark.parametrize(
    ("server", "status"),
    [
        ({}, 200),
        ({"public_url": "https://relay.example.com"}, 401),
        ({"trusted_proxy": {"addresses": ["10.0.0.7"]}}, 401),
        ({"public_url": "https://relay.example.com", "metrics": {"public": True}}, 200),
    ],
)
async def test_what_a_proxy_passes_on_does_not_come_from_here(
    tmp_path: Path, server: dict[str, Any], status: int
) -> None:
    # A proxy that says nothing of itself, with the Host header that somebody elsewhere has made up.
    headers = {"Host": "localhost"}
    async with (
        running(tmp_path, {"server": {"listen": "127.0.0.1:0", "api_token": TOKEN, **server}}) as relay,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{relay.app.port}/metrics", headers=headers) as answer,
    ):
        assert answer.status == status


async def test_a_loop_that_leaves_alone_what_is_due_is_told(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    receiver = make_receiver()
    async with running(tmp_path, settings(cluster, receiver)) as relay:
        await relay.advance(5)
        assert relay.app.health() == {}
        # As a bug would have it that ends the loop, which has nothing to do at the moment.
        relay.app._dispatcher._tasks["hook"].cancel()
        await relay.advance(400, step=5)
        assert relay.app.health() == {}, "nothing is due"
        cluster.delete("prod/app")
        await relay.advance(400, step=5)
        (reason,) = relay.app.health().items()
        assert reason[0] == "channel hook"
        assert "has left alone what is due for" in reason[1]
        assert (await scrape(relay)).value("msr_relay_ready") == 0


async def test_a_channel_that_may_not_be_tried_is_not_stuck(
    tmp_path: Path, cluster: Cluster, make_receiver: MakeReceiver
) -> None:
    receiver = make_receiver()
    receiver.default = Answer(503)
    async with running(tmp_path, settings(cluster, receiver)) as relay:
        cluster.delete("prod/app")
        await relay.until(lambda: receiver.requests.items, "something was tried")
        await relay.advance(1200, step=5)
        assert relay.app.health() == {}
        await relay.app._dispatcher.loops["hook"].disable("ann", "broken")
        await relay.advance(600, step=5)
        assert relay.app.health() == {}
