"""A real browser, headless, that asks nobody but the servers of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, async_playwright

from tests.real import parts

OTHER_NAME = "relay.test"
"""A name that leads to this machine and that a browser trusts no more than any other over plain HTTP."""
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
    f"--host-resolver-rules=MAP {OTHER_NAME} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@asynccontextmanager
async def browsing(folder: Path, **options: Any) -> AsyncIterator[BrowserContext]:
    """A browser with an empty profile in the folder; options are Playwright's of a context."""
    program = parts.need("chromium")["chromium"]
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            folder / "profile", executable_path=program, headless=True, args=_ARGUMENTS, **options
        )
        yield context
        await context.close()
