"""The pages in a real browser, over a relay that runs: what an operator does, and that axe finds nothing."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.acceptance.imitated import Cluster
from tests.acceptance.in_process import Running, running
from tests.real.browser import browsing
from tests.real.webhooks import Receiver

TOKEN = "a-token-for-people"
PHONE = {"viewport": {"width": 375, "height": 740}, "color_scheme": "dark"}
DESKTOP = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}
PATHS = (
    "/",
    "/alerts",
    "/events",
    "/deliveries",
    "/channels",
    "/channels/soc",
    "/silences",
    "/repositories",
    "/rules",
    "/playground",
    "/journal",
    "/api",
)
DESCRIPTION = "Table dtr2.tags is available for outdated reads, but not for writes"


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "relay.db")) as connection:
        return connection.execute(query).fetchall()


@dataclass
class Desk:
    """A relay, its cluster, and an operator's browser in front of it; `complaints` are the browser's."""

    relay: Running
    cluster: Cluster
    page: Page
    complaints: list[str]
    folder: Path

    async def open(self, path: str) -> None:
        """Go to a page of the relay."""
        answer = await self.page.goto(f"http://127.0.0.1:{self.relay.app.port}{path}")
        assert answer is not None
        assert (path, answer.status) == (path, 200)

    async def log_in(self) -> None:
        """Log in on the page to which one is led."""
        await self.open("/")
        await self.page.get_by_label("Token").fill(TOKEN)
        await self.page.keyboard.press("Enter")
        await expect(self.page.get_by_role("heading", level=1)).to_have_text("Overview")

    async def trouble(self) -> str:
        """Bring the cluster into trouble; the id of the alert that fires then."""
        self.cluster.do(
            lambda imitation: imitation.raise_issue("table_availability", DESCRIPTION, critical=True)
        )
        [(thread,)] = await self.relay.until(
            lambda: rows(self.folder, "SELECT id FROM alerts WHERE type = 'cluster.issue'"), "an alert fires"
        )
        return str(thread)

    async def until_sent(self, state: str, number: int = 1) -> None:
        """Let time pass until so many deliveries are in a state."""
        query = f"SELECT id FROM deliveries WHERE state = '{state}'"
        await self.relay.until(lambda: len(rows(self.folder, query)) >= number, f"{number} are {state}")


@asynccontextmanager
async def desk(
    folder: Path, cluster: Cluster, webhooks: Receiver, look: dict[str, Any]
) -> AsyncIterator[Desk]:
    settings = {
        "clusters": [cluster.settings(watch={"cluster_status": "1s"})],
        "channels": [{"name": "soc", "kind": "webhook", "url": webhooks.url + "/soc", "allow_private": True}],
        "server": {"listen": "127.0.0.1:0", "api_token": TOKEN},
    }
    async with running(folder, settings) as relay, browsing(folder, **look) as browser:
        page = await browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield Desk(relay, cluster, page, complaints, folder)
        assert complaints == [], "the policy forbids nothing that the pages do"


@pytest.mark.real("chromium")
async def test_an_operator_sees_an_alert_come_and_silences_it(
    tmp_path: Path, cluster: Cluster, webhooks: Receiver
) -> None:
    async with desk(tmp_path, cluster, webhooks, DESKTOP) as found:
        page = found.page
        await found.log_in()
        await expect(page.get_by_text("Nothing fires.")).to_be_visible()
        await expect(page.locator("#live-word")).to_have_text("· live")
        thread = await found.trouble()
        link = page.get_by_role("region", name="What fires now").get_by_role(
            "link", name="table_availability"
        )
        for _ in range(40):
            await found.relay.advance(0.5)
            if await link.count():
                break
        await link.click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("table_availability")
        await page.get_by_text("Silence it").click()
        await expect(page.get_by_label("Type")).to_have_value("cluster.issue")
        await page.get_by_label("What for").fill("we know")
        await page.get_by_role("button", name="Silence").click()
        await expect(page.get_by_role("status")).to_contain_text("The silence is made.")
        await found.open(f"/alerts/{thread}")
        await expect(page.get_by_text("silenced", exact=True)).to_be_visible()
    journal = rows(tmp_path, "SELECT who, action FROM journal ORDER BY seq")
    assert journal == [("server.api_token", "login"), ("server.api_token", "silence")]


@pytest.mark.real("chromium")
async def test_an_operator_replays_a_dead_letter_and_sends_a_test(
    tmp_path: Path, cluster: Cluster, webhooks: Receiver
) -> None:
    webhooks.default = replace(webhooks.default, status=422, body=b"<b>no</b>")
    async with desk(tmp_path, cluster, webhooks, DESKTOP) as found:
        page = found.page
        await found.trouble()
        await found.until_sent("dead")
        await found.log_in()
        await found.open("/deliveries?state=dead")
        await page.locator("tr.dead-row").first.get_by_role("link").first.click()
        await expect(page.get_by_text("Attempt 1:")).to_be_visible()
        await page.get_by_text("The body as it was sent").click()
        await expect(page.get_by_label("the body")).to_contain_text("cluster.issue")
        webhooks.default = replace(webhooks.default, status=200)
        await page.get_by_role("button", name="Send it once more").click()
        await expect(page.get_by_role("status")).to_contain_text("the new delivery")
        await found.until_sent("delivered")

        await found.open("/channels/soc")
        await page.get_by_role("button", name="Send a test").click()
        await expect(page.get_by_role("region", name="Test").get_by_role("status")).to_contain_text(
            "It arrived"
        )
        assert page.url.endswith("/channels/soc"), "it is shown in its place"
    actions = [action for (action,) in rows(tmp_path, "SELECT action FROM journal ORDER BY seq")]
    assert actions == ["login", "replay", "test"]


@pytest.mark.real("chromium")
async def test_an_operator_types_a_template_and_sees_it(
    tmp_path: Path, cluster: Cluster, webhooks: Receiver
) -> None:
    async with desk(tmp_path, cluster, webhooks, DESKTOP) as found:
        await found.log_in()
        await found.open("/playground?to=console&type=trust.deleted")
        editor = found.page.locator("#edit textarea").first
        await editor.fill("Look at {{ event.subject.name }}, quickly")
        preview = found.page.locator("#preview")
        await expect(preview).to_contain_text("Look at prod/app, quickly")


@pytest.mark.real("chromium")
@pytest.mark.parametrize("look", [PHONE, DESKTOP], ids=["phone, dark", "desktop, light"])
async def test_axe_finds_nothing_serious_and_nothing_is_too_wide(
    tmp_path: Path, cluster: Cluster, webhooks: Receiver, look: dict[str, Any]
) -> None:
    async with desk(tmp_path, cluster, webhooks, look) as found:
        thread = await found.trouble()
        await found.until_sent("delivered")
        [(event,)] = rows(tmp_path, "SELECT id FROM events WHERE type = 'cluster.issue'")
        [(delivery,)] = rows(tmp_path, "SELECT id FROM deliveries")
        await found.log_in()
        for path in (*PATHS, f"/alerts/{thread}", f"/events/{event}", f"/deliveries/{delivery}"):
            await found.open(path)
            found_by_axe = (await Axe().run(found.page)).response["violations"]
            serious = [
                (each["id"], node["html"])
                for each in found_by_axe
                if each["impact"] in ("serious", "critical")
                for node in each["nodes"]
            ]
            assert (path, serious) == (path, [])
            wide = await found.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert (path, wide <= 0) == (path, True)
            # The first thing that the keyboard finds leads past the navigation.
            await found.page.keyboard.press("Tab")
            await expect(found.page.get_by_role("link", name="Skip to the content")).to_be_focused()
