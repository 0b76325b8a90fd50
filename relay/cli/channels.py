"""``msr-relay channels``: do they take messages, what waits, and switching them off and on."""

import asyncio
from pathlib import Path
from typing import Any

from rich.text import Text

from relay.cli.opening import configure, existing_store
from relay.cli.orders import give, ordered, user
from relay.cli.output import age, clean, console, print_json, stamp, table, word
from relay.engine.orders import OnChannel
from relay.model.clock import SystemClock
from relay.model.delivery import ChannelHealth, DeliveryState
from relay.model.errors import NotFoundError
from relay.model.near import near
from relay.settings import Configuration


def show(config: Path | None, name: str | None, *, as_json: bool) -> None:
    """List the channels, or one, with their state. Raises NotFoundError for one that there is not."""
    asyncio.run(_show(configure(config), name, as_json=as_json))


async def _show(configuration: Configuration, only: str | None, *, as_json: bool) -> None:
    now = SystemClock().now()
    kinds = {each.name: each.kind for each in configuration.settings.destinations}
    async with existing_store(configuration) as store:
        healths = await store.healths()
        # A channel that is no longer configured, but for which something waits, is shown too.
        held = [name for name in healths if name not in kinds and await _waits(store, name)]
        names = [*kinds, *held]
        if only is not None and only not in names:
            raise NotFoundError(f"there is no channel {only}: {near(only, names)}")
        wanted = [name for name in names if only in (None, name)]
        counts = {name: await store.count_deliveries(name) for name in wanted}
    rows = []
    for name, found in counts.items():
        health = healths.get(name, ChannelHealth(name))
        waiting = found.get(DeliveryState.PENDING, 0) + found.get(DeliveryState.HELD, 0)
        rows.append((name, health, waiting, found.get(DeliveryState.DEAD, 0)))
    if as_json:
        print_json([_document(kinds, *row) for row in rows])
        return
    out = console()
    if not rows:
        out.print(Text("No channel is configured."))
        return
    lines = [
        (
            name,
            kinds.get(name, "-"),
            word(health.state if name in kinds else "not configured"),
            age(health.since, now),
            waiting,
            dead,
            _why(health),
        )
        for name, health, waiting, dead in rows
    ]
    heads = ("channel", "kind", "state", "for", "waiting", "dead", "why")
    out.print(table(heads, lines, fold=("channel", "why")))


async def _waits(store: Any, name: str) -> bool:
    counts = await store.count_deliveries(name)
    return bool(counts.get(DeliveryState.PENDING, 0) + counts.get(DeliveryState.HELD, 0))


def _why(health: ChannelHealth) -> str:
    by = f"by {health.by}" if health.by else ""
    return ": ".join(filter(None, (by, health.reason)))


def _document(kinds: dict[str, str], name: str, health: ChannelHealth, waiting: int, dead: int) -> Any:
    return {
        "channel": name,
        "kind": kinds.get(name),
        "state": str(health.state),
        "configured": name in kinds,
        "since": stamp(health.since),
        "reason": health.reason,
        "by": health.by,
        "failures": health.failures,
        "probe_at": stamp(health.probe_at),
        "waiting": waiting,
        "dead": dead,
    }


def switch(config: Path | None, name: str, by: str | None, *, on: bool, reason: str = "") -> None:
    """Enable or disable a channel. Raises NotFoundError, with the near miss, for one that there is not."""
    configuration = configure(config)
    names = configuration.settings.channel_names
    if name not in names:
        raise NotFoundError(f"there is no channel {name}: {near(name, names)}")
    order = ordered(OnChannel, by=user(by), channel=name, reason=reason)
    asyncio.run(give(configuration, "enable" if on else "disable", order))
    said = "is enabled" if on else "is disabled; what is for it waits until it is enabled"
    console().print(Text(f"Channel {clean(name)} {said}."))
