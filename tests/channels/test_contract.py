"""What every kind of channel has to keep, over the registry: a kind without a peer to test it fails."""

import logging
import traceback
from dataclasses import asdict
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from relay.channels import KINDS, Channel, Retryable, SendError, channel_type
from relay.http import Http
from relay.model.delivery import Outcome
from tests.channels.messages import AT, message
from tests.channels.peers import HTTP, PEERS, SECRET, Peer
from tests.channels.trouble import RETRY_SECONDS, RETRY_UNTIL, Trouble
from tests.real.pki import Pki

CASES = [pytest.param(p, t, id=f"{p.name}-{t.name.lower()}") for p in PEERS for t in p.expected]


def secret_fields(model: type[BaseModel]) -> set[str]:
    """The fields of a model in which, at any depth, a secret can stand."""
    schema = model.model_json_schema(by_alias=False)
    definitions = schema.get("$defs", {})

    def holds(node: Any) -> bool:
        if isinstance(node, dict):
            if node.get("format") == "password" or node.get("writeOnly"):
                return True
            if "$ref" in node:
                return holds(definitions[node["$ref"].rpartition("/")[2]])
            return any(holds(value) for value in node.values())
        return isinstance(node, list) and any(map(holds, node))

    found = {name for name, property in schema["properties"].items() if holds(property)}
    return found | {
        name for name, field in model.model_fields.items() if "SecretStr" in str(field.annotation)
    }


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_peers_with_all_its_secrets(kind: str) -> None:
    mine = [peer for peer in PEERS if peer.kind == kind]
    assert mine, f"channel kind {kind} has no peer in tests/channels/peers.py"
    planted = {name for peer in mine for name in peer.plants}
    inherited = {"proxy"} if any(p.kind == "webhook" and "proxy" in p.plants for p in PEERS) else set()
    assert secret_fields(channel_type(kind)) - inherited <= planted


@pytest.mark.parametrize(
    "peer", [p for p in PEERS if p.expected.keys() >= {Trouble.GONE}], ids=lambda p: p.name
)
def test_a_kind_that_speaks_http_knows_all_troubles_of_http(peer: Peer) -> None:
    assert peer.expected.keys() == HTTP.keys() == set(Trouble)


@pytest.mark.parametrize(("peer", "trouble"), CASES)
async def test_trouble(
    peer: Peer, trouble: Trouble, http: Http, pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    expected = peer.expected[trouble]
    async with peer.connect(trouble, pki) as case:
        body = case.channel.compose(message())
        error, told = None, ""
        try:
            sent = await case.channel.send(message(), body, http)
            told = str(asdict(sent))
        except SendError as raised:
            error = raised
            told = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        taken = case.taken()
        if expected is None:
            assert error is None, told
            assert all(target.outcome is Outcome.DELIVERED for target in sent.targets)
        else:
            assert isinstance(error, expected), told
        if trouble in {Trouble.DROPPED, Trouble.CUT, Trouble.BROKEN, Trouble.REDIRECT_302}:
            assert taken <= 1, "sent more than once"
        if trouble in {Trouble.LIMITED, Trouble.LIMITED_UNTIL} and peer.tells_when:
            seconds = RETRY_SECONDS if trouble is Trouble.LIMITED else (RETRY_UNTIL - AT).total_seconds()
            assert isinstance(error, Retryable)
            assert error.retry_after == seconds
        assert_secret(case.channel, told + caplog.text + repr(case.channel) + str(case.channel))


def assert_secret(channel: Channel, text: str) -> None:
    assert SECRET not in text
    for secret in channel.secrets():
        assert secret not in text, f"a part of length {len(secret)} of a secret is told"


@pytest.mark.parametrize("peer", PEERS, ids=lambda p: p.name)
async def test_the_plain_form_needs_no_template_and_can_be_sent(peer: Peer, http: Http, pki: Pki) -> None:
    async with peer.connect(Trouble.NONE, pki) as case:
        parts = case.channel.plain("A title", "A text: <b> & \u202e", {"type": "trust.deleted", "data": {}})
        assert parts.keys() == set(case.channel.PARTS)
        plain = message(parts=parts)
        sent = await case.channel.send(plain, case.channel.compose(plain), http)
        assert all(target.outcome is Outcome.DELIVERED for target in sent.targets)


@pytest.mark.parametrize("peer", PEERS, ids=lambda p: p.name)
async def test_composing_takes_what_no_encoding_takes(peer: Peer, http: Http, pki: Pki) -> None:
    async with peer.connect(Trouble.NONE, pki) as case:
        strange = {
            part: '{"text": "\ud800 \\u0000 \\ud800"}'
            if part == "json"
            else "\ud800 \0 \r\nBcc: x@example.com"
            for part in case.channel.PARTS
        }
        odd = message(parts=strange)
        body = case.channel.compose(odd)
        body.encode()
        await case.channel.send(odd, body, http)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_option_is_described(kind: str) -> None:
    model = channel_type(kind)
    assert model.__doc__
    assert [name for name, field in model.model_fields.items() if not field.description] == []
    assert SecretStr.__name__ not in (model.__doc__ or "")
