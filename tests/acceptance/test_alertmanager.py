"""A real Alertmanager posts to a real relay, which tells a real receiver."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.acceptance.conftest import MakeRelay
from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import Relay, until
from tests.acceptance.told import told, wait_for, webhook
from tests.hooks.posts import SECRET
from tests.real.alertmanager import Alertmanager
from tests.real.webhooks import Receiver

pytestmark = pytest.mark.real("prometheus-alertmanager")

TYPE = "alertmanager.alert"
LABELS = {"instance": "msr-2.example.com:9100", "severity": "critical"}


class MakeAlertmanager(Protocol):
    def __call__(self, webhook: dict[str, Any]) -> Alertmanager: ...


@pytest.fixture
def make_alertmanager(tmp_path: Path) -> Iterator[MakeAlertmanager]:
    with ExitStack() as stack:

        def make(webhook: dict[str, Any]) -> Alertmanager:
            folder = tmp_path / "alertmanager"
            folder.mkdir()
            made = Alertmanager(folder, webhook)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def relay(cluster: Cluster, webhooks: Receiver, make_relay: MakeRelay) -> Relay:
    hook = {"name": "prod-alerts", "kind": "alertmanager", "cluster": "prod", "secret": SECRET}
    return make_relay(
        {
            "clusters": [cluster.settings(watch={}, labels={"team": "platform"})],
            "channels": [webhook(webhooks, "soc")],
            "hooks": [hook],
        }
    )


def by_header(relay: Relay) -> dict[str, Any]:
    authorization = {"type": "Bearer", "credentials": SECRET}
    url = f"http://127.0.0.1:{relay.port}/hooks/prod-alerts"
    return {"url": url, "http_config": {"authorization": authorization}}


def by_url(relay: Relay) -> dict[str, Any]:
    return {"url": f"http://127.0.0.1:{relay.port}/hooks/prod-alerts/{SECRET}"}


@pytest.mark.parametrize("how", [by_header, by_url])
def test_an_alert_fires_and_resolves(
    relay: Relay, webhooks: Receiver, make_alertmanager: MakeAlertmanager, how: Any
) -> None:
    relay.start()
    alertmanager = make_alertmanager(how(relay))
    alertmanager.fire("DiskFull", LABELS, summary="The disk of msr-2 is 92 % full")
    (firing,) = wait_for(webhooks, TYPE, "firing")
    assert (firing.name, firing.data["severity"]) == ("msr-2.example.com:9100", "critical")
    assert firing.data["summary"] == "DiskFull: The disk of msr-2 is 92 % full"
    assert firing.data["labels"] == {"alertname": "DiskFull", "team": "platform", **LABELS}
    assert firing.data["details"]["receiver"] == "msr-relay"
    # Another of the same group: the first one goes on, though it may not be in the post.
    alertmanager.fire("PushesFail", {"instance": "msr-1.example.com:9100"})
    (other,) = wait_for(webhooks, TYPE, "firing", name="msr-1.example.com:9100")
    assert other.data["severity"] == "warning"
    alertmanager.resolve("DiskFull", LABELS, summary="The disk of msr-2 is 92 % full")
    (resolved,) = wait_for(webhooks, TYPE, "resolved")
    assert (resolved.data["id"], resolved.name) == (firing.data["id"], firing.name)
    assert SECRET not in relay.log()
    assert relay.stop() == 0
    assert [(each.name, each.status) for each in told(webhooks)] == [
        (firing.name, "firing"),
        (other.name, "firing"),
        (firing.name, "resolved"),
    ]


def test_what_was_raised_while_the_relay_was_away_comes_when_it_is_back(
    relay: Relay, webhooks: Receiver, make_alertmanager: MakeAlertmanager
) -> None:
    alertmanager = make_alertmanager(by_header(relay))
    alertmanager.fire("DiskFull", LABELS)
    until(lambda: "connection refused" in alertmanager.log(), "Alertmanager has tried")
    relay.start()
    (firing,) = wait_for(webhooks, TYPE, "firing")
    assert firing.data["summary"] == "DiskFull on msr-2.example.com:9100"
