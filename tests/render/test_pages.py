"""The server's pages: no kind of channel, nobody's own, and of enough contrast in both schemes."""

import re
from pathlib import Path

import pytest

from relay.render import Pages, Renderer
from relay.render.renderer import shipped
from tests.render.helpers import StillClock

STYLE = (shipped() / "pages" / "style.css").read_text()
LIGHT, DARK = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", part)) for part in STYLE.split("@media")[:2])
TEXTS = [
    *(
        (colour, "card")
        for colour in ("ink", "soft", "link", "wrong", "critical", "error", "warning", "info")
    ),
    *((colour, "page") for colour in ("ink", "soft")),
    ("resolved", "card"),
    ("ink", "field"),
    ("ink", "done"),
    ("button-ink", "button"),
]
EDGES = [("edge", "card"), ("edge", "field"), ("button", "card"), ("link", "card"), ("wrong", "field")]


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in values]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_the_standard_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_edges_can_be_seen(scheme: dict[str, str]) -> None:
    """WCAG 2.2 AA: 4.5 for text (1.4.3), 3 for the edges of what is operated (1.4.11)."""
    low = [pair for pair in TEXTS if contrast(scheme[pair[0]], scheme[pair[1]]) < 4.5]
    assert low + [pair for pair in EDGES if contrast(scheme[pair[0]], scheme[pair[1]]) < 3] == []


def test_pages_are_no_kind_of_channel(renderer: Renderer) -> None:
    assert "pages" not in renderer.kinds()
    assert renderer.files("pages") == ()


def test_a_users_own_do_not_stand_before_them(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "refused.html.j2").write_text("{{ broken")
    renderer = Renderer([tmp_path], clock=StillClock())
    assert renderer.check() == []
    assert "pages" not in renderer.kinds()


def test_the_policy_fits_the_style() -> None:
    """A style that came out otherwise than it was hashed would be refused by every browser."""
    pages = Pages(clock=StillClock())

    class Refused:
        title, advice, commands = "<No>", "", ()

    page = pages.render("refused", refused=Refused())
    assert f"<style>{STYLE}</style>" in page
    assert "<h1>&lt;No&gt;</h1>" in page
