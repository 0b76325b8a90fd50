"""``msr-relay alerts``, ``ack`` and ``unack``: what is wrong, who is told of it, who takes care of it."""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from relay.cli.moments import ending, local, span
from relay.cli.opening import configure, existing_store, finder, read_scene
from relay.cli.orders import give, ordered, user
from relay.cli.output import (
    WIDE,
    age,
    clean,
    console,
    distinct,
    print_fields,
    print_json,
    stamp,
    table,
    word,
)
from relay.engine.holding import silence_of
from relay.engine.orders import Acknowledge, OnThread, acknowledgement_document
from relay.engine.scene import Scene
from relay.model.alert import Alert, AlertState
from relay.model.catalogue import stands_for
from relay.model.clock import SystemClock
from relay.model.delivery import Delivery, Reason
from relay.settings import Configuration
from relay.store import Filter


def listing(config: Path | None, cluster: str | None, limit: int, *, every: bool, as_json: bool) -> None:
    """List the open alerts, or all."""
    asyncio.run(_list(configure(config), cluster, limit, every=every, as_json=as_json))


async def _list(
    configuration: Configuration, cluster: str | None, limit: int, *, every: bool, as_json: bool
) -> None:
    now = SystemClock().now()
    async with existing_store(configuration) as store:
        scene = await read_scene(store, configuration.settings, now)
        if every:
            found = await store.list_alerts(Filter(cluster=cluster, limit=limit))
        else:
            opened = [each for each in scene.alerts.values() if cluster in (None, each.cluster)]
            found = sorted(opened, key=lambda each: each.starts_at, reverse=True)[:limit]
    if as_json:
        print_json([_document(each, scene, now) for each in found])
        return
    out = console()
    if not found:
        out.print(Text("No alerts yet." if every else "No open alerts."))
        return
    _print_table(out, found, now, {each.id: _notes(each, scene, now) for each in found})


def print_brief(out: Console, found: Sequence[Alert], now: datetime) -> None:
    """Print alerts in a table, without what is done about them."""
    _print_table(out, found, now, {})


def _print_table(
    out: Console, found: Sequence[Alert], now: datetime, notes: Mapping[str, Sequence[str]]
) -> None:
    length = distinct([each.id for each in found])
    wide = out.width >= WIDE
    heads = ["id", "state", "severity", "age", "cluster", *(["type"] if wide else []), "what"]
    lines = [
        (
            each.id[:length],
            word(each.state),
            word(each.severity),
            age(each.starts_at, now),
            each.cluster or "-",
            *([each.type] if wide else []),
            _what(each, notes.get(each.id, ())),
        )
        for each in found
    ]
    out.print(table(heads, lines, fold=("cluster", "what")))


def _what(alert: Alert, notes: Sequence[str]) -> Text:
    text = Text(clean(alert.summary))
    for note in notes:
        text.append(f"\n→ {clean(note)}", "yellow")
    return text


def _notes(alert: Alert, scene: Scene, now: datetime) -> list[str]:
    """Return why little is heard of an alert: who takes care of it, and what holds it back."""
    if alert.state is AlertState.RESOLVED:
        return []
    found = []
    acknowledged = scene.acknowledgement(alert.id, now)
    if acknowledged is not None:
        found.append(f"acknowledged by {acknowledged.by}")
    silence = silence_of(alert, scene, now)
    if silence is not None:
        found.append(f"silenced by {silence.id[:12]}: {silence.comment}")
    if alert.flapping:
        found.append("flapping: quiet until it settles")
    if alert.inhibited:
        found.append("inhibited: a larger alert covers it")
    return found


def _document(alert: Alert, scene: Scene, now: datetime) -> dict[str, Any]:
    silence = None if alert.state is AlertState.RESOLVED else silence_of(alert, scene, now)
    acknowledged = scene.acknowledgement(alert.id, now)
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
        "silenced_by": None if silence is None else silence.id,
        "acknowledged": None if acknowledged is None else acknowledgement_document(acknowledged),
        "channels": [told.channel for told in alert.told],
        "labels": dict(alert.labels),
        "details": dict(alert.details),
    }


def show(config: Path | None, prefix: str, *, as_json: bool) -> None:
    """Show everything about one alert."""
    asyncio.run(_show(configure(config), prefix, as_json=as_json))


async def _show(configuration: Configuration, prefix: str, *, as_json: bool) -> None:
    now, zone = SystemClock().now(), configuration.settings.timezone
    async with existing_store(configuration) as store:
        alert = await finder(store).find_alert(prefix)
        scene = await read_scene(store, configuration.settings, now)
        rows = await store.deliveries_about(alert.id)
    if as_json:
        told = [_delivery_document(each) for each in reversed(rows)]
        print_json({**_document(alert, scene, now), "deliveries": told})
        return
    out = console()
    print_fields(out, _fields(alert, scene, now, zone))
    out.print()
    if not rows:
        out.print(Text("Nobody is told of it: msr-relay explain --event TYPE says why."))
        return
    lines = [
        (each.id[:12], each.channel, word(each.state), _when(each, now, zone), _why(each))
        for each in reversed(rows)
    ]
    out.print(table(("delivery", "channel", "state", "when", "why"), lines, fold=("channel", "when", "why")))


def _fields(alert: Alert, scene: Scene, now: datetime, zone: str) -> Iterator[tuple[str, object]]:
    yield "alert", alert.id
    yield "what", alert.summary
    yield "type", alert.type
    yield "state", word(alert.state)
    yield "severity", word(alert.severity)
    yield "cluster", alert.cluster
    yield "about", f"{alert.subject.kind} {alert.subject.name}"
    yield "replicas", ", ".join(alert.subject.replicas)
    for name, at in (
        ("first seen", alert.starts_at),
        ("fires since", alert.fired_at),
        ("not seen since", alert.absent_since),
        ("ended", alert.ends_at),
    ):
        if at is not None:
            yield name, f"{local(at, zone)} ({span(now - at)} ago)"
    yield "because", alert.ended_because
    if (events := stands_for(alert.type)) is not None:
        yield "in place of", f"messages about each {events} that came while it fired: their deliveries say so"
    yield "labels", ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
    for name, value in alert.details.items():
        if value not in (None, "", [], {}):
            members = value if isinstance(value, list) else [value]
            yield from ((f"  {name}", _detail(member)) for member in members)
    acknowledged = scene.acknowledgement(alert.id, now)
    if acknowledged is not None:
        until = "it ends" if acknowledged.until is None else local(acknowledged.until, zone)
        note = f": {acknowledged.note}" if acknowledged.note else ""
        yield "acknowledged", f"by {acknowledged.by} at {local(acknowledged.at, zone)} until {until}{note}"
    if alert.state is AlertState.RESOLVED:
        return
    silence = silence_of(alert, scene, now)
    if silence is not None:
        said = f"by {silence.id} until {local(silence.ends_at, zone)}: {silence.author}: {silence.comment}"
        yield "silenced", said
    if alert.flapping:
        yield "flapping", "it comes and goes too often to tell each time: quiet until it settles"
    if alert.inhibited:
        yield "inhibited", "a larger alert covers it"


def _detail(value: object) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_detail(member)}" for key, member in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _when(delivery: Delivery, now: datetime, zone: str) -> str:
    if delivery.finished_at is not None:
        return local(delivery.finished_at, zone)
    return "now" if delivery.due_at <= now else f"in {span(delivery.due_at - now)}"


def _why(delivery: Delivery) -> str:
    """Return why a delivery is there, and why it is not sent."""
    reason = "" if delivery.reason is Reason.NEW else str(delivery.reason)
    into = f"told by {delivery.merged_into[:12]}" if delivery.merged_into else ""
    return ": ".join(filter(None, (reason, delivery.note or into or delivery.last_error or "")))


def _delivery_document(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "channel": delivery.channel,
        "rule": delivery.rule,
        "state": str(delivery.state),
        "reason": str(delivery.reason),
        "due_at": stamp(delivery.due_at) if delivery.finished_at is None else None,
        "finished_at": stamp(delivery.finished_at),
        "note": delivery.note,
        "merged_into": delivery.merged_into,
        "last_error": delivery.last_error,
    }


def acknowledge(
    config: Path | None,
    prefix: str,
    note: str,
    lasting: str | None,
    until: str | None,
    by: str | None,
    *,
    as_json: bool,
) -> None:
    """Note that somebody takes care of an alert, or has taken note of an event."""
    configuration = configure(config)
    now, zone = SystemClock().now(), configuration.settings.timezone
    end = ending(lasting, until, now, zone, now)
    order = ordered(Acknowledge, by=user(by), about=prefix, note=note, until=end)
    made = asyncio.run(give(configuration, "acknowledge", order))
    if as_json:
        print_json(made)
        return
    whole = "it ends" if str(made["about"]).startswith("alr_") else "for good"
    lasts = (
        f"until {local(end, zone)}" if end is not None else f"until {whole}" if whole == "it ends" else whole
    )
    said = f"{order.by} takes care of {made['about']}: nothing of it is repeated or escalated {lasts}."
    console().print(Text(clean(said)))


def unacknowledge(config: Path | None, prefix: str, by: str | None) -> None:
    """Take an acknowledgement back."""
    configuration = configure(config)
    order = ordered(OnThread, by=user(by), about=prefix)
    about = asyncio.run(give(configuration, "unacknowledge", order))
    console().print(Text(clean(f"{about} is acknowledged no longer: repeats and escalations go on.")))
