"""A relay in pieces: its watchers look when they are told to; all between them and the store is real."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from relay.app import build
from relay.app.clients import Clients
from relay.engine.intake import Intake
from relay.http import Http
from relay.model.event import Event
from relay.model.steps import pass_by
from relay.settings import read
from relay.store import Filter, Store
from relay.watch import Watcher
from tests.support.clock import ManualClock


class Relayed:
    """What watchers report becomes events in a store."""

    def __init__(
        self, intake: Intake, store: Store, watchers: Mapping[str, Watcher[Any]], clock: ManualClock
    ) -> None:
        self.intake, self.store, self.watchers, self.clock = intake, store, watchers, clock
        self._told = 0

    async def look(self, *names: str) -> None:
        """Let watchers look, one after the other."""
        for name in names or ("changefeed", "trust"):
            async with aclosing(self.watchers[name].look()) as reports:  # type: ignore[type-var]
                async for report in reports:
                    await self.intake.take(report)

    async def events(self) -> list[Event]:
        """Everything that has become an event, in order."""
        return [event for _, _, event in reversed(await self.store.list_events(Filter(limit=10_000)))]

    async def news(self) -> list[Event]:
        """The events since the last call, in order."""
        found = await self.events()
        new, self._told = found[self._told :], len(found)
        return new


def of_type(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.type == kind]


@asynccontextmanager
async def relayed(
    folder: Path, settings: Mapping[str, Any], clock: ManualClock, store: str = ""
) -> AsyncIterator[Relayed]:
    """A relay by these settings, with a store in the folder or at a URL."""
    file = folder / "relay.yaml"
    fixed = {"store": store or f"sqlite:///{folder / 'relay.db'}"}
    file.write_text(yaml.safe_dump({**fixed, **settings}, sort_keys=False))
    found = read(file, {}, None).settings
    http = Http(clock)
    opened = Store(found.store.get_secret_value())
    try:
        tools = build.Tools(clock, random.Random(1), opened, http, Clients(http, clock), pass_by, "")
        watchers = list(build.watchers(found, tools))
        intake = Intake(opened, build.setting(found, watchers), lambda _names: None)
        await intake.start(clock.now())
        yield Relayed(intake, opened, {each.NAME: each for each in watchers}, clock)
    finally:
        await http.close()
        opened.close()
