"""What a sender puts into a message besides its events: the rule's words, who takes care, links."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.channels import mail_message
from relay.channels.console import Console
from relay.channels.slack import Slack
from relay.channels.webhook import Webhook
from relay.engine.rules import Rule
from relay.engine.sending import Sender
from relay.http import Http
from relay.model.delivery import Delivery, Message, Outcome, Reason, Sent, TargetOutcome
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.model.silence import Acknowledgement
from relay.model.text import without_links
from relay.render import Renderer
from relay.store import Claim
from tests.real.webhooks import Receiver
from tests.support.clock import ManualClock

CLOCK = ManualClock()
LINK = "https://relay.example.com/acknowledge/"
RULE = {"name": "r", "channels": ["x"], "group": {"max": 2}, "labels": {"team": "blue"}}

TOKEN = "WyJhbHJfMTIzIiwic29jIl0.aSNiqA.0T-wZ_7cQ9fGm2Xv8LkR4sYpB1E"
ACK = f"https://relay.example.com/ack/{TOKEN}"


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(CLOCK)
    yield client
    await client.close()


def rules(**options: Any) -> Mapping[str, Rule]:
    return {"r": Rule.model_validate({**RULE, **options})}


def claim(*events: Event, thread: str | None = None, **options: Any) -> Claim:
    now = CLOCK.now()
    ids = tuple(event.id for event in events)
    given = Delivery("dlv_1", "x", "r", thread or events[0].thread, ids, created_at=now, due_at=now)
    return Claim(replace(given, **options), events)


def slack(webhooks: Receiver, http: Http, **options: Any) -> Sender:
    webhooks.default = replace(webhooks.default, status=200, body=b"ok")
    channel = Slack(kind="slack", name="x", webhook_url=webhooks.url + "/s", allow_private=True)
    return Sender(channel, Renderer([], clock=CLOCK), http, CLOCK, **options)


def webhook(webhooks: Receiver, http: Http, **options: Any) -> Sender:
    channel = Webhook(kind="webhook", name="x", url=webhooks.url + "/w", allow_private=True)
    return Sender(channel, Renderer([], clock=CLOCK), http, CLOCK, **options)


async def sent(sender: Sender, claimed: Claim, webhooks: Receiver) -> Any:
    tried = await sender.attempt(claimed)
    assert (tried.result.outcome, tried.broken) == (Outcome.DELIVERED, None)
    return json.loads(webhooks.requests.items[-1].body)


async def test_the_rule_counts_as_it_is_by_then(http: Http, webhooks: Receiver) -> None:
    known = dict(rules())
    sender = webhook(webhooks, http, rules=lambda: known)
    event = sample("trust.deleted")
    assert (await sent(sender, claim(event), webhooks))["data"]["labels"] == {"team": "blue"}
    known.update(rules(labels={"team": "red"}, runbook_url="https://wiki.example.com/"))
    data = (await sent(sender, claim(event), webhooks))["data"]
    assert (data["labels"], data["links"]) == ({"team": "red"}, {"runbook": "https://wiki.example.com/"})
    known.clear()
    assert (await sent(sender, claim(event), webhooks))["data"]["labels"] == {}


async def test_what_the_delivery_says_is_told(http: Http, webhooks: Receiver) -> None:
    group = claim(
        sample("trust.deleted"),
        sample("cluster.issue"),
        thread="grp_1",
        reason=Reason.GROUP,
        group={"cluster": "prod"},
        more=5,
        part=2,
        parts=3,
    )
    data = (await sent(webhook(webhooks, http), group, webhooks))["data"]
    assert (data["group_id"], data["group_by"], data["reason"]) == ("grp_1", {"cluster": "prod"}, "group")
    assert (data["count"], data["more"], data["part"], data["parts"]) == (7, 5, 2, 3)


async def test_the_rule_says_how_many_are_listed(http: Http, webhooks: Receiver) -> None:
    events = [sample(name) for name in ("trust.deleted", "cluster.issue", "ping.failing")]
    body = await sent(slack(webhooks, http, rules=rules), claim(*events, thread="grp_1"), webhooks)
    assert "… and 1 more" in json.dumps(body, ensure_ascii=False)


async def test_who_takes_care_stands_in_place_of_the_link(http: Http, webhooks: Receiver) -> None:
    event = sample("cluster.issue")
    known = Acknowledgement(event.thread, "alice", CLOCK.now(), "on it", CLOCK.now() + timedelta(hours=1))
    found: dict[str, Acknowledgement] = {}
    sender = slack(webhooks, http, acknowledged=found.get, acknowledge_url=lambda thread: LINK + thread)
    assert f"<{LINK}{event.alert}|Acknowledge>" in str(await sent(sender, claim(event), webhooks))
    found[event.thread] = known
    body = str(await sent(sender, claim(event), webhooks))
    assert "Acknowledged by alice (on it)" in body
    assert LINK not in body
    found[event.thread] = replace(known, until=CLOCK.now())
    body = str(await sent(sender, claim(event), webhooks))
    assert "Acknowledged by" not in body
    assert LINK in body
    over = claim(sample("cluster.issue", Status.RESOLVED))
    found[event.thread] = replace(known, until=None)
    body = str(await sent(sender, over, webhooks))
    assert "Acknowledged by" not in body
    assert LINK not in body


async def test_in_a_group_only_what_nobody_cares_for_gets_a_link(http: Http, webhooks: Receiver) -> None:
    taken, free = sample("cluster.issue"), sample("replica.stale")
    found = {taken.thread: Acknowledgement(taken.thread, "alice", CLOCK.now())}
    sender = slack(webhooks, http, acknowledged=found.get, acknowledge_url=lambda thread: LINK + thread)
    body = str(await sent(sender, claim(taken, free, thread="grp_1"), webhooks))
    assert LINK + free.thread in body
    assert LINK + taken.thread not in body


async def test_programs_get_no_link(http: Http, webhooks: Receiver) -> None:
    sender = webhook(webhooks, http, acknowledge_url=lambda thread: LINK + thread)
    assert LINK not in str(await sent(sender, claim(sample("cluster.issue")), webhooks))


def test_a_rules_words_count_for_the_size(http: Http, webhooks: Receiver) -> None:
    event = sample("trust.deleted")
    plain = webhook(webhooks, http).sizes
    worded = webhook(webhooks, http, rules=lambda: rules(annotations={"a": "x" * 5000})).sizes
    assert worded.size(event) > plain.size(event) + 5000


@pytest.mark.parametrize("events", [1, 2])
async def test_a_mass_deletion_lists_what_fits_and_counts_the_rest(
    webhooks: Receiver, http: Http, events: int
) -> None:
    event = sample("trust.mass_deletion")
    deletions = [
        {**event.details["deletions"][0], "repository": f"prod/äpp-{number}"} for number in range(1000)
    ]
    event = replace(event, details={**event.details, "deletions": deletions, "more": 7, "count": 1007})
    end = replace(event, id="evt_end", status=Status.RESOLVED, ends_at=event.seen_at)
    body = await sent(webhook(webhooks, http), claim(*[event, end][:events]), webhooks)
    assert 15_000 < len(webhooks.requests.items[-1].body) <= 20_000
    for item in body["data"].get("items", [body]):
        details = item["data"]["details"]
        assert details["deletions"] == deletions[: len(details["deletions"])] != []
        assert (details["count"], details["more"]) == (1007, 1007 - len(details["deletions"]))


async def test_a_mass_deletion_that_fits_is_as_it_is(webhooks: Receiver, http: Http) -> None:
    event = sample("trust.mass_deletion")
    body = await sent(webhook(webhooks, http), claim(event), webhooks)
    assert body["data"]["details"] == event.details


class TestLinksAreNotKept:
    """Whoever has a link can acknowledge by it; attempts are shown to everybody who may look."""

    def bare(self, text: str) -> str:
        return re.sub(r"=(\r\n|\\r\\n)", "", text)

    @pytest.mark.parametrize("escaped", [False, True], ids=["as sent", "in JSON"])
    def test_wherever_a_mail_breaks_its_line(self, escaped: bool) -> None:
        envelope = mail_message.Envelope("x", mail_message.parse_address("r@example.com"), (), (), (), {})
        broken = 0
        for before in range(160):
            parts = {"subject.txt": "s", "txt": "x" * before + f" {ACK} and so on", "html": f"<p>{ACK}</p>"}
            sent = mail_message.compose(envelope, a_message(parts))
            broken += bool(re.search("/=\r\nack/|/a=\r\nck/|/ac=\r\nk/|/ack=\r\n/|/ack/=\r\n", sent))
            text = json.dumps(sent) if escaped else sent
            kept = without_links(text)
            assert (TOKEN in self.bare(text), TOKEN in self.bare(kept)) == (True, False)
            assert not any(piece in self.bare(kept) for piece in TOKEN.split("."))
            assert "/ack/(hidden) and so on" in self.bare(kept)
        assert broken >= 5

    @pytest.mark.parametrize("slash", ["/", "\\/", "%2F", "%2f", "=2F", "\\u002f", "&#x2F;", "&#47;"])
    def test_however_its_slashes_are_written(self, slash: str) -> None:
        assert without_links(f"{ACK}!".replace("/", slash)).endswith("example.com/ack/(hidden)!")

    @pytest.mark.parametrize("text", ["/ack", "/ack/", "/back/x", "ack/x", "rack/ack"])
    def test_what_is_no_link(self, text: str) -> None:
        assert without_links(text) == text

    @pytest.mark.parametrize("status", [200, 400, 500])
    async def test_a_receiver_that_sends_back_what_it_got(
        self, http: Http, webhooks: Receiver, status: int
    ) -> None:
        sender = slack(webhooks, http, acknowledge_url=lambda _thread: ACK)
        echo = f"no: <{ACK}|Acknowledge>, {ACK[:35]}=\r\n{ACK[35:]}"
        webhooks.default = replace(webhooks.default, status=status, body=echo.encode())
        tried = await sender.attempt(claim(sample("cluster.issue")))
        assert ACK in webhooks.requests.items[0].body.decode()
        assert "/ack/(hidden)" in tried.body
        assert "/ack/(hidden)" in tried.result.sent.answer + str(tried.result.error)
        assert not any(piece in repr(tried) for piece in (TOKEN, *TOKEN.split(".")))

    async def test_what_a_kind_says_of_its_targets(self, http: Http) -> None:
        channel = Parrot(kind="console", name="x")
        sender = Sender(channel, Renderer([], clock=CLOCK), http, CLOCK)
        result = (await sender.attempt(claim(sample("cluster.issue")))).result
        assert result.error == "one: got https://relay.example.com/ack/(hidden)"
        assert [each.error for each in result.sent.targets] == [result.error[5:], None]


class Parrot(Console):
    """A kind as third parties add them, which takes no care of what it says."""

    async def send(self, message: Message, body: str, http: Http) -> Sent:
        outcomes = (
            TargetOutcome("one", Outcome.REJECTED, error=f"got {ACK}"),
            TargetOutcome("two", Outcome.DELIVERED),
        )
        return Sent(targets=outcomes)


def a_message(parts: Mapping[str, str]) -> Message:
    now = CLOCK.now()
    event = sample("cluster.issue")
    return Message(
        id="dlv_1",
        type=event.type,
        status=event.status,
        severity=event.severity,
        timestamp=now,
        at=now,
        thread=event.thread,
        parts=parts,
    )
