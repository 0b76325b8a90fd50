"""From a real deletion and real trouble to real receivers, with the relay as a process of its own."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from tests.acceptance.conftest import MakeRelay
from tests.acceptance.contracts import check_mail, check_slack, check_webhook
from tests.acceptance.relay import Relay, until
from tests.acceptance.told import Told, told, wait_for, webhook
from tests.real.fixtures import MakeMsr, MakeReceiver, MakeSmtp
from tests.real.msr import Msr, Replica
from tests.real.smtp import Mail, SmtpServer
from tests.real.tokens import User
from tests.real.webhooks import Answer, Received, Receiver

pytestmark = pytest.mark.real("notary", "postgresql")

SECRET = f"whsec_{base64.b64encode(b'a secret of thirty-two bytes....').decode()}"
LOGIN = ("relay", "the relay's password")
SOON = dict.fromkeys(("ping", "nginx_status", "cluster_status", "changefeed", "trust"), "500ms")


def cluster(msr: Msr, user: User | None = None, **more: Any) -> dict[str, Any]:
    user = user or msr.admin
    return {
        "name": "prod",
        "url": msr.url,
        "username": user.name,
        "password": user.password,
        "ca_file": str(msr.pki.ca_file),
        "watch": SOON,
        **more,
    }


def reads_feed(relay: Relay) -> None:
    """Return when the relay knows where the feed's end is: what happens from now on is to be told."""
    query = "SELECT 1 FROM cursors WHERE scope LIKE 'prod/changefeed/%'"
    until(lambda: relay.rows(query), "the feed has been read")


@dataclass
class World:
    """One cluster, three receivers, and the relay between them."""

    msr: Msr
    hooks: Receiver
    slack: Receiver
    smtp: SmtpServer
    relay: Relay

    def webhooks(self, type_name: str, status: str) -> dict[str, Any]:
        [found] = wait_for(self.hooks, type_name, status)
        request = next(r for r in self.hooks.requests.items if r.headers["webhook-id"] == found.delivery)
        return check_webhook(request, SECRET)

    def slack_message(self, number: int) -> dict[str, Any]:
        requests: list[Received] = self.slack.requests.wait(number)
        return check_slack(requests[number - 1])

    def mail(self, number: int) -> Mail:
        return self.smtp.messages.wait(number)[number - 1]


@pytest.fixture
def world(msr: Msr, make_receiver: MakeReceiver, make_smtp: MakeSmtp, make_relay: MakeRelay) -> World:
    hooks, slack, smtp = make_receiver(tls=True), make_receiver(), make_smtp("starttls", LOGIN)
    slack.default = Answer(body=b"ok")
    ca_file = str(msr.pki.ca_file)
    channels = [
        webhook(hooks, "soc", secrets=[SECRET], ca_file=ca_file),
        {
            "name": "security",
            "kind": "slack",
            "webhook_url": f"{slack.url}/services/T000/B000/xyz",
            "allow_private": True,
        },
        {
            "name": "oncall",
            "kind": "email",
            "smtp": {
                "host": smtp.host,
                "port": smtp.port,
                "username": LOGIN[0],
                "password": LOGIN[1],
                "ca_file": ca_file,
            },
            "from": "MSR Relay <relay@example.com>",
            "to": ["oncall@example.com", "deputy@example.com"],
        },
    ]
    relay = make_relay({"clusters": [cluster(msr)], "channels": channels})
    return World(msr, hooks, slack, smtp, relay)


def test_a_real_deletion_reaches_everybody(world: World) -> None:
    msr = world.msr
    msr.sign("prod/app")
    msr.sign("prod/other")
    world.relay.start()
    reads_feed(world.relay)
    msr.delete("prod/app")

    body = world.webhooks("trust.deleted", "event")
    assert body["data"]["subject"] == {
        "kind": "repository",
        "name": "prod/app",
        "gun": f"{msr.host}/prod/app",
    }
    [(record,)] = msr.notary.sql("SELECT id FROM changefeed WHERE category = 'deletion'")
    assert body["data"]["details"]["record_id"] == str(record)
    assert (body["data"]["severity"], body["data"]["cluster"]) == ("critical", "prod")

    payload = world.slack_message(1)
    assert "prod/app" in payload["text"]
    assert world.slack.requests[0].path == "/services/T000/B000/xyz"

    mail = world.mail(1)
    text, html = check_mail(mail)
    assert "prod/app" in mail.message["Subject"]
    assert "prod/app" in text
    assert "prod/app" in html
    assert mail.login == LOGIN[0]
    assert mail.recipients == ("oncall@example.com", "deputy@example.com")
    assert "In-Reply-To" not in mail.message

    assert world.relay.stop() == 0
    assert [len(found) for found in (world.hooks.requests, world.slack.requests, world.smtp.messages)] == [
        1
    ] * 3
    for secret in (SECRET, LOGIN[1], msr.admin.password, "xyz"):
        assert secret not in world.relay.log()
        assert secret.encode() not in world.relay.store.read_bytes()


def test_a_critical_issue_is_told_and_later_resolved(world: World) -> None:
    issue = {
        "id": "4b2e5a0c-6b1f-4f38-9a3d-2f9a1c6a4f10",
        "type": "table_availability",
        "critical": True,
        "description": "Table `jobs` is not ready.\nServers not reachable: dtr_rethinkdb_f2277ad178f7",
        "info": {},
    }
    healthy = {"replica_health": {"f2277ad178f7": "OK"}}
    world.msr.replicas[0].cluster_status = {**healthy, "rethink_system_tables": {"current_issues": [issue]}}
    world.relay.start()
    firing = world.webhooks("cluster.issue", "firing")
    assert firing["data"]["severity"] == "critical"
    assert firing["data"]["subject"]["replicas"] == ["f2277ad178f7"]
    assert firing["data"]["details"]["issue_id"] == issue["id"]
    assert "table_availability" in json.dumps(world.slack_message(1))
    first = world.mail(1)
    check_mail(first)

    world.msr.replicas[0].cluster_status = healthy
    resolved = world.webhooks("cluster.issue", "resolved")
    assert resolved["data"]["id"] == firing["data"]["id"]
    assert resolved["data"]["starts_at"] == firing["data"]["starts_at"]
    assert resolved["data"]["ends_at"] is not None
    world.slack_message(2)
    second = world.mail(2)
    check_mail(second)
    assert second.message["References"] == second.message["In-Reply-To"] == first.message["Message-ID"]
    assert second.message["Message-ID"] != first.message["Message-ID"]
    assert world.relay.stop() == 0
    assert len(world.hooks.requests) == 2


def test_without_an_administrator_one_repository_is_followed(
    msr: Msr, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    user = msr.add_user("ci-bot", "ci-bot's password", "prod/app")
    msr.sign("prod/app")
    msr.sign("prod/other")
    watch = {**SOON, "cluster_status": "off"}
    mine = cluster(msr, user, repositories=["prod/app"], watch=watch)
    relay = make_relay({"clusters": [mine], "channels": [webhook(webhooks, "soc")]})
    relay.start()
    reads_feed(relay)
    msr.delete("prod/other")
    msr.delete("prod/app")
    [message] = wait_for(webhooks, "trust.deleted")
    assert message.name == "prod/app"
    assert message.data["details"]["feed"] == "prod/app"
    assert relay.stop() == 0
    assert len(webhooks.requests) == 1
    asked = {request.split("?")[0] for request in msr.replicas[0].requests.items}
    assert "GET /v2/_trust/changefeed" not in asked


def test_a_wrong_password_is_one_alert_and_no_storm(
    msr: Msr, webhooks: Receiver, make_relay: MakeRelay
) -> None:
    front = msr.replicas[0]
    authenticated: list[str] = []

    def note(request: web.Request) -> None:
        if "Authorization" in request.headers and request.headers["Authorization"].startswith("Basic"):
            authenticated.append(request.path)

    wrong = User(msr.admin.name, "yesterday's password")
    front.interrupt = note
    relay = make_relay({"clusters": [cluster(msr, wrong)], "channels": [webhook(webhooks, "soc")]})
    relay.start()
    [alert] = wait_for(webhooks, "watch.failing", "firing")
    assert "password" in json.dumps(alert.data["details"])
    assert wrong.password not in json.dumps(alert.data)
    pings = "GET /_ping"
    front.requests.wait(front.requests.items.count(pings) + 10, lambda request: request == pings)
    assert relay.stop() == 0
    assert [each.type for each in told(webhooks)] == ["watch.failing"]
    assert len(authenticated) == 1, authenticated


def test_one_outage_is_one_message(make_msr: MakeMsr, webhooks: Receiver, make_relay: MakeRelay) -> None:
    msr = make_msr(replicas=3)
    replicas = [replica.url for replica in msr.replicas]
    whole = cluster(msr, replicas=replicas, failures=4)
    relay = make_relay({"clusters": [whole], "channels": [webhook(webhooks, "soc")]})
    relay.start()
    reads_feed(relay)
    for replica in msr.replicas:
        replica.requests.wait(1, lambda request: request == "GET /api/v0/meta/cluster_status")
    _all_at_once(msr, Replica.stop)
    [firing] = wait_for(webhooks, "watch.failing", "firing")
    assert firing.data["details"]["whole"] is True
    assert firing.data["severity"] == "critical"
    until(lambda: _held_back(relay) == 3, "the replicas' own alerts are held back")
    _all_at_once(msr, Replica.start)
    [resolved] = wait_for(webhooks, "watch.failing", "resolved")
    assert resolved.data["id"] == firing.data["id"]
    until(lambda: not relay.rows("SELECT 1 FROM alerts WHERE state <> 'resolved'"), "all alerts have ended")
    assert relay.stop() == 0
    assert [_short(each) for each in told(webhooks)] == ["watch.failing firing", "watch.failing resolved"]


def _all_at_once(msr: Msr, deed: Any) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(deed, msr.replicas))


def _held_back(relay: Relay) -> int:
    query = "SELECT count(*) FROM deliveries WHERE state = 'inhibited'"
    return int(relay.rows(query)[0][0])


def _short(message: Told) -> str:
    return f"{message.type} {message.status}"
