"""The playground and the rule tester in a real browser: live while typing, and without scripts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.acceptance.in_process import running
from tests.real.browser import browsing

pytestmark = pytest.mark.real("chromium")

TOKEN = "a-token-for-people"
SETTINGS = {
    "server": {"listen": "127.0.0.1:0", "api_token": TOKEN},
    "clusters": [{"name": "prod", "url": "http://127.0.0.1:9"}],
    "channels": [
        {"name": "ops", "kind": "slack", "webhook_url": "https://hooks.example.com/services/x"},
        {"name": "oncall", "kind": "email", "smtp": {"host": "mail.example.com"}, "from": "relay@example.com",
         "to": "ann@example.com"},
    ],
}  # fmt: skip


@asynccontextmanager
async def looking(folder: Path, path: str, **options: Any) -> AsyncIterator[tuple[Page, list[str]]]:
    """A page of a running relay, after logging in; and what the browser complained about."""
    async with running(folder, SETTINGS) as relay, browsing(folder, **options) as browser:
        page = await browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(f"http://127.0.0.1:{relay.app.port}{path}")
        await page.get_by_label("Token").fill(TOKEN)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Log out")).to_be_visible()
        yield page, complaints


async def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody from using a page."""
    found = await Axe().run(page)
    return [
        f"{each['id']}: {each['nodes'][0]['html']}"
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_template_is_seen_while_it_is_typed(tmp_path: Path, scheme: Any) -> None:
    path = "/playground?to=slack&type=trust.deleted"
    async with looking(tmp_path, path, color_scheme=scheme) as (page, complaints):
        shown = page.locator("#preview")
        await expect(shown.locator(".slack-header")).to_contain_text("Trust data of prod/app was deleted")
        assert await serious(page) == []
        source = page.locator("[name='part.json']")
        await source.fill('{"text": "*{{ event.type }}* <!here>"}')
        await expect(shown.locator(".slack b").first).to_have_text("trust.deleted")
        await expect(shown.locator(".mention")).to_have_text("@here")
        await source.fill("\n\n{{ evnt }}")
        await expect(shown.get_by_role("alert")).to_contain_text(
            "line 3: 'evnt' is undefined; did you mean 'event'?"
        )
        await expect(source).to_have_value("\n\n{{ evnt }}")
        assert await serious(page) == []
        assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_mail_is_framed_with_its_own_styles_and_nothing_more(tmp_path: Path, scheme: Any) -> None:
    path = "/playground?to=channel:oncall&type=trust.deleted"
    async with looking(tmp_path, path, color_scheme=scheme) as (page, complaints):
        mail = page.frame_locator("iframe")
        await expect(mail.locator("h1")).to_have_css("font-size", "21px")
        assert complaints == []
        assert await serious(page) == []
        bad = (
            "<h1 style='color: rgb(1, 2, 3)'>Mine</h1><script>document.body.remove()</script>"
            "<img src='/favicon.ico'><a href='/x' onclick='top.location=\"/y\"'>x</a>"
        )
        await page.get_by_label("html").fill(bad)
        await expect(mail.locator("h1")).to_have_css("color", "rgb(1, 2, 3)")
        assert any("script" in each for each in complaints), "the policy keeps the script from running"
        await mail.locator("a").click(modifiers=[])
        assert "/playground" in page.url


async def test_without_scripts_and_on_a_phone(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "java_script_enabled": False,
        "viewport": {"width": 375, "height": 812},
        "color_scheme": "dark",
    }
    async with looking(tmp_path, "/playground?to=console", **options) as (page, _):
        await page.get_by_label("txt").fill("<b>{{ event.type }}")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator("#preview pre")).to_have_text("<b>trust.deleted")
        await page.goto(page.url.partition("/playground")[0] + "/rules")
        await page.get_by_label("A sample of a type").select_option("quorum.lost")
        await page.get_by_role("button", name="Ask").click()
        await expect(page.locator("#preview .ways > li")).to_have_count(2)


@pytest.mark.parametrize(
    "path", ["/playground?to=slack", "/playground?to=webhook", "/rules?type=quorum.lost"]
)
async def test_nothing_is_wider_than_a_phone(tmp_path: Path, path: str) -> None:
    async with looking(tmp_path, path, viewport={"width": 375, "height": 812}) as (page, _):
        assert await page.evaluate("document.documentElement.scrollWidth") == 375
        assert await serious(page) == []


async def test_a_rule_says_why_while_it_is_asked(tmp_path: Path) -> None:
    async with looking(tmp_path, "/rules") as (page, complaints):
        await page.get_by_label("pasted event").fill('{"type": "cluster.issue", "severity": "info"}')
        await expect(page.locator("#preview")).to_contain_text("Nobody gets it.")
        await page.get_by_label("pasted event").fill('{"type": "cluster.isue"}')
        await expect(page.get_by_role("alert")).to_contain_text("did you mean cluster.issue?")
        assert complaints == []
        assert await serious(page) == []
