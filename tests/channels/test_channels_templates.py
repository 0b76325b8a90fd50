"""The shipped templates and the channels fit together."""

import json
from datetime import UTC
from typing import Any

import pytest

from relay.channels import KINDS, Channel, channel_type
from relay.model.catalogue import CATALOGUE
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.render import Renderer, Telling
from tests.channels.messages import message
from tests.channels.test_channels_block_kit import check
from tests.support.clock import ManualClock

OPTIONS: dict[str, dict[str, Any]] = {
    "apprise": {"urls": ["json://localhost"]},
    "console": {},
    "email": {"smtp": {"host": "h"}, "from": "relay@example.com", "to": "a@example.com"},
    "slack": {"webhook_url": "https://hooks.slack.com/x"},
    "webhook": {"url": "https://h"},
}


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer((), clock=ManualClock(), timezone=UTC, public_url="https://relay.example.com")


def channel(kind: str) -> Channel:
    return channel_type(kind)(**({"kind": kind, "name": f"a {kind}"} | OPTIONS[kind]))


def events() -> list[tuple[Event, ...]]:
    alone = [sample(name) for name in CATALOGUE]
    over = [sample(kind.name, Status.RESOLVED) for kind in CATALOGUE.values() if kind.lasting]
    return [*((event,) for event in alone + over), tuple(alone), tuple(alone * 10)]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_sample_can_be_composed(kind: str, renderer: Renderer) -> None:
    target = channel(kind)
    for told in events():
        parts = renderer.render(kind, target.PARTS, Telling(told, "a rule", target.name, "dlv_1", None))
        body = target.compose(message(parts=parts))
        assert body
        assert "(cut)" not in body or len(told) > 1
        if kind == "slack":
            check(json.loads(body))
