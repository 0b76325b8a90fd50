"""From the link to the journal, with a real browser; and what outlives a restart or a reload."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import expect

from relay.server import Links
from tests.acceptance.imitated import Cluster
from tests.acceptance.in_process import Running, running
from tests.real.browser import OTHER_NAME, browsing

PUBLIC = "https://relay.example.com"
PHONE = {"viewport": {"width": 375, "height": 812}, "color_scheme": "dark"}
DESKTOP = {"viewport": {"width": 900, "height": 700}, "color_scheme": "light"}


@pytest.fixture
def settings(cluster: Cluster) -> dict[str, Any]:
    runbook = {"runbook_url": "https://wiki.example.com/msr/outage"}
    return {
        "clusters": [cluster.settings(watch={"cluster_status": "1s"}, annotations=runbook)],
        "channels": [{"name": "ops", "kind": "console"}],
        "server": {"listen": "127.0.0.1:0", "public_url": PUBLIC},
    }


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "relay.db")) as connection:
        return connection.execute(query).fetchall()


def key(folder: Path) -> str:
    [(found,)] = rows(folder, "SELECT value FROM cursors WHERE scope = 'relay/link-key'")
    return str(found)


async def trouble(relay: Running, cluster: Cluster) -> str:
    """Bring the cluster into trouble; the id of the alert that fires then."""
    description = "Table dtr2.tags is available for outdated reads, but not for writes"
    cluster.do(lambda imitation: imitation.raise_issue("table_availability", description, critical=True))
    [(thread,)] = await relay.until(
        lambda: rows(relay.folder, "SELECT id FROM alerts WHERE type = 'cluster.issue'"), "an alert fires"
    )
    return str(thread)


def link(relay: Running, thread: str, host: str = "127.0.0.1") -> str:
    """The link as a message to ops carries it, led to where the relay listens."""
    links = Links(key(relay.folder), relay.clock, timedelta(days=3), PUBLIC)
    url = links.acknowledge(thread, "ops")
    assert url is not None
    return url.replace(PUBLIC, f"http://{host}:{relay.app.port}")


@pytest.mark.real("chromium")
@pytest.mark.parametrize("host", ["127.0.0.1", OTHER_NAME])
@pytest.mark.parametrize("look", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_somebody_acknowledges(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster, look: dict[str, Any], host: str
) -> None:
    """By keyboard. To a name that is not its own machine the browser sends ``Origin: null`` and no more."""
    async with running(tmp_path, settings) as relay, browsing(tmp_path, **look) as browser:
        thread = await trouble(relay, cluster)
        page = await browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        answer = await page.goto(link(relay, thread, host))
        assert answer is not None
        assert answer.status == 200
        await expect(page.get_by_role("heading", level=1)).to_contain_text("table_availability")
        await expect(page.get_by_role("link")).to_have_attribute(
            "href", "https://wiki.example.com/msr/outage"
        )
        width = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert width <= 0, "nothing is wider than the screen"

        await page.get_by_role("button", name="Acknowledge").click()
        await expect(page.get_by_label("Your name")).to_be_focused()
        assert rows(tmp_path, "SELECT who FROM journal") == []

        await page.keyboard.type("Ann Example")
        await page.keyboard.press("Tab")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Tab")
        await page.keyboard.type("Replacing the disk of replica 2")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")

        await expect(page.get_by_role("status")).to_contain_text(
            "Acknowledged by Ann Example (link sent to ops)"
        )
        await expect(page.get_by_role("status")).to_contain_text("Replacing the disk of replica 2")
        await expect(page).to_have_url(link(relay, thread, host))
        journal = rows(tmp_path, "SELECT who, action, subject, note FROM journal")
        assert journal == [
            ("Ann Example (link sent to ops)", "acknowledge", thread, "Replacing the disk of replica 2")
        ]
        await page.reload()
        await expect(page.get_by_role("status")).to_be_visible()
        assert len(rows(tmp_path, "SELECT who FROM journal")) == 1
        assert complaints == [], "the policy forbids nothing that the page does"
        assert await browser.cookies() == []


async def test_a_link_outlives_a_restart(tmp_path: Path, settings: dict[str, Any], cluster: Cluster) -> None:
    async with running(tmp_path, settings) as relay:
        thread = await trouble(relay, cluster)
        token = link(relay, thread).rpartition("/")[2]
    async with running(tmp_path, settings, relay.clock) as relay, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{relay.app.port}/ack/{token}"
        async with session.post(url, data={"name": "Ann"}) as answer:
            assert (answer.status, "Acknowledged by Ann" in await answer.text()) == (200, True)
    # What is acknowledged stays so for the next process.
    async with (
        running(tmp_path, settings, relay.clock) as relay,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{relay.app.port}/ack/{token}") as answer,
    ):
        assert "Acknowledged by Ann" in await answer.text()


async def test_a_reload_brings_the_token_and_the_time_zone(
    tmp_path: Path, settings: dict[str, Any], cluster: Cluster
) -> None:
    async with running(tmp_path, settings) as relay, aiohttp.ClientSession() as session:
        thread = await trouble(relay, cluster)
        base = f"http://127.0.0.1:{relay.app.port}"
        headers = {"Authorization": "Bearer a-token-for-programs"}
        async with session.get(f"{base}/api/v1/silences", headers=headers) as answer:
            assert answer.status == 403
        server = {**settings["server"], "api_token": "a-token-for-programs"}
        relay.configure({**settings, "server": server, "timezone": "Asia/Tokyo"})
        relay.app.reloading.set()
        await relay.until(lambda: relay.app._settings.server.api_token, "it has been reloaded")
        async with session.get(f"{base}/api/v1/silences", headers=headers) as answer:
            assert answer.status == 200
        async with session.get(link(relay, thread)) as answer:
            assert " JST" in await answer.text()
