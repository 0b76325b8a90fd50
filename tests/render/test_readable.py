"""JSON for people to read: what is short on the wire stays so on a page."""

import json

import pytest

from relay.render.block_view import slack_view
from relay.render.readable import READABLE, readable


def nested(depth: int, members: int) -> str:
    return "[" * depth + "0," * members + "0" + "]" * depth


def test_it_is_indented() -> None:
    assert readable({"a": [1, "ä"]}) == '{\n  "a": [\n    1,\n    "ä"\n  ]\n}'


@pytest.mark.parametrize("text", [nested(300, 1000), nested(1, 50_000)])
def test_what_would_be_long_is_on_one_line(text: str) -> None:
    value = json.loads(text)
    found = readable(value)
    assert "\n" not in found
    assert json.loads(found) == value


def test_up_to_the_limit_it_is_indented() -> None:
    # What is around the text: `[`, a line break and two blanks, two quotes, a line break and `]`.
    just = [(READABLE - 8) * "x"]
    assert len(readable(just)) == READABLE
    assert "\n" in readable(just)
    assert "\n" not in readable([just[0] + "x"])


def test_a_slack_message_cannot_grow_on_its_way_to_the_page() -> None:
    body = '{"text": "x", "attachments": [{"x": ' + nested(300, 100_000) + "}]}"
    (shown,) = slack_view(body).attachments[0].blocks
    assert len(shown.json) < 2 * len(body)
