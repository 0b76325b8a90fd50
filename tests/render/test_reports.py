"""Reports: whatever the evidence says is a text; people can read it, on a phone, in the dark, printed."""

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from relay.cli import verdicts
from relay.engine.evidence import Verifier
from relay.engine.history import Historian
from relay.model.evidence import Draft, Entry, Head, Kind, canonical, link
from relay.render.renderer import shipped
from relay.render.reports import Form, Reports
from tests.real.browser import browsing
from tests.render.helpers import StillClock
from tests.render.test_hostile import ATTACKS, UNSAFE
from tests.render.test_pages import contrast

NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
STYLE = (shipped() / "report" / "style.css").read_text()
MARKUP = MarkdownIt("commonmark").enable("table")


def chain(text: str = "harmless", *, repository: str = "prod/app", broken: bool = False) -> list[Entry]:
    """A history in which everything that may come from outside is the text, but the repository's name."""
    record = {
        "event": text,
        "gun": text,
        "happened_at": NOW.isoformat(),
        "details": {
            "record_id": text,
            "version": 3,
            "sha256": text,
            "reason": text,
            "excerpt": text,
            "feed": text,
        },
    }
    snapshot = {
        "gun": text,
        "event": text,
        "sha256": text,
        "why": text,
        "verified": True,
        "versions": {text: text},
        "tags": {text: {text: {"sha256": text, "length": 9}, "2": [text, 3]}},
        "signers": {text: [text, text]},
    }
    bodies = [
        (Kind.RECORD, {**record, "type": "trust.updated"}),
        (Kind.SNAPSHOT, snapshot),
        (Kind.SNAPSHOT, {**snapshot, "verified": False}),
        (Kind.RECORD, {**record, "type": "trust.deleted"}),
        (Kind.RECORD, {**record, "type": "trust.unreadable"}),
        (Kind.RECORD, {**record, "type": text}),
    ]
    found: list[Entry] = []
    for number, (kind, body) in enumerate(bodies, 1):
        draft = Draft(
            NOW + timedelta(hours=number), kind, canonical(body), text if number % 2 else "prod", repository
        )
        found.append(link(number, draft, found[-1].hash if found else "0" * 64))
    if broken:
        found[2] = replace(found[2], hash=text)
    return found


def rendered(form: Form, entries: list[Entry], repository: str = "prod/app") -> str:
    verifier = Verifier()
    historian = Historian(repository, None, verifier)
    historian.take(entries)
    found = historian.finish(Head(entries[-1].seq, entries[-1].hash))
    assert found is not None
    return Reports(form, clock=StillClock(), timezone=BERLIN).render(
        "history",
        history=found,
        verdict=found.verdict,
        chain=list(verdicts.fields(found.verdict, verifier)),
        notes=list(verdicts.notes(found.verdict, verifier, file=False, partial=False)),
        sure=verifier.sure_through(),
    )


class Structure(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Any] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Long words are in another font.
        kept = [attr for attr in attrs if attr != ("class", "hash")]
        self.tags.append((tag, kept))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")


def structure(text: str) -> list[Any]:
    parser = Structure()
    parser.feed(text)
    parser.close()
    return parser.tags


def tokens(text: str) -> list[tuple[str, str]]:
    """What Markdown sees, without the texts."""
    return [
        (token.type, token.tag)
        for block in MARKUP.parse(text)
        for token in [block, *(block.children or [])]
        if token.type != "text"
    ]


def check(text: str, *, broken: bool) -> None:
    hostile = chain(text, broken=broken)
    harmless = chain(broken=broken)
    page, plain = rendered(Form.HTML, hostile), rendered(Form.HTML, harmless)
    assert structure(page) == structure(plain)
    assert not UNSAFE.search(page)
    document = rendered(Form.MARKDOWN, hostile)
    assert not UNSAFE.search(document)
    assert tokens(document) == tokens(rendered(Form.MARKDOWN, harmless))


@pytest.mark.parametrize("broken", [False, True], ids=["holds", "broken"])
@pytest.mark.parametrize(
    "name", [name for name in ATTACKS if name not in ("surrogate", "nul", "huge", "blank")]
)
def test_no_text_is_markup(name: str, broken: bool) -> None:
    check(ATTACKS[name], broken=broken)


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.sampled_from("`*_[]()<>#|~&$\\!-+.:/@w \n\ta1&;"), min_size=1, max_size=30).filter(str.strip)
)
def test_no_text_made_of_markup_is_markup(text: str) -> None:
    check(text, broken=True)


@pytest.mark.parametrize(
    "text", ["www.evil.example", "https://evil.example", "@everyone", "a@b.example", "#12"]
)
def test_nothing_becomes_a_link_or_mentions_anybody(text: str) -> None:
    """GitHub and others make links and mentions of bare text, but not in code."""
    document = rendered(Form.MARKDOWN, chain(text), "prod/app")
    outside = "".join(
        token.content
        for block in MARKUP.parse(document)
        for token in block.children or []
        if token.type == "text"
    )
    assert text not in outside
    assert document.count(f"`{text}`") > 10


def test_the_name_of_the_repository_is_a_text_too() -> None:
    name = ATTACKS["html"]
    page = rendered(Form.HTML, chain(repository=name), name)
    assert structure(page) == structure(rendered(Form.HTML, chain()))
    assert html.escape("<script>") in page


def test_it_is_whole_in_itself() -> None:
    page = rendered(Form.HTML, chain())
    assert not re.search(r"<(script|link|img|iframe|object|base|form)\b|url\(|@import|src=", page)
    assert "default-src 'none'" in html.unescape(page)
    assert page.count("<style>") == 1


def test_the_place_of_each_entry_can_be_linked() -> None:
    page = rendered(Form.HTML, chain())
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


def colours(part: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part))


SCHEMES = {
    "light": colours(STYLE.partition("@media")[0]),
    "dark": colours(STYLE[STYLE.index("prefers-color-scheme") : STYLE.index("* {")]),
    "print": colours(STYLE[STYLE.index("@media print") :]),
}
TEXTS = [
    *((colour, paper) for colour in ("ink", "soft") for paper in ("page", "card", "deleted", "holds")),
    ("ink", "code"),
    ("critical", "card"),
    ("critical", "deleted"),
    ("good", "holds"),
    ("warning", "card"),
    ("link", "card"),
    ("link", "deleted"),
]


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_texts_can_be_read(scheme: dict[str, str]) -> None:
    """WCAG 2.2 AA (1.4.3)."""
    assert [pair for pair in TEXTS if contrast(scheme[pair[0]], scheme[pair[1]]) < 4.5] == []


@pytest.mark.real("chromium")
@pytest.mark.parametrize("width", [320, 375, 1280])
async def test_in_a_browser(tmp_path: Path, width: int) -> None:
    """It fits, also where words are long; nothing is loaded or refused; deletions can be told at a glance."""
    file = tmp_path / "report.html"
    file.write_text(rendered(Form.HTML, chain("x" * 300, broken=True)), encoding="utf-8")
    async with browsing(tmp_path, viewport={"width": width, "height": 700}) as context:
        page = await context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(file.as_uri())
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.locator("section.deleted a").first.click()
        deleted = page.locator("article.deleted")
        assert await deleted.locator(".badge").first.inner_text() == "DELETED"
        assert await page.locator("article.unproven").count() == 4
        assert await page.locator("article.other:not(.unproven)").count() == 2
        assert said == []
        assert asked == [file.as_uri()]
        await page.emulate_media(media="print")
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        await page.emulate_media(media="screen", color_scheme="dark")
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 20, 23)"
