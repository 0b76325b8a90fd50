"""What Slack would draw, drawn as HTML: everything escaped, nothing dropped."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.render.block_view import SlackView, View, slack_view
from relay.render.mrkdwn import mrkdwn

URL = "https://x.example.com/a"
MENTION = '<span class="mention">{}</span>'
LINK = '<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _italic_ ~gone~ `code`", "<b>bold</b> <i>italic</i> <s>gone</s> <code>code</code>"),
        ("*bold _and italic_*", "<b>bold <i>and italic</i></b>"),
        ("snake_case_name 2*3*4 a~b~c", "snake_case_name 2*3*4 a~b~c"),
        ("* not bold* and *not bold *", "* not bold* and *not bold *"),
        ("`*literal*`", "<code>*literal*</code>"),
        ("```\n*literal* &lt;b&gt;\n```", "<pre>*literal* &lt;b&gt;</pre>"),
        ("a &amp; b &lt;i&gt; &amp;lt;", "a &amp; b &lt;i&gt; &amp;lt;"),
        ("before\n&gt; one\n&gt; two\nafter", "before<blockquote>one\ntwo</blockquote>after"),
        (f"<{URL}?a&amp;b|a *label*>", LINK.format(f"{URL}?a&amp;b", "a *label*")),
        (f"<{URL}>", LINK.format(URL, URL)),
        (f"see {URL}.", f"see {LINK.format(URL, URL)}."),
        ("<javascript:alert(1)|click>", "click"),
        ("<@U123> <#C9|ops>", f"{MENTION.format('@U123')} {MENTION.format('#ops')}"),
        ("<!here> <!subteam^S1|@oncall>", f"{MENTION.format('@here')} {MENTION.format('@oncall')}"),
        ("<!date^1392734382^{date}|18 Feb>", "18 Feb"),
        (":fire: stays", ":fire: stays"),
        ("<b onclick=x>no tag</b>", "b onclick=xno tag/b"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
    ],
)  # fmt: skip
def test_mrkdwn(text: str, html: str) -> None:
    assert str(mrkdwn(text)) == html


def test_verbatim_makes_no_links() -> None:
    assert str(mrkdwn("https://x.example.com", verbatim=True)) == "https://x.example.com"


@given(st.text(alphabet="<>&\"'*_~`|@!#\n ab;/:"))
def test_nothing_but_our_own_tags(text: str) -> None:
    html = str(mrkdwn(text))
    for ours in ("b", "i", "s", "code", "pre", "blockquote", "span", "a"):
        html = html.replace(f"</{ours}>", "").replace(f"<{ours}>", "")
    html = html.replace('<span class="mention">', "")
    assert "<script" not in html
    assert html.count("<") == html.count('<a href="')


def blocks(*given: dict[str, Any]) -> tuple[View, ...]:
    return slack_view(json.dumps({"blocks": given})).blocks


def text(content: str, kind: str = "mrkdwn") -> dict[str, str]:
    return {"type": kind, "text": content}


def test_the_blocks_that_we_use() -> None:
    button = {"type": "button", "text": text("Go", "plain_text"), "style": "danger"}
    found = blocks(
        {"type": "header", "text": text("*raw*", "plain_text")},
        {"type": "section", "text": text("*b*"), "fields": [text("_i_")]},
        {"type": "context", "elements": [text("c"), {"type": "image", "alt_text": "<alt>"}]},
        {"type": "divider"},
        {"type": "actions", "elements": [button]},
    )  # fmt: skip
    assert [each.kind for each in found] == ["header", "section", "context", "divider", "actions"]
    header, section, context, _, actions = found
    assert (str(header.text), str(section.text), str(section.fields[0])) == ("*raw*", "<b>b</b>", "<i>i</i>")
    assert "image: &lt;alt&gt;" in str(context.fields[1])
    assert (str(actions.buttons[0].text), actions.buttons[0].style) == ("Go", "danger")


def test_rich_text() -> None:
    run = {"type": "text", "text": "<x>", "style": {"bold": True, "code": True}}
    rows = {"type": "rich_text_section", "elements": [{"type": "user", "user_id": "U1"}]}
    listed = {"type": "rich_text_list", "style": "ordered", "elements": [rows], "indent": 99}
    quote = {"type": "rich_text_quote", "elements": [run]}
    (found,) = blocks({"type": "rich_text", "elements": [quote, listed]})
    assert str(found.text) == (
        "<blockquote><b><code>&lt;x&gt;</code></b></blockquote>"
        '<ol class="indent-8"><li><span class="mention">@U1</span></li></ol>'
    )


@pytest.mark.parametrize(
    "block",
    [
        {"type": "video", "title": "x"},
        {"type": ["header"]},
        {"type": "header"},
        {"type": "section", "text": {"type": "mrkdwn", "text": 5}},
        {"type": "rich_text", "elements": [{"type": "rich_text_list", "indent": 1e999, "elements": []}]},
        {"type": "actions", "elements": [{"type": "datepicker"}]},
        {},
    ],
)
def test_what_is_not_known_is_shown_as_it_is(block: dict[str, Any]) -> None:
    (found,) = blocks(block)
    assert (found.kind, json.loads(found.json)) == ("unknown", block)


def test_a_message_without_blocks_is_its_text() -> None:
    assert str(slack_view('{"text": "*b*"}').blocks[0].text) == "<b>b</b>"
    assert str(slack_view('{"text": "*b*", "mrkdwn": false}').blocks[0].text) == "*b*"


def test_attachments() -> None:
    found = slack_view('{"text": "t", "attachments": [{"color": "danger", "text": "_x_"}, 5]}')
    first, second = found.attachments
    assert (first.colour, str(first.blocks[0].text), second.blocks[0].json) == ("danger", "<i>x</i>", "5")


def test_nothing_is_an_empty_message() -> None:
    assert slack_view("{}") == SlackView(())
