"""``msr-relay deliveries``: what is on its way, what arrived, what did not and why."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from relay.cli.moments import span
from relay.cli.opening import configure, existing_store, finder
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
from relay.engine.orders import OnChannel, Replay
from relay.model.clock import SystemClock
from relay.model.delivery import Attempt, Delivery, DeliveryState, Reason, tells
from relay.model.errors import Exit, NotFoundError
from relay.model.event import Event
from relay.model.near import near
from relay.settings import Configuration
from relay.store import Filter


def listing(
    config: Path | None, channel: str | None, state: DeliveryState | None, limit: int, *, as_json: bool
) -> None:
    """List deliveries, the newest first."""
    configuration = configure(config)
    asyncio.run(_list(configuration, Filter(channel=channel, state=state, limit=limit), as_json=as_json))


async def _list(configuration: Configuration, wanted: Filter, *, as_json: bool) -> None:
    now = SystemClock().now()
    async with existing_store(configuration) as store:
        found = await store.list_deliveries(wanted)
        told = await store.events({id for each in found for id in each.events})
        counts = await store.count_deliveries(wanted.channel)
    if as_json:
        print_json([document(each, told) for each in found])
        return
    out = console()
    if not found:
        out.print(Text("No deliveries" + (" like that." if counts else " yet.")))
    else:
        length = distinct([each.id for each in found])
        wide = out.width >= WIDE
        heads = ("id", "age", "channel", "state", *(["reason"] if wide else []), "tries", "what it tells")
        lines = [
            (
                each.id[:length],
                age(each.created_at, now),
                each.channel,
                word(each.state),
                *([str(each.reason)] if wide else []),
                each.attempts,
                _told(each, told, now),
            )
            for each in found
        ]
        out.print(table(heads, lines, fold=("channel", "what it tells")))
    if counts:
        total = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        out.print(Text(f"In all: {total}.", "dim"))


def _told(delivery: Delivery, told: dict[str, Event], now: datetime) -> Text:
    """Return what it tells, and below it why it has not arrived, and when it goes on."""
    text = Text(clean(tells(delivery, told)))
    if delivery.reason is not Reason.NEW:
        text.append(f" ({delivery.reason})", "dim")
    if delivery.parts > 1:
        text.append(f" (part {delivery.part}/{delivery.parts})", "dim")
    if delivery.last_error and delivery.state is not DeliveryState.DELIVERED:
        text.append(f"\n→ {clean(delivery.last_error)}", "red")
    if delivery.note:
        text.append(f"\n→ {clean(delivery.note)}", "dim")
    if delivery.merged_into:
        text.append(f"\n→ told by {delivery.merged_into[:12]}", "dim")
    if _unfinished(delivery) and delivery.due_at > now:
        text.append(f"\n→ in {span(delivery.due_at - now)}", "dim")
    return text


def _unfinished(delivery: Delivery) -> bool:
    return delivery.finished_at is None


def document(delivery: Delivery, told: dict[str, Event]) -> dict[str, Any]:
    """Return a delivery as JSON types."""
    return {
        "id": delivery.id,
        "created_at": stamp(delivery.created_at),
        "due_at": stamp(delivery.due_at) if _unfinished(delivery) else None,
        "finished_at": stamp(delivery.finished_at),
        "channel": delivery.channel,
        "rule": delivery.rule,
        "state": str(delivery.state),
        "reason": str(delivery.reason),
        "note": delivery.note,
        "merged_into": delivery.merged_into,
        "group": None if delivery.group is None else dict(delivery.group),
        "part": delivery.part,
        "parts": delivery.parts,
        "more": delivery.more,
        "attempts": delivery.attempts,
        "tells": tells(delivery, told),
        "events": list(delivery.events),
        "replay_of": delivery.replay_of,
        "last_error": delivery.last_error,
    }


def show(config: Path | None, prefix: str, *, body: bool, as_json: bool) -> None:
    """Show a delivery with every attempt."""
    asyncio.run(_show(configure(config), prefix, body=body, as_json=as_json))


async def _show(configuration: Configuration, prefix: str, *, body: bool, as_json: bool) -> None:
    now = SystemClock().now()
    async with existing_store(configuration) as store:
        delivery = await finder(store).find(prefix)
        told = await store.events(delivery.events)
        attempts = await store.list_attempts(delivery.id)
    if as_json:
        tries = [_attempt_document(each, body=body) for each in attempts]
        print_json({**document(delivery, told), "tries": tries})
        return
    out = console()
    print_fields(out, _about(delivery, told, now))
    for attempt in attempts:
        _print_attempt(out, attempt, body=body)
    if not attempts:
        out.print(Text("\nNot tried yet."))


def _about(delivery: Delivery, told: dict[str, Event], now: datetime) -> list[tuple[str, object]]:
    due = delivery.due_at
    ahead = f" (in {span(due - now)})" if due > now else ""
    group = None if delivery.group is None else ", ".join(f"{k}: {v}" for k, v in delivery.group.items())
    return [
        ("delivery", delivery.id),
        ("tells", tells(delivery, told)),
        ("channel", delivery.channel),
        ("rule", delivery.rule),
        ("state", word(delivery.state)),
        ("reason", str(delivery.reason)),
        ("note", delivery.note),
        ("told by", delivery.merged_into),
        ("group", "everything of its rule" if group == "" else group),
        ("part", f"{delivery.part} of {delivery.parts}" if delivery.parts > 1 else None),
        ("created", f"{stamp(delivery.created_at)} ({age(delivery.created_at, now)} ago)"),
        ("due", f"{stamp(due)}{ahead}" if _unfinished(delivery) else None),
        ("finished", stamp(delivery.finished_at)),
        ("replay of", delivery.replay_of),
    ]


def _print_attempt(out: Console, attempt: Attempt, *, body: bool) -> None:
    plain = ", in the plain form: its template failed" if attempt.plain else ""
    head = Text.assemble(
        (f"\nattempt {attempt.number}", "bold"),
        f"  {stamp(attempt.at)}, {attempt.seconds:.2f} s: ",
        word(attempt.outcome),
        "" if attempt.status is None else f" (status {attempt.status})",
        plain,
    )
    out.print(head)
    for name, text in (("error", attempt.error), ("answer", attempt.answer)):
        if text:
            out.print(Text(f"  {name}: {clean(text)}"))
    for target in attempt.targets:
        status = "" if target.status is None else f" ({target.status})"
        said = f" {clean(target.error)}" if target.error else ""
        out.print(Text.assemble(f"  {clean(target.target)}: ", word(target.outcome), status, said))
    if body:
        out.print(Text("  body:"))
        for line in attempt.body.splitlines():
            shown = "".join(char if char.isprintable() else "\ufffd" for char in line)
            out.print(Text(f"    {shown}"), soft_wrap=True)


def _attempt_document(attempt: Attempt, *, body: bool) -> dict[str, Any]:
    found = {
        "number": attempt.number,
        "at": stamp(attempt.at),
        "seconds": round(attempt.seconds, 3),
        "outcome": str(attempt.outcome),
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
        "plain": attempt.plain,
        "targets": [
            {"target": t.target, "outcome": str(t.outcome), "status": t.status, "error": t.error}
            for t in attempt.targets
        ],
    }
    return {**found, "body": attempt.body} if body else found


def replay(
    config: Path | None, ids: list[str], channel: str | None, by: str | None, *, dead: bool, as_json: bool
) -> None:
    """Send deliveries once more, under new ids."""
    if dead == bool(ids) or dead != (channel is not None):
        raise typer.BadParameter("give ids of deliveries, or --dead with --channel NAME")
    configuration = configure(config)
    if channel is not None and channel not in configuration.settings.channel_names:
        hint = near(channel, configuration.settings.channel_names)
        raise NotFoundError(f"there is no channel {channel}: {hint}")
    order = (
        ordered(OnChannel, by=user(by), channel=channel or "")
        if dead
        else ordered(Replay, by=user(by), deliveries=ids)
    )
    made = asyncio.run(give(configuration, "replay-dead" if dead else "replay", order))
    if as_json:
        print_json(made)
        return
    out = console()
    if not made:
        out.print(Text("Nothing to replay: everything dead has been replayed already."))
        raise typer.Exit(Exit.OK)
    for id in made:
        out.print(Text(f"{id} is queued"))
