"""Slack's limits, checked against a validator that knows nothing of how they are met."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.channels import BadBody
from relay.channels.block_kit import ALL_BLOCKS, cut_mrkdwn, fit
from relay.channels.slack import Slack
from tests.channels.messages import message

CHANNEL = Slack.model_validate({"kind": "slack", "name": "o", "webhook_url": "https://hooks.slack.com/x"})


def check(document: dict[str, Any]) -> None:
    """docs.slack.dev, reference/block-kit/blocks."""
    assert len(document.get("text", "")) <= 4000
    blocks = document.get("blocks", [])
    assert len(blocks) <= 50
    assert len(json.dumps(blocks, ensure_ascii=False)) <= 13_200
    for block in blocks:
        match block["type"]:
            case "header":
                assert 1 <= len(block["text"]["text"]) <= 150
            case "section":
                assert "text" not in block or 1 <= len(block["text"]["text"]) <= 3000
                assert len(block.get("fields", [])) <= 10
                assert all(1 <= len(field["text"]) <= 2000 for field in block.get("fields", []))
            case "context":
                assert len(block["elements"]) <= 10
                assert all(1 <= len(element["text"]) <= 2000 for element in block["elements"])
            case "actions":
                assert len(block["elements"]) <= 25
                assert all(1 <= len(element["text"]["text"]) <= 75 for element in block["elements"])


def text(size: int, kind: str = "mrkdwn") -> dict[str, str]:
    return {"type": kind, "text": "x" * size}


def section(size: int) -> dict[str, Any]:
    return {"type": "section", "text": text(size)}


texts = st.integers(0, 5000).map(text)
blocks = st.one_of(
    st.builds(lambda t: {"type": "header", "text": t}, texts),
    st.builds(lambda t: {"type": "section", "text": t}, texts),
    st.builds(lambda f: {"type": "section", "fields": f}, st.lists(texts, min_size=1, max_size=14)),
    st.builds(lambda e: {"type": "context", "elements": e}, st.lists(texts, min_size=1, max_size=14)),
    st.just({"type": "divider"}),
    st.builds(
        lambda t, n: {"type": "actions", "elements": [{"type": "button", "text": t, "url": "https://h"}] * n},
        texts,
        st.integers(1, 40),
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=100), st.lists(blocks, max_size=70))
def test_whatever_a_template_makes_fits(title: str, made: list[dict[str, Any]]) -> None:
    check(fit({"text": title or "x", "blocks": made}))


def test_what_fits_is_left_alone() -> None:
    document = {"text": "x", "blocks": [section(3000), {"type": "divider"}], "unfurl_links": False}
    assert fit(document) == document


def test_cutting_shows() -> None:
    many = fit({"blocks": [{"type": "divider"}] * 60})["blocks"]
    assert len(many) == 50
    assert "11 more parts of this message left out (cut)" in json.dumps(many[-1])
    long = fit({"blocks": [section(3001)]})["blocks"][0]["text"]["text"]
    assert long.endswith("… (cut)")
    fields = fit({"blocks": [{"type": "section", "fields": [text(5)] * 12}]})["blocks"][0]["fields"]
    assert [field["text"] for field in fields[-2:]] == ["xxxxx", "… 3 more (cut)"]
    huge = fit({"blocks": [section(3000)] * 49})["blocks"]
    assert len(json.dumps(huge, ensure_ascii=False)) <= ALL_BLOCKS
    assert "left out (cut)" in json.dumps(huge[-1])


def test_attachments_share_the_room() -> None:
    document = fit({"text": "x", "attachments": [{"color": "#f00", "blocks": [section(3000)] * 20}] * 3})
    assert len(json.dumps(document)) < 13_200
    assert document["attachments"][0]["color"] == "#f00"


@pytest.mark.parametrize(
    ("source", "start"),
    [
        ("a" * 20 + "&amp;" + "b" * 60, "a" * 20),
        ("a" * 20 + "<https://example.com/a/long/link|label>" + "b" * 60, "a" * 20),
    ],
)
def test_no_entity_or_link_is_cut_in_two(source: str, start: str) -> None:
    for limit in range(13, len(source)):
        short = cut_mrkdwn(source, limit)
        assert len(short) <= limit
        kept = short.removesuffix("… (cut)")
        assert source.startswith(kept)
        assert kept.count("<") == kept.count(">")
        assert kept.count("&") == kept.count(";")


def test_a_cut_code_block_is_closed() -> None:
    short = cut_mrkdwn("```" + "x\n" * 100 + "```", 50)
    assert short.count("```") == 2
    assert len(short) <= 50


def test_an_empty_text_would_have_the_whole_message_refused() -> None:
    check(fit({"blocks": [section(0), {"type": "context", "elements": [text(0)]}]}))


@pytest.mark.parametrize(
    "made",
    [
        "[]",
        "1",
        "{}",
        '{"text": ""}',
        '{"text": 1}',
        '{"blocks": {}}',
        '{"blocks": [1]}',
        '{"blocks": [{}]}',
        '{"blocks": [{"type": "section", "text": "x"}]}',
        '{"blocks": [{"type": "section", "fields": "x"}]}',
        '{"attachments": "x"}',
        "not JSON",
    ],
)
def test_what_is_no_slack_message_is_the_templates_fault(made: str) -> None:
    with pytest.raises(BadBody, match="the template makes no"):
        CHANNEL.compose(message(parts={"json": made}))
