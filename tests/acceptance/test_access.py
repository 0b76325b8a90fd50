"""Logging in with a real browser: what it keeps, what it sends back, and that the policy lets it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.acceptance.in_process import running
from tests.real.browser import OTHER_NAME, browsing

TOKEN = "a-token-for-people"


def journal(folder: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "relay.db")) as connection:
        return connection.execute("SELECT who, action FROM journal ORDER BY seq").fetchall()


@pytest.mark.real("chromium")
@pytest.mark.parametrize(
    ("host", "public_url", "secure"),
    [("127.0.0.1", "https://relay.example.com", True), (OTHER_NAME, f"http://{OTHER_NAME}", False)],
    ids=["this machine", "a name over plain HTTP"],
)
async def test_somebody_logs_in(tmp_path: Path, host: str, public_url: str, secure: bool) -> None:
    """A name over plain HTTP is the hard case: of the form the browser says no more than ``Origin: null``."""
    server = {"listen": "127.0.0.1:0", "api_token": TOKEN, "public_url": public_url}
    async with running(tmp_path, {"server": server}) as relay, browsing(tmp_path) as browser:
        page = await browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(f"http://{host}:{relay.app.port}/api#silences")
        await expect(page).to_have_title("Log in · MSR Relay")
        await expect(page.get_by_label("Token")).to_be_focused()
        assert complaints == [], "the policy forbids nothing that the page does"

        await page.keyboard.type("msr_wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Token")).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_text("This token does not let you in.")).to_be_visible()
        assert await browser.cookies() == []

        await page.keyboard.type(TOKEN)
        await page.keyboard.press("Enter")
        await expect(page).to_have_title("API · MSR Relay")
        await expect(page).to_have_url(f"http://{host}:{relay.app.port}/api")
        [cookie] = await browser.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Lax", secure)
        assert await page.evaluate("document.cookie") == ""
        await page.reload()
        await expect(page).to_have_title("API · MSR Relay")
    assert journal(tmp_path) == [("server.api_token", "login")]
