import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from relay.channels import BadBody, Refused
from relay.channels.webhook import Webhook
from relay.http import Http
from tests.channels.messages import message
from tests.real.pki import Pki
from tests.real.webhooks import Receiver

OLD, NEW = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)


def webhook(url: str, **options: Any) -> Webhook:
    return Webhook.model_validate(
        {"kind": "webhook", "name": "soc", "url": url, "allow_private": True} | options
    )


async def deliver(channel: Webhook, http: Http, **changes: Any) -> None:
    told = message(**changes)
    await channel.send(told, channel.compose(told), http)


async def test_the_published_test_vector(http: Http, webhooks: Receiver) -> None:
    channel = webhook(webhooks.url, secrets=["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    await deliver(
        channel,
        http,
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        at=datetime.fromtimestamp(1614265330, UTC),
        parts={"json": '{"test": 2432232314}'},
    )
    headers = webhooks.requests[0].headers
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert webhooks.requests[0].body == b'{"test": 2432232314}'


async def test_the_package_verifies_while_secrets_are_rotated(http: Http, webhooks: Receiver) -> None:
    channel = webhook(webhooks.url, secrets=[OLD, NEW])
    body = json.dumps({"data": "Ünïcödé 🚢 \u2028"}, ensure_ascii=False)
    await deliver(channel, http, at=datetime.now(UTC), parts={"json": body})
    [request] = webhooks.requests.items
    for secret in (OLD, NEW):
        assert Verifier(secret).verify(request.body, dict(request.headers)) == json.loads(body)
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    with pytest.raises(WebhookVerificationError):
        Verifier(other).verify(request.body, dict(request.headers))


@pytest.mark.parametrize("whole", [True, False])
async def test_v1a_beside_v1(http: Http, webhooks: Receiver, whole: bool) -> None:
    raw = KEY.private_bytes_raw() + (KEY.public_key().public_bytes_raw() if whole else b"")
    channel = webhook(webhooks.url, secrets=[OLD], signing_key="whsk_" + base64.b64encode(raw).decode())
    await deliver(channel, http)
    [request] = webhooks.requests.items
    first, second = request.headers["webhook-signature"].split(" ")
    assert first.startswith("v1,")
    version, _, signature = second.partition(",")
    assert version == "v1a"
    signed = (
        f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    )
    KEY.public_key().verify(base64.b64decode(signature), signed)


async def test_every_attempt_has_the_same_id_and_its_own_time(http: Http, webhooks: Receiver) -> None:
    channel = webhook(webhooks.url, secrets=[OLD])
    now = datetime.now(UTC)
    await deliver(channel, http, at=now - timedelta(seconds=100), attempt=1)
    await deliver(channel, http, at=now, attempt=2)
    first, second = webhooks.requests.items
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 100
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_without_secrets_there_is_no_signature(http: Http, webhooks: Receiver) -> None:
    await deliver(webhook(webhooks.url), http)
    assert "webhook-signature" not in webhooks.requests[0].headers
    assert webhooks.requests[0].headers["Content-Type"] == "application/json"


async def test_method_headers_and_type(http: Http, webhooks: Receiver) -> None:
    channel = webhook(
        webhooks.url + "/in?x=1",
        method="PUT",
        headers={"Authorization": "Bearer abcdef"},
        content_type="text/plain; charset=utf-8",
    )
    await deliver(channel, http, parts={"json": "no JSON at all"})
    [request] = webhooks.requests.items
    assert (request.method, request.path, request.body) == ("PUT", "/in?x=1", b"no JSON at all")
    assert request.headers["Authorization"] == "Bearer abcdef"
    assert request.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_tls_with_a_client_certificate(http: Http, pki: Pki, make_receiver: Any) -> None:
    receiver = make_receiver(tls=True, ask_client=True)
    mine = {"client_cert": pki.client_cert, "client_key": pki.client_key}
    await deliver(webhook(receiver.url, ca_file=pki.ca_file, **mine), http)
    assert len(receiver.requests) == 1


async def test_private_targets_are_refused_unless_meant(http: Http, webhooks: Receiver) -> None:
    with pytest.raises(Refused, match="allow_private: true"):
        await deliver(webhook(webhooks.url, allow_private=False), http)
    assert len(webhooks.requests) == 0


@pytest.mark.parametrize("body", ["", "{", "{'a': 1}", '{"a": NaN}', "[" * 100_000, '{"a": 1}}'])
def test_a_template_that_makes_no_json(body: str) -> None:
    with pytest.raises(BadBody, match="makes no valid JSON"):
        webhook("http://h").compose(message(parts={"json": body}))


def test_the_plain_form_says_so() -> None:
    payload = {"type": "trust.deleted", "timestamp": "…", "data": {"id": "evt_1"}}
    parts = webhook("http://h").plain("title", "the template failed", payload)
    assert json.loads(parts["json"]) == {
        "type": "trust.deleted",
        "timestamp": "…",
        "data": {"id": "evt_1", "title": "title", "text": "the template failed"},
    }
    assert payload["data"] == {"id": "evt_1"}


def short(size: int) -> str:
    return base64.b64encode(b"S3" * (size // 2)).decode()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"secrets": ["whsec_" + short(22)]}, "decodes to 22"),
        ({"secrets": ["whsec_" + short(66)]}, "decodes to 66"),
        ({"secrets": ["whsec_?" + short(32)]}, "not of the form `whsec_`"),
        ({"secrets": ["whsk_" + short(32)]}, "belongs under `signing_key`"),
        ({"signing_key": "whpk_" + short(32)}, "for receivers"),
        ({"signing_key": ["whsk_" + short(32), "whsk_" + short(30)]}, "decodes to 30"),
        ({"signing_key": "whsk_" + short(64)}, "not the public key of its first half"),
        ({"signing_key": short(32)}, "a signing key is `whsk_`"),
        ({"url": "soc.example.com/S3S3"}, "not a URL"),
        ({"url": "ftp://soc.example.com/S3S3"}, "not a URL"),
        ({"url": "http://[::1/S3S3"}, "not a URL"),
        ({"headers": {"Webhook-Id": "S3S3"}}, "set by the relay"),
        ({"headers": {"Content-Type": "S3S3"}}, "`content_type`"),
        ({"headers": {"X": "S3S3\r\nY: 1"}}, "line breaks"),
        ({"headers": {"X Y": "S3S3"}}, "no name of a header"),
        ({"content_type": "text/plain\r\nX: 1"}, "pattern"),
        ({"method": "GET"}, "'POST', 'PUT' or 'PATCH'"),
    ],
)
def test_configuration_errors_help_and_tell_no_secret(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        webhook(**({"url": "http://h"} | options))
    assert text in str(caught.value)
    assert "S3S3" not in str(caught.value)
    assert "UzNT" not in str(caught.value)


@pytest.mark.parametrize(
    "secret", [short(24), "whsec_" + short(24), "whsec_" + short(64), short(32).rstrip("=")]
)
def test_secrets_that_the_package_takes_are_taken(secret: str) -> None:
    assert webhook("http://h", secrets=[secret]).secrets()
