"""What most commands begin with: the configuration, and the store that a relay may be running on."""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from relay.app import build
from relay.app.logs import set_up
from relay.engine.desk import Desk
from relay.engine.operate import Operator
from relay.engine.scene import Scene
from relay.model.clock import SystemClock
from relay.model.errors import NotFoundError
from relay.settings import Configuration, Settings, read
from relay.store import Store
from relay.store.database import connect, file_of, parse_url, plain_errors
from relay.store.migrate import revision


def configure(option: Path | None) -> Configuration:
    """Read the configuration; from then on, only what is wrong is logged. Raises ConfigError."""
    configuration = read(option, os.environ)
    set_up("error", "auto", build.secrets(configuration.settings))
    return configuration


@asynccontextmanager
async def existing_store(configuration: Configuration) -> AsyncIterator[Store]:
    """Open the store beside whatever runs on it. Raises NotFoundError if there is none: it is not made."""
    _need(configuration.settings.store.get_secret_value())
    async with new_store(configuration) as store:
        yield store


@asynccontextmanager
async def new_store(configuration: Configuration) -> AsyncIterator[Store]:
    """Open the store beside whatever runs on it, or make it. Raises StoreError."""
    store = Store(configuration.settings.store.get_secret_value())
    try:
        yield store
    finally:
        store.close()


@asynccontextmanager
async def store_if_any(configuration: Configuration) -> AsyncIterator[Store | None]:
    """Open the store, or give None where none has been made yet. Raises StoreError."""
    try:
        _need(configuration.settings.store.get_secret_value())
    except NotFoundError:
        yield None
        return
    async with existing_store(configuration) as store:
        yield store


async def read_scene(store: Store, settings: Settings, at: datetime) -> Scene:
    """Return what the store has of what holds, and may at a time: silences, acknowledgements, open alerts."""
    desk = Desk(store)
    await desk.load(at)
    alerts = {alert.id: alert for alert in await store.open_alerts()}
    return Scene(alerts, desk.silences, desk.acknowledged, build.router(settings).rules, settings.times)


def finder(store: Store) -> Operator:
    """Return what finds things in a store by how their ids begin."""
    # It only finds: nothing random comes of it.
    return Operator(store, SystemClock(), random.Random())  # noqa: S311


def _need(url: str) -> None:
    parsed = parse_url(url)
    path = file_of(parsed)
    name = "in the database" if path is None else f"at {path.resolve()}"
    hint = "msr-relay run makes it; is this the right configuration, and the right directory?"
    missing = NotFoundError(f"there is no store {name} yet: {hint}")
    if path is not None and not path.exists():
        raise missing
    with plain_errors():
        engine = connect(parsed, writing=False)
        try:
            present = revision(engine)
        finally:
            engine.dispose()
    if present is None:
        raise missing
