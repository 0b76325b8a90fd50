"""What a relay answers while it starts, and what is left of a change that cannot be carried out."""

import asyncio
import random
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from relay.app import build
from relay.app.app import App
from relay.model.delivery import ChannelHealth, ChannelState
from relay.model.steps import Step
from relay.settings import Configuration, read
from relay.store import Store
from tests.acceptance.in_process import configure, running
from tests.acceptance.relay import PATIENCE
from tests.support.clock import ManualClock

SETTINGS: dict[str, Any] = {
    "channels": [{"name": "ops", "kind": "console"}],
    "rules": [{"name": "all", "channels": ["ops"]}],
}


async def test_who_asks_too_early_is_told_so(tmp_path: Path) -> None:
    file, clock = configure(tmp_path, SETTINGS), ManualClock(datetime.now(UTC))
    # A channel that an earlier process has left so is told of while the relay starts.
    store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
    await store.save_health(ChannelHealth("ops", ChannelState.DISABLED, clock.now(), by="ann"))
    store.close()
    go_on = threading.Event()

    def reach(step: Step) -> None:
        # In the store's own thread: what it writes last before the relay has started takes its time.
        if step is Step.COMMITTING:
            go_on.wait(PATIENCE)

    def reread() -> Configuration:
        return read(file, {}, None)

    app = App(reread(), reread, clock=clock, source=random.Random(3), reach=reach)
    task = asyncio.create_task(app.run())
    try:
        async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
            while not app.port:
                await asyncio.sleep(0)
            for path in ("/", "/api/v1/status", "/api/v1/clusters"):
                async with session.get(f"http://127.0.0.1:{app.port}{path}") as answer:
                    assert (answer.status, answer.headers.get("Retry-After")) == (503, "1")
                    assert "The relay is starting." in await answer.text()
            go_on.set()
            await app.ready.wait()
            async with session.get(f"http://127.0.0.1:{app.port}/api/v1/status") as answer:
                assert answer.status == 200
    finally:
        go_on.set()
        app.stopping.set()
        async with asyncio.timeout(PATIENCE):
            await task


async def test_a_change_whose_pages_cannot_be_made_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the templates are gone")

    with capture_logs() as logs:
        async with running(tmp_path, SETTINGS) as relay:
            before = relay.app._intake.setting
            monkeypatch.setattr(build, "pages", fail)
            relay.configure({**SETTINGS, "timezone": "Europe/Berlin"})
            relay.app.reloading.set()
            await relay.until(
                lambda: [each for each in logs if each["event"] == "reloading failed"], "it has failed"
            )
            assert relay.app._intake.setting is before
            assert relay.app._settings.timezone == "UTC"
