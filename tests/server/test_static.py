"""Scripts and styles: found by a page, kept by browsers for ever, public."""

import gzip
import re
from pathlib import Path

import pytest

from relay.server.static import Assets, assets
from tests.server.conftest import Site


async def test_a_script_is_served_whole_and_for_ever(site: Site) -> None:
    path = assets().url("htmx.min.js")
    assert re.fullmatch(r"/assets/htmx\.min-[0-9a-f]{16}\.js", path)
    async with site.session.get(path) as answer:
        assert (answer.status, answer.content_type) == (200, "text/javascript")
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (await answer.text()).startswith("var htmx=")


async def test_browsers_find_an_icon_without_being_told(site: Site) -> None:
    async with site.session.get("/favicon.ico") as answer:
        assert (answer.status, answer.content_type) == (200, "image/svg+xml")
        assert (await answer.text()).startswith("<svg ")


@pytest.mark.parametrize("accepts", ["gzip, br", "identity"])
async def test_it_is_packed_for_who_can_unpack(site: Site, accepts: str) -> None:
    path = assets().url("style.css")
    site.session._auto_decompress = False
    async with site.session.get(path, headers={"Accept-Encoding": accepts}) as answer:
        content = await answer.read()
        packed = answer.headers.get("Content-Encoding") == "gzip"
    assert packed == ("gzip" in accepts)
    assert (gzip.decompress(content) if packed else content).startswith(b":root {")


@pytest.mark.parametrize("name", ["htmx.min.js", "htmx.min-0000000000000000.js", "..%2Flogin.py", "x"])
async def test_nothing_else_is_there(site: Site, name: str) -> None:
    assert (await site.get(f"/assets/{name}"))[0] == 404


def test_the_address_changes_with_the_content(tmp_path: Path) -> None:
    def url(content: str) -> str:
        (tmp_path / "a.js").write_text(content)
        return Assets([tmp_path]).url("a.js")

    assert url("1") == url("1") != url("2")


async def test_pages_may_use_only_what_the_relay_serves(site: Site) -> None:
    async with site.session.get("/login") as answer:
        policy = dict(
            part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
        )
    style = policy.pop("style-src").split()
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "connect-src": "'self'", "img-src": "'self' data:",
        "frame-src": "'self'", "form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip
    assert style[1:] == ["'self'"]
    assert style[0].startswith("'sha256-")
