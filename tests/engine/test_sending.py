"""What a sender puts into a message besides its events: the rule's words, who takes care, links."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.channels.slack import Slack
from relay.channels.webhook import Webhook
from relay.engine.rules import Rule
from relay.engine.sending import Sender
from relay.http import Http
from relay.model.delivery import Delivery, Outcome, Reason
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.model.silence import Acknowledgement
from relay.render import Renderer
from relay.store import Claim
from tests.real.webhooks import Receiver
from tests.support.clock import ManualClock

CLOCK = ManualClock()
LINK = "https://relay.example.com/acknowledge/"
RULE = {"name": "r", "channels": ["x"], "group": {"max": 2}, "labels": {"team": "blue"}}


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
