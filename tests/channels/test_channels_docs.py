"""The pages about channels: made from the code where they can be, and run where they cannot."""

import base64
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.channels import KINDS, channel_type
from relay.channels.reference import CHANNELS, written
from relay.channels.webhook import Webhook
from relay.http import Http
from tests.channels.messages import message
from tests.real.webhooks import Received, Receiver

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / CHANNELS).read_text(encoding="utf-8")
HOW_TO = (ROOT / "docs/how-to/verify-webhooks.md").read_text(encoding="utf-8")
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


def test_the_tables_are_fresh() -> None:
    assert written(PAGE) == PAGE, "run: python -m relay.channels.reference"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_its_part_and_an_example_that_loads(kind: str) -> None:
    part = PAGE.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    examples = re.findall(r"```yaml\n(.*?)```", part, re.DOTALL)
    assert examples
    for example in examples:
        for channel in yaml.safe_load(re.sub(r"\$\{\w+\}", _value, example))["channels"]:
            assert channel_type(kind).model_validate(channel).kind == kind


def _value(variable: re.Match[str]) -> str:
    return {"${SOC_SECRET}": SECRET, "${SLACK_WEBHOOK}": "https://hooks.slack.com/x"}.get(
        variable[0], "pover://u@t"
    )


def example(name: str) -> dict[str, Any]:
    """What the example defines."""
    found = re.search(rf"<!-- example: {name} -->\n```python\n(.*?)```", HOW_TO, re.DOTALL)
    assert found
    defined: dict[str, Any] = {}
    exec(found[1], defined)
    return defined


async def receive(http: Http, webhooks: Receiver, at: datetime, **options: Any) -> Received:
    given = {"kind": "webhook", "name": "soc", "url": webhooks.url, "allow_private": True}
    channel = Webhook.model_validate(given | options)
    told = message(at=at)
    await channel.send(told, channel.compose(told), http)
    return webhooks.requests[-1]


async def test_verifying_with_the_package(http: Http, webhooks: Receiver) -> None:
    request = await receive(http, webhooks, datetime.now(UTC), secrets=[SECRET])
    verify = example("package")["receive"]
    assert verify(SECRET, dict(request.headers), request.body)["type"] == "trust.deleted"
    with pytest.raises(PermissionError):
        verify(SECRET, dict(request.headers), request.body + b" ")


@pytest.mark.parametrize(("age", "good"), [(0, True), (1000, False)])
async def test_verifying_by_hand(http: Http, webhooks: Receiver, age: int, good: bool) -> None:
    at = datetime.fromtimestamp(time.time() - age, UTC)
    request = await receive(http, webhooks, at, secrets=["whsec_" + "A" * 43, SECRET])
    verify = example("hand")["verify"]
    assert verify(SECRET, request.headers, request.body) is good
    assert verify(SECRET, request.headers, request.body + b" ") is False


async def test_verifying_with_a_public_key(http: Http, webhooks: Receiver) -> None:
    keys = example("keys")
    request = await receive(
        http, webhooks, datetime.now(UTC), secrets=SECRET, signing_key=keys["signing_key"]
    )
    verify = example("public")["verify"]
    assert verify(keys["public_key"], request.headers, request.body) is True
    assert verify(keys["public_key"], request.headers, request.body + b" ") is False
    assert verify(example("keys")["public_key"], request.headers, request.body) is False
