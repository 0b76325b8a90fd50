"""``msr-relay alerts``, ``events`` and ``journal``."""

import asyncio
import json
from pathlib import Path
from typing import Any

from rich.text import Text

from relay.cli.opening import configure, existing_store, near
from relay.cli.output import SHORT_ID, age, clean, console, print_json, stamp, table, word
from relay.model.alert import Alert, AlertState
from relay.model.catalogue import CATALOGUE
from relay.model.clock import SystemClock
from relay.model.errors import NotFoundError
from relay.model.event import Event, Status
from relay.settings import Configuration
from relay.store import Filter


def alerts(config: Path | None, cluster: str | None, limit: int, *, every: bool, as_json: bool) -> None:
    """List the open alerts, or all."""
    asyncio.run(_alerts(configure(config), cluster, limit, every=every, as_json=as_json))


async def _alerts(
    configuration: Configuration, cluster: str | None, limit: int, *, every: bool, as_json: bool
) -> None:
    now = SystemClock().now()
    async with existing_store(configuration) as store:
        if every:
            found = await store.list_alerts(Filter(cluster=cluster, limit=limit))
        else:
            opened = [each for each in await store.open_alerts() if cluster in (None, each.cluster)]
            found = sorted(opened, key=lambda each: each.starts_at, reverse=True)[:limit]
    if as_json:
        print_json([_alert(each) for each in found])
        return
    out = console()
    if not found:
        out.print(Text("No alerts yet." if every else "No open alerts."))
        return
    lines = [
        (
            word(each.state),
            word(each.severity),
            age(each.starts_at, now),
            each.cluster or "-",
            each.type,
            each.summary
            + (" (flapping)" if each.flapping else "")
            + (" (held back by a larger alert)" if each.inhibited else ""),
        )
        for each in found
    ]
    heads = ("state", "severity", "age", "cluster", "type", "what")
    out.print(table(heads, lines, fold=("cluster", "what")))


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "state": str(alert.state),
        "type": alert.type,
        "severity": str(alert.severity),
        "cluster": alert.cluster,
        "subject": {"kind": str(alert.subject.kind), "name": alert.subject.name},
        "summary": alert.summary,
        "starts_at": stamp(alert.starts_at),
        "ends_at": stamp(alert.ends_at) if alert.state is AlertState.RESOLVED else None,
        "ended_because": alert.ended_because,
        "inhibited": alert.inhibited,
        "flapping": alert.flapping,
        "channels": [told.channel for told in alert.told],
        "details": dict(alert.details),
    }


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
        lines = [
            (
                age(event.seen_at, now),
                word(event.severity),
                event.type,
                event.cluster or "-",
                _what(event, routed=routed),
            )
            for _, routed, event in found
        ]
        heads = ("age", "severity", "type", "cluster", "what")
        out.print(table(heads, lines, fold=("cluster", "what")))
    else:
        out.print(Text("No such events."))
    if unrouted:
        hint = "" if wanted.unrouted else ": --unrouted lists them"
        out.print(Text(f"{unrouted} in all went to no channel, because no rule took them{hint}.", "dim"))


def _short(text: str) -> str:
    """Return a delivery's id as the listing of deliveries shows it, anything else as it is."""
    return text[:SHORT_ID] if text.startswith("dlv_") else text


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
