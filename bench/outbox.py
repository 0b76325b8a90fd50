"""An outbox full of what is due: taken in through the relay's own intake, and not sent yet."""

import random
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from relay.app import build
from relay.app.logs import set_up
from relay.engine.intake import Intake
from relay.model.clock import SystemClock
from relay.model.observation import Fact, Report, Watch
from relay.msr import Category, Record
from relay.settings import Settings, read
from relay.store import Store
from relay.watch.changefeed import ALL
from relay.watch.reading import fact_of

HOST = "msr.example.com"
_PAGE = 500


def settings_of(folder: Path, settings: Mapping[str, Any]) -> Settings:
    """Return settings as the relay reads them from a file that is written into the folder."""
    file = folder / "outbox.yaml"
    file.write_text(yaml.safe_dump(dict(settings)))
    return read(file, {}, None).settings


async def take_in(settings: Settings, events: int, first: int = 0) -> int:
    """Take in so many updates of trust data; return how many deliveries there are then.

    ``first`` is the number of the first one: updates of the same number are the same.
    """
    set_up("error", "logfmt", ())
    clock, source = SystemClock(), random.Random(1)
    store = Store(settings.store.get_secret_value())
    try:
        intake = Intake(store, build.setting(settings, []), lambda _names: None)
        await intake.start(clock.now())
        for start in range(first, first + events, _PAGE):
            now, numbers = clock.now(), range(start, min(start + _PAGE, first + events))
            facts = tuple(_update(number, source, now) for number in numbers)
            await intake.take(Report(Watch("prod", "changefeed"), now, (), facts=facts, complete=False))
        return sum((await store.count_deliveries()).values())
    finally:
        store.close()


async def outcomes(settings: Settings) -> dict[str, int]:
    """Return how many deliveries of the store there are in each state."""
    store = Store(settings.store.get_secret_value())
    try:
        return await store.count_deliveries()
    finally:
        store.close()


def _update(number: int, source: random.Random, now: datetime) -> Fact:
    record = Record(
        id=str(number + 1),
        created_at=now,
        gun=f"{HOST}/team{number % 100}/app{number}",
        version=number % 50 + 1,
        sha256=f"{source.getrandbits(256):064x}",
        category=Category.UPDATE,
    )
    return fact_of(record, ALL, HOST, now)
