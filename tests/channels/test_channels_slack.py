import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import ValidationError
from slack_sdk.http_retry.builtin_async_handlers import AsyncConnectionErrorRetryHandler
from slack_sdk.webhook.async_client import AsyncWebhookClient

from relay.channels import BadBody, Gone, Refused, Rejected, Retryable
from relay.channels.slack import Slack
from relay.http import Http
from relay.model.delivery import Outcome
from tests.channels.messages import message
from tests.channels.trouble import HttpPeer, Trouble, listening
from tests.real.webhooks import Answer, Receiver

ROOT = {"channel": "C012345", "ts": "1700000000.000100"}
POST, UPDATE = "/api/chat.postMessage", "/api/chat.update"


def bot(receiver: Receiver, **options: Any) -> Slack:
    given = {"kind": "slack", "name": "ops", "token": "xoxb-1", "channel": "#ops", "allow_private": True}
    return Slack.model_validate(given | {"api_url": receiver.url + "/api"} | options)


def hook(receiver: Receiver) -> Slack:
    url = receiver.url + "/services/T0/B0/x"
    return Slack.model_validate({"kind": "slack", "name": "ops", "webhook_url": url, "allow_private": True})


def said(**fields: Any) -> Answer:
    return Answer(body=json.dumps({"ok": True, **fields}).encode())


def requests(receiver: Receiver) -> list[tuple[str, dict[str, Any]]]:
    return [(request.path, json.loads(request.body)) for request in receiver.requests.items]


@pytest.fixture
def slack(webhooks: Receiver) -> Receiver:
    webhooks.default = said(channel="C012345", ts="1700000000.000200", message={"text": "…"})
    return webhooks


async def test_a_first_message_leaves_its_place_as_the_receipt(http: Http, slack: Receiver) -> None:
    channel = bot(slack)
    sent = await channel.send(message(), channel.compose(message()), http)
    [(path, body)] = requests(slack)
    assert path == POST
    assert body["channel"] == "#ops"
    assert "thread_ts" not in body
    assert slack.requests[0].headers["Authorization"] == "Bearer xoxb-1"
    assert sent.receipt == {"channel": "C012345", "ts": "1700000000.000200"}
    assert "message" not in sent.answer


async def test_a_repeat_answers_in_the_thread(http: Http, slack: Receiver) -> None:
    channel = bot(slack)
    again = message(status="firing", follows=True, previous=ROOT)
    sent = await channel.send(again, channel.compose(again), http)
    [(path, body)] = requests(slack)
    assert (path, body["channel"], body["thread_ts"]) == (POST, "C012345", ROOT["ts"])
    assert sent.receipt == ROOT


def resolve(**changes: Any) -> Any:
    return message(**({"status": "resolved", "follows": True, "previous": ROOT} | changes))


async def test_a_resolve_updates_the_first_message_and_answers_it(http: Http, slack: Receiver) -> None:
    channel = bot(slack)
    sent = await channel.send(resolve(), channel.compose(resolve()), http)
    (first, update), (second, reply) = requests(slack)
    assert (first, update["channel"], update["ts"]) == (UPDATE, "C012345", ROOT["ts"])
    assert (second, reply["channel"], reply["thread_ts"]) == (POST, "C012345", ROOT["ts"])
    assert [(t.target, t.outcome) for t in sent.targets] == [
        ("update", Outcome.DELIVERED),
        ("reply", Outcome.DELIVERED),
    ]
    assert sent.receipt == ROOT


async def test_an_end_in_a_group_leaves_the_first_message_as_it_is(http: Http, slack: Receiver) -> None:
    channel = bot(slack)
    some = resolve(whole=False)
    await channel.send(some, channel.compose(some), http)
    [(path, body)] = requests(slack)
    assert (path, body["thread_ts"]) == (POST, ROOT["ts"])


@pytest.mark.parametrize("previous", [None, {}, {"channel": "C1"}, {"channel": 1, "ts": 2}])
async def test_a_resolve_without_a_first_message_is_a_message(
    http: Http, slack: Receiver, previous: Any
) -> None:
    channel = bot(slack)
    alone = resolve(previous=previous)
    await channel.send(alone, channel.compose(alone), http)
    assert [path for path, _ in requests(slack)] == [POST]


async def test_an_answer_that_failed_is_repeated_without_the_update(http: Http, slack: Receiver) -> None:
    channel = bot(slack)
    slack.paths[POST] = Answer(status=429, headers={"Retry-After": "30"})
    sent = await channel.send(resolve(), channel.compose(resolve()), http)
    assert [(t.target, t.outcome) for t in sent.targets] == [
        ("update", Outcome.DELIVERED),
        ("reply", Outcome.RETRY),
    ]
    assert sent.retry_after == 30
    slack.paths.clear()
    slack.requests.clear()
    later = resolve(settled=frozenset({"update"}))
    sent = await channel.send(later, channel.compose(later), http)
    assert [path for path, _ in requests(slack)] == [POST]
    assert [(t.target, t.outcome) for t in sent.targets] == [("reply", Outcome.DELIVERED)]


async def test_an_update_that_may_work_later_keeps_the_answer_back(http: Http, slack: Receiver) -> None:
    channel = bot(slack)
    slack.paths[UPDATE] = Answer(status=503)
    with pytest.raises(Retryable):
        await channel.send(resolve(), channel.compose(resolve()), http)
    assert [path for path, _ in requests(slack)] == [UPDATE]


async def test_a_first_message_that_is_gone_does_not_stop_the_answer(http: Http, slack: Receiver) -> None:
    channel = bot(slack)
    slack.paths[UPDATE] = Answer(body=b'{"ok": false, "error": "message_not_found"}')
    slack.script(Answer(body=b'{"ok": false, "error": "thread_not_found"}'))
    sent = await channel.send(resolve(), channel.compose(resolve()), http)
    assert [(t.target, t.outcome) for t in sent.targets] == [
        ("update", Outcome.REJECTED),
        ("reply", Outcome.DELIVERED),
    ]
    assert ["thread_ts" in body for _, body in requests(slack)] == [False, True, False]


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        ("invalid_auth", Refused, "token"),
        ("account_inactive", Refused, "token"),
        ("token_revoked", Refused, "token"),
        ("not_authed", Refused, "token"),
        ("missing_scope", Refused, "chat:write"),
        ("channel_not_found", Refused, "correct `channel`"),
        ("not_in_channel", Refused, "invite it"),
        ("is_archived", Refused, "unarchive"),
        ("ratelimited", Retryable, "lower `rate`"),
        ("internal_error", Retryable, "fault"),
        ("something_new", Retryable, "does not know"),
        ("msg_too_long", BadBody, "template"),
        ("invalid_blocks", BadBody, "template"),
    ],
)
async def test_errors_in_an_answer_with_status_200(
    http: Http, slack: Receiver, code: str, kind: type[Exception], advice: str
) -> None:
    slack.default = Answer(
        body=json.dumps({"ok": False, "error": code}).encode(), headers={"Retry-After": "9"}
    )
    with pytest.raises(kind, match=advice) as caught:
        await bot(slack).send(message(), bot(slack).compose(message()), http)
    assert code in str(caught.value)
    assert caught.value.retry_after == (9 if kind is Retryable else None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "invalid_payload", BadBody),
        (400, "no_text", BadBody),
        (403, "action_prohibited", Refused),
        (404, "channel_not_found", Refused),
        (404, "no_service", Refused),
        (404, "no_team", Refused),
        (410, "channel_is_archived", Refused),
        (410, "something else", Gone),
        (500, "rollup_error", Retryable),
        (400, "something else", Rejected),
        (200, "<html>Log in to the network</html>", Refused),
        (200, "", Refused),
    ],
)
async def test_errors_of_incoming_webhooks(
    http: Http, webhooks: Receiver, status: int, text: str, kind: type[Exception]
) -> None:
    webhooks.default = Answer(status=status, body=text.encode())
    with pytest.raises(kind) as caught:
        await hook(webhooks).send(message(), hook(webhooks).compose(message()), http)
    assert type(caught.value) is kind


async def test_an_incoming_webhook_gets_the_message_alone(http: Http, webhooks: Receiver) -> None:
    webhooks.default = Answer(body=b"ok")
    channel = hook(webhooks)
    sent = await channel.send(resolve(), channel.compose(resolve()), http)
    assert requests(webhooks) == [("/services/T0/B0/x", json.loads(channel.compose(resolve())))]
    assert sent.receipt is None


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"token": "xoxb-1"},
        {"channel": "#ops"},
        {"webhook_url": "https://hooks.slack.com/x", "token": "xoxb-1", "channel": "#ops"},
        {"webhook_url": "https://hooks.slack.com/x", "channel": "#ops"},
        {"webhook_url": "hooks.slack.com/x"},
        {"token": "xoxb-1", "channel": "#ops", "api_url": "slack.com"},
    ],
)
def test_there_is_one_way_into_slack(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"webhook_url|together|not a URL"):
        Slack.model_validate({"kind": "slack", "name": "ops"} | options)


def test_the_plain_form_mentions_nobody() -> None:
    channel = Slack.model_validate({"kind": "slack", "name": "o", "webhook_url": "https://hooks.slack.com/x"})
    parts = channel.plain("<!channel>", "<@U1> & `x`" + "y" * 5000, {})
    text = json.loads(channel.compose(message(parts=parts)))["text"]
    assert text.startswith("&lt;!channel&gt;\n&lt;@U1&gt; &amp; `x`")
    assert len(text) <= 4000
    assert text.endswith("(cut)")


@asynccontextmanager
async def peer(trouble: Trouble) -> AsyncIterator[tuple[HttpPeer, str]]:
    server = HttpPeer(trouble)
    async with listening(server.converse) as port:
        yield server, f"http://127.0.0.1:{port}/services/x"


async def test_why_slacks_own_client_is_not_used_a_redirect(http: Http) -> None:
    async with peer(Trouble.REDIRECT_302) as (server, url):
        # What it is redirected to answers well.
        server.trouble_after = Trouble.NONE
        answer = await AsyncWebhookClient(url).send(text="x")
        assert answer.status_code == 200
        assert server.requests[1].startswith(b"GET ")
    async with peer(Trouble.REDIRECT_302) as (server, url):
        channel = Slack.model_validate(
            {"kind": "slack", "name": "o", "webhook_url": url, "allow_private": True}
        )
        with pytest.raises(Refused):
            await channel.send(message(), channel.compose(message()), http)
        assert len(server.requests) == 1


async def test_why_slacks_own_client_is_not_used_a_dropped_connection(http: Http) -> None:
    async with peer(Trouble.DROPPED) as (server, url):
        assert AsyncConnectionErrorRetryHandler in map(type, AsyncWebhookClient(url).retry_handlers)
        with pytest.raises(Exception):  # noqa: B017
            await AsyncWebhookClient(url).send(text="x")
        assert len(server.requests) == 2
    async with peer(Trouble.DROPPED) as (server, url):
        channel = Slack.model_validate(
            {"kind": "slack", "name": "o", "webhook_url": url, "allow_private": True}
        )
        with pytest.raises(Retryable):
            await channel.send(message(), channel.compose(message()), http)
        assert len(server.requests) == 1
