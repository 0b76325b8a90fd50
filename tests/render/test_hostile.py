"""Text from MSR is untrusted: whatever it is, each place keeps its structure."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.model.catalogue import CATALOGUE
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.render import Renderer, payload, plain_text
from tests.render.helpers import PUBLIC, StillClock, every_event, hostile, telling

RENDERER = Renderer([], clock=StillClock(), public_url=PUBLIC)
EVENTS = list(every_event())
ATTACKS = {
    "html": "</td></tr></table><script>alert(1)</script><img src=x onerror=alert(1)>\"'",
    "comment": "<!-- --><!DOCTYPE x><![CDATA[",
    "mention": "<!channel> <!here> <@U1> <#C1> <https://evil.example|click>",
    "entities": "&lt;!channel&gt; &amp;lt;",
    "mrkdwn": "*bold* _it_ ~no~ `code` ```fence``` > quote",
    "json": '", "channel": "C1", "x": "\\',
    "jinja": "{{ 7 * 7 }}{% raw %}{# #}",
    "ansi": "\x1b[2J\x1b]0;title\x07\x9b31m",
    "bidi": "app\u202egnp.exe\u2066\u2069\u200e\u200b\ufeff",
    "header": "x\r\nBcc: everybody@example.com\r\n\r\nbody\u2028Bcc: y\x85z",
    "huge": "A<&`" * 262_144,
    "wide": "\U0001f600" * 100_000,
    "line": "word " * 200_000,
    "surrogate": "a\ud800b\udfffc",
    "nul": "a\0b",
    "blank": " \t\n ",
}
SHORT = [attack for attack in ATTACKS.values() if len(attack) < 100]
LONG = ATTACKS["huge"]
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
OWN_LINK = re.compile(
    rf"<{re.escape(PUBLIC)}/(?:events/evt_[0-9a-f]+\|Open(?: in MSR Relay)?|alerts\|All alerts)>"
)


class Structure(HTMLParser):
    """The tags of a document with their attributes, without what texts may change: hrefs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Any] = []
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.hrefs += [value or "" for name, value in attrs if name == "href"]
        self.tags.append((tag, [attr for attr in attrs if attr[0] != "href"]))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_decl(self, decl: str) -> None:
        self.tags.append(decl)

    def handle_comment(self, data: str) -> None:
        self.tags.append(data)

    def unknown_decl(self, data: str) -> None:
        self.tags.append(data)


def structure(html: str) -> Structure:
    found = Structure()
    found.feed(html)
    found.close()
    return found


def texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for member in members for text in texts(member)]


def check_slack(*events: Event) -> None:
    whole = RENDERER.render("slack", ["json"], telling(*events))["json"]
    document = json.loads(whole)
    assert set(document) == {"text", "blocks"}
    # What Slack takes of all blocks together, so that the channel need not cut.
    assert len(json.dumps(document["blocks"], ensure_ascii=False)) <= 12_000
    for text in texts(document):
        rest = OWN_LINK.sub("", text)
        assert "<" not in rest
        assert ">" not in rest
        assert not re.search(r"&(?!amp;|lt;|gt;)", rest)
        assert not UNSAFE.search(text)
        assert len(text) <= 3000
    assert len(document["blocks"][0]["text"]["text"]) <= 150
    for block in document["blocks"]:
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))
        for piece in [block.get("text"), *block.get("fields", []), *block.get("elements", [])]:
            if piece and piece["type"] == "mrkdwn":
                assert piece["verbatim"] is True


def check_text(*events: Event) -> None:
    for kind, body, line in (("email", "txt", "subject.txt"), ("apprise", "txt", "title.txt")):
        parts = RENDERER.render(kind, [body, line], telling(*events))
        assert not UNSAFE.search(parts[body])
        assert len(parts[body]) < 60_000
        assert parts[line] == " ".join(parts[line].split())
        assert not UNSAFE.search(parts[line])
        assert len(parts[line]) < 300
    assert not UNSAFE.search(RENDERER.render("console", ["txt"], telling(*events))["txt"])


def check_html(text: str, event: Event) -> None:
    html = RENDERER.render("email", ["html"], telling(hostile(event, text)))["html"]
    harmless = RENDERER.render("email", ["html"], telling(hostile(event, "harmless")))["html"]
    assert structure(html).tags == structure(harmless).tags
    assert structure(html).hrefs == structure(harmless).hrefs
    assert not UNSAFE.search(html)
    assert len(html) < 400_000


def check_webhook(*events: Event) -> None:
    whole = RENDERER.render("webhook", ["json"], telling(*events))["json"]
    assert whole.isascii()
    assert json.loads(whole) == payload(telling(*events), PUBLIC)
    assert all(len(text) <= 4000 for text in texts(json.loads(whole)))
    for text in texts(json.loads(whole)):
        text.encode()
        assert "\0" not in text


def check_plain(*events: Event) -> None:
    title, text = plain_text(telling(*events), "line 1: \x1b[2J broken\nhere")
    assert len(title) <= 200
    assert len(title.splitlines()) == 1
    assert not UNSAFE.search(title + text)


@pytest.mark.parametrize("event", EVENTS, ids=[f"{event.type}-{event.status}" for event in EVENTS])
@pytest.mark.parametrize("text", ["".join(SHORT), LONG], ids=["short", "long"])
def test_no_event_brings_an_attack_in(event: Event, text: str) -> None:
    check_slack(hostile(event, text))
    check_text(hostile(event, text))
    check_webhook(hostile(event, text))
    check_plain(hostile(event, text))
    check_html(text, event)


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("type_name", ["trust.deleted", "channel.failing"])
def test_no_attack_breaks_any_place(type_name: str, attack: str) -> None:
    event = sample(type_name)
    bad = hostile(event, ATTACKS[attack])
    check_slack(bad)
    check_text(bad)
    check_webhook(bad)
    check_plain(bad)
    if attack != "blank":
        check_html(ATTACKS[attack], event)


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_breaks_a_group(attack: str) -> None:
    bad = [hostile(event, ATTACKS[attack]) for event in EVENTS[::3]]
    check_slack(*bad)
    check_text(*bad)
    check_webhook(*bad)
    check_plain(*bad)


@settings(max_examples=30, deadline=None)
@given(
    type_name=st.sampled_from(sorted(CATALOGUE)),
    text=st.text(st.characters(), min_size=1).map(lambda text: text + "x")
    | st.text(st.sampled_from("<>&`*_~\"'\\\n\r\0\x1b@!#|{}%\ud800\u202e"), min_size=1).map(
        lambda text: text + "x"
    ),
)
def test_no_text_breaks_any_place(type_name: str, text: str) -> None:
    event = sample(type_name)
    check_slack(hostile(event, text))
    check_text(hostile(event, text))
    check_webhook(hostile(event, text))
    check_plain(hostile(event, text))
    check_html(text, event)


def test_the_names_of_rule_and_channel_are_escaped_too() -> None:
    event = sample("trust.deleted")
    told = telling(event, rule=ATTACKS["mention"], channel=ATTACKS["html"])
    assert "<!channel" not in RENDERER.render("slack", ["json"], told)["json"]
    assert "<!here" not in RENDERER.render("email", ["html"], told)["html"]


def test_formatting_characters_do_not_format_in_slack() -> None:
    event = hostile(sample("trust.deleted"), "*prod*/_app_`")
    document = json.loads(RENDERER.render("slack", ["json"], telling(event))["json"])
    fields = [field["text"] for block in document["blocks"] for field in block.get("fields", [])]
    assert "*Repository*\n`*prod*/_app_'`" in fields


def test_long_lists_are_cut() -> None:
    event = sample("config.rejected", Status.FIRING)
    bad = hostile(event, "x")
    bad.details["problems"].extend(["p"] * 100_000)  # type: ignore[index]
    assert len(payload(telling(bad), None)["data"]["details"]["problems"]) == 1000
    assert "and 995 more" in RENDERER.render("email", ["txt"], telling(bad))["txt"]
