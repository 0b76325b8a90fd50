"""``msr-relay events`` and ``journal``."""

import asyncio
import json
from pathlib import Path
from typing import Any

from rich.text import Text

from relay.cli.opening import configure, existing_store
from relay.cli.output import SHORT_ID, WIDE, age, clean, console, print_json, stamp, table, word
from relay.model.catalogue import CATALOGUE
from relay.model.clock import SystemClock
from relay.model.errors import NotFoundError
from relay.model.event import Event, Status
from relay.model.near import near
from relay.settings import Configuration
from relay.store import Filter


def events(config: Path | None, wanted: dict[str, Any], *, as_json: bool) -> None:
    """List events, the newest first; ``wanted`` are fields of a Filter."""
    type_name = wanted.get("type")
    if type_name is not None and type_name not in CATALOGUE:
        raise NotFoundError(f"there is no event type {type_name}: {near(type_name, CATALOGUE)}")
    asyncio.run(_events(configure(config), Filter(**wanted), as_json=as_json))


async def _events(configuration: Configuration, wanted: Filter, *, as_json: bool) -> None:
    now = SystemClock().now()
    async with existing_store(configuration) as store:
        found = await store.list_events(wanted)
        unrouted = await store.count_unrouted()
    if as_json:
        rows = [{**json.loads(event.to_json()), "routed": routed} for _, routed, event in found]
        print_json({"unrouted": unrouted, "events": rows})
        return
    out = console()
    if found:
        wide = out.width >= WIDE
        lines = [
            (
                *([event.id] if wide else []),
                age(event.seen_at, now),
                word(event.severity),
                event.type,
                event.cluster or "-",
                _what(event, routed=routed),
            )
            for _, routed, event in found
        ]
        heads = (*(["id"] if wide else []), "age", "severity", "type", "cluster", "what")
        out.print(table(heads, lines, fold=("cluster", "what")))
    else:
        out.print(Text("No such events."))
    if unrouted:
        hint = "" if wanted.unrouted else ": --unrouted lists them"
        out.print(Text(f"{unrouted} in all went to no channel, because no rule took them{hint}.", "dim"))


def _short(text: str) -> str:
    """Return an id as listings show it, anything else as it is."""
    return text[:SHORT_ID] if text.startswith(("dlv_", "sil_", "alr_", "evt_")) else text


def _what(event: Event, *, routed: bool) -> Text:
    text = Text(clean(event.summary))
    if event.status is Status.RESOLVED:
        text.append(" (resolved)", "green")
    return text if routed else text.append(" · unrouted", "yellow")


def journal(config: Path | None, limit: int, *, as_json: bool) -> None:
    """List what users did, the newest first."""
    asyncio.run(_journal(configure(config), limit, as_json=as_json))


async def _journal(configuration: Configuration, limit: int, *, as_json: bool) -> None:
    now = SystemClock().now()
    async with existing_store(configuration) as store:
        deeds = await store.list_deeds(limit)
    if as_json:
        keys = ("who", "action", "subject", "note")
        print_json([{"at": stamp(deed["at"]), **{key: deed[key] for key in keys}} for deed in deeds])
        return
    out = console()
    if not deeds:
        out.print(Text("Nobody has done anything yet."))
        return
    lines = [
        (age(deed["at"], now), deed["who"], deed["action"], _short(deed["subject"]), _short(deed["note"]))
        for deed in deeds
    ]
    out.print(table(("age", "who", "did", "to", "note"), lines, fold=("who", "to", "note")))
