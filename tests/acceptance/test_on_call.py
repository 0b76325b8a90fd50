"""From an alert to the one who takes care of it: by the link in a mail or in Slack, across a kill."""

import re
import signal
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

import pytest

from tests.acceptance.conftest import MakeRelay
from tests.acceptance.contracts import check_mail, check_slack
from tests.acceptance.imitated import Cluster
from tests.acceptance.relay import PATIENCE, Relay, until
from tests.acceptance.told import told, wait_for, webhook
from tests.real.fixtures import MakeReceiver, MakeSmtp
from tests.real.pki import Pki
from tests.real.smtp import SmtpServer
from tests.real.webhooks import Answer, Receiver

RUNBOOK = "https://wiki.example.com/msr/trouble"


@dataclass
class World:
    cluster: Cluster
    slack: Receiver
    boss: Receiver
    smtp: SmtpServer
    relay: Relay


@pytest.fixture
def world(
    pki: Pki, cluster: Cluster, make_receiver: MakeReceiver, make_smtp: MakeSmtp, make_relay: MakeRelay
) -> World:
    slack, boss, smtp = make_receiver(), make_receiver(), make_smtp("starttls")
    slack.default = Answer(body=b"ok")
    relay = make_relay(
        {
            "clusters": [cluster.settings(watch={"cluster_status": "200ms"})],
            "channels": [
                {
                    "name": "ops",
                    "kind": "slack",
                    "webhook_url": f"{slack.url}/services/T000/B000/xyz",
                    "allow_private": True,
                },
                {
                    "name": "oncall",
                    "kind": "email",
                    "smtp": {"host": smtp.host, "port": smtp.port, "ca_file": str(pki.ca_file)},
                    "from": "relay@example.com",
                    "to": "oncall@example.com",
                },
                webhook(boss, "boss"),
            ],
            "rules": [
                {
                    "name": "trouble",
                    "match": {"type": "cluster.issue"},
                    "channels": ["ops", "oncall"],
                    "escalate": {"after": "2s", "channels": "boss"},
                    "runbook_url": RUNBOOK,
                }
            ],
        }
    )
    server = {"listen": f"127.0.0.1:{relay.port}", "public_url": f"http://127.0.0.1:{relay.port}"}
    relay.change(server=server)
    return World(cluster, slack, boss, smtp, relay)


def test_who_acknowledges_by_the_link_in_a_mail_spares_the_others(world: World) -> None:
    relay = world.relay
    relay.start()
    issue = raise_issue(world)
    text, html = check_mail(world.smtp.messages.wait(1)[0])
    payload = check_slack(world.slack.requests.wait(1)[0])
    links = [link(relay, each) for each in (text, html, str(payload))]
    assert RUNBOOK in text
    assert RUNBOOK in html
    assert RUNBOOK in str(payload)

    # Mail scanners and the previews of chats ask for what a link leads to.
    assert all("Acknowledge" in get(each) for each in links)
    assert relay.rows("SELECT * FROM acknowledgements") == []
    page = post(links[0], {"name": "Ann", "note": "replacing the disk"})
    assert "Acknowledged by Ann" in page
    relay.signal(signal.SIGKILL)
    relay.wait()
    relay.start()
    until(
        lambda: relay.rows("SELECT 1 FROM deliveries WHERE channel = 'boss' AND state = 'acknowledged'"),
        "the escalation finds that somebody takes care",
    )
    world.cluster.do(lambda it: it.clear_issue(issue))
    world.smtp.messages.wait(2)
    world.slack.requests.wait(2)
    until(
        lambda: relay.rows("SELECT 1 FROM deliveries WHERE channel = 'boss' AND state = 'superseded'"),
        "nothing is left to tell the boss",
    )
    assert told(world.boss) == []
    journal = relay.rows("SELECT who, action FROM journal")
    assert journal == [("Ann (link sent to oncall)", "acknowledge")]
    assert relay.stop() == 0
    # Whoever has the link can use it: it is kept and shown nowhere.
    kept = [str(body).replace("=\r\n", "") for (body,) in relay.rows("SELECT body FROM attempts")]
    assert any("/ack/(hidden)" in body for body in kept)
    for token in (each.rpartition("/")[2] for each in links):
        assert token not in relay.log()
        assert not [body for body in kept if token in body]


def test_what_nobody_acknowledges_reaches_the_boss_and_so_does_its_end(world: World) -> None:
    relay = world.relay
    relay.start()
    issue = raise_issue(world)
    (escalated,) = wait_for(world.boss, "cluster.issue", "firing")
    assert (escalated.data["reason"], escalated.data["rule"]) == ("escalation", "trouble")
    assert escalated.data["links"]["runbook"] == RUNBOOK
    assert "ack" not in str(escalated.data["links"]), "a program's log is no place for it"
    world.cluster.do(lambda it: it.clear_issue(issue))
    wait_for(world.boss, "cluster.issue", "resolved")
    assert relay.stop() == 0


def raise_issue(world: World) -> Any:
    return world.cluster.do(lambda it: it.raise_issue("table_availability", "not ready", critical=True))


def link(relay: Relay, text: str) -> str:
    found = re.search(rf"http://127\.0\.0\.1:{relay.port}/ack/[\w.~-]+", text.replace("=\n", ""))
    assert found is not None, text
    return found[0]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def post(url: str, fields: dict[str, str]) -> str:
    with urllib.request.urlopen(url, urllib.parse.urlencode(fields).encode(), timeout=PATIENCE) as answer:
        return str(answer.read().decode())
