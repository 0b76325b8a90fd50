"""``msr-relay explain --delivery``: why a delivery is where it is, and what it waits for."""

import asyncio
from datetime import datetime
from pathlib import Path

from rich.text import Text

from relay.cli.deliveries import document
from relay.cli.moments import local, moment
from relay.cli.opening import configure, existing_store, finder, read_scene
from relay.cli.output import clean, console, print_fields, print_json, stamp, word
from relay.engine.inhibition import Inhibitions
from relay.engine.outlook import Look, why
from relay.model.clock import SystemClock
from relay.model.delivery import ChannelHealth, tells
from relay.settings import Configuration
from relay.store import ALIVE


def explain(config: Path | None, prefix: str, at: str, *, as_json: bool) -> None:
    """Say why a delivery is where it is. Raises NotFoundError or AmbiguousError."""
    configuration = configure(config)
    when = moment(at, "--at", configuration.settings.timezone, SystemClock().now())
    asyncio.run(_explain(configuration, prefix, when, as_json=as_json))


async def _explain(configuration: Configuration, prefix: str, at: datetime, *, as_json: bool) -> None:
    settings = configuration.settings
    async with existing_store(configuration) as store:
        delivery = await finder(store).find(prefix)
        scene = await read_scene(store, settings, at)
        into = delivery.merged_into
        known = delivery.channel in settings.channel_names
        healths = await store.healths()
        inhibitions = Inhibitions(settings.inhibit)
        alive = await store.cursor(ALIVE)
        events = await store.events(delivery.events)
        mine = {each.alert for each in events.values()}
        look = Look(
            now=at,
            scene=scene,
            events=events,
            health=healths.get(delivery.channel, ChannelHealth(delivery.channel)) if known else None,
            say=lambda moment: local(moment, settings.timezone),
            queue=await store.open_in_thread(delivery.channel, delivery.thread),
            into=next(iter(await store.find_deliveries(into)), None) if into else None,
            alive=None if alive is None else datetime.fromisoformat(alive),
            covers={
                alert.id: [
                    other for _, some in inhibitions.ways(alert, scene.alerts.values()) for other in some
                ]
                for alert in scene.alerts.values()
                if alert.id in mine
            },
        )
    because = why(delivery, look)
    if as_json:
        print_json({**document(delivery, events), "at": stamp(at), "because": because})
        return
    out = console()
    print_fields(
        out,
        [
            ("delivery", delivery.id),
            ("tells", tells(delivery, events)),
            ("channel", delivery.channel),
            ("state", word(delivery.state)),
        ],
    )
    out.print()
    for sentence in because:
        out.print(Text(clean(sentence)))
