"""``events``, ``alerts``, ``deliveries``, ``channels``, ``journal``: what the store knows."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from rich.markup import escape

from relay.cli.output import age, console, print_json, print_table, short
from relay.cli.reading import configuration, near, open_store
from relay.engine.operate import Operator
from relay.model.alert import Alert, AlertState
from relay.model.clock import SystemClock
from relay.model.delivery import Attempt, ChannelHealth, Delivery, DeliveryState
from relay.model.errors import Exit, NotFoundError
from relay.settings import Configuration
from relay.store import Filter, Store

T = TypeVar("T")


def _with_store(option: Path | None, question: Callable[[Store, Configuration], Awaitable[T]]) -> T:
    found = configuration(option)

    async def ask() -> T:
        async with open_store(found) as store:
            return await question(store, found)

    return asyncio.run(ask())


def events(option: Path | None, wanted: Filter, *, as_json: bool) -> Exit:
    """List events, the newest first."""

    async def ask(store: Store, _: Configuration) -> tuple[list[Any], int]:
        return await store.list_events(wanted), await store.count_unrouted()

    listed, unrouted = _with_store(option, ask)
    if as_json:
        print_json([{"routed": routed, **json.loads(event.to_json())} for _, routed, event in listed])
        return Exit.OK
    now = SystemClock().now()
    print_table(
        ["id", "seen", "cluster", "severity", "status", "type", "what"],
        [
            (
                short(event.id),
                age(event.seen_at, now),
                event.cluster or "",
                event.severity,
                event.status,
                event.type,
                event.summary if routed else f"{event.summary} (unrouted)",
            )
            for _, routed, event in listed
        ],
        "There is no such event.",
    )
    if unrouted:
        console().print(f"\n{unrouted} in all were taken by no rule: msr-relay events --unrouted")
    return Exit.OK


def alerts(option: Path | None, wanted: Filter, *, everything: bool, as_json: bool) -> Exit:
    """List alerts: those that are pending or firing, or all."""

    async def ask(store: Store, _: Configuration) -> list[Alert]:
        found = await store.list_alerts(wanted) if everything else await store.open_alerts()
        return [each for each in found if wanted.cluster in (None, each.cluster)]

    listed = _with_store(option, ask)
    if as_json:
        print_json([json.loads(alert.to_json()) for alert in listed])
        return Exit.OK
    now = SystemClock().now()
    print_table(
        ["id", "since", "cluster", "severity", "state", "type", "what"],
        [
            (
                short(alert.id),
                age(alert.starts_at, now),
                alert.cluster or "",
                alert.severity,
                "held back" if alert.inhibited and alert.state is AlertState.FIRING else alert.state,
                alert.type,
                alert.summary,
            )
            for alert in listed
        ],
        "No alert is open.",
    )
    return Exit.OK


def deliveries(option: Path | None, wanted: Filter, *, as_json: bool) -> Exit:
    """List deliveries, the newest first."""

    async def ask(store: Store, _: Configuration) -> tuple[list[Delivery], dict[str, str]]:
        found = await store.list_deliveries(wanted)
        told = await store.events({id for each in found for id in each.events})
        return found, {id: event.summary for id, event in told.items()}

    listed, summaries = _with_store(option, ask)
    if as_json:
        print_json([_delivery_document(each, summaries) for each in listed])
        return Exit.OK
    now = SystemClock().now()
    print_table(
        ["id", "age", "channel", "state", "tries", "due", "what", "last error"],
        [
            (
                short(each.id),
                age(each.created_at, now),
                each.channel,
                each.state,
                each.attempts,
                age(each.due_at, now) if each.state is DeliveryState.PENDING else "",
                "; ".join(summaries.get(id, "") for id in each.events),
                each.last_error or "",
            )
            for each in listed
        ],
        "There is no such delivery.",
    )
    return Exit.OK


def delivery(option: Path | None, prefix: str, *, body: bool, as_json: bool) -> Exit:
    """Show a delivery with every attempt. Raises NotFoundError or AmbiguousError."""

    async def ask(store: Store, _: Configuration) -> tuple[Delivery, list[Attempt], dict[str, str]]:
        import random

        # Nothing random comes of looking.
        found = await Operator(store, SystemClock(), random.Random()).find(prefix)  # noqa: S311
        told = await store.events(found.events)
        return found, await store.list_attempts(found.id), {id: e.summary for id, e in told.items()}

    found, attempts, summaries = _with_store(option, ask)
    if as_json:
        print_json(
            {**_delivery_document(found, summaries), "tries": [_attempt_document(a) for a in attempts]}
        )
        return Exit.OK
    out = console()
    out.print(f"[bold]{escape('; '.join(summaries.values()))}[/]")
    out.print(f"{found.id} to {escape(found.channel)}, by rule {escape(found.rule)}: {found.state}")
    if found.replay_of:
        out.print(f"a replay of {found.replay_of}")
    for attempt in attempts:
        status = "" if attempt.status is None else f" {attempt.status}"
        plain = ", in plain form because its template failed" if attempt.plain else ""
        out.print(
            f"\n[bold]attempt {attempt.number}[/] {attempt.at:%Y-%m-%d %H:%M:%S} UTC, "
            f"{attempt.seconds:.2f} s: {attempt.outcome}{status}{plain}"
        )
        for label, text in (("error", attempt.error), ("answer", attempt.answer)):
            if text:
                out.print(f"  {label}: {escape(text)}")
        for target in attempt.targets:
            out.print(f"  {escape(target.target)}: {target.outcome} {escape(target.error or '')}")
        if body:
            out.print(escape(attempt.body))
    return Exit.OK


def channels(option: Path | None, name: str | None, *, as_json: bool) -> Exit:
    """Show how the channels do. Raises NotFoundError for an unknown one."""

    async def ask(store: Store, found: Configuration) -> list[dict[str, Any]]:
        healths = await store.healths()
        names = found.settings.channel_names
        if name is not None and name not in names:
            raise NotFoundError(f"there is no channel {name}; {near(name, names)}")
        rows = []
        for channel in found.settings.destinations:
            if name in (None, channel.name):
                health = healths.get(channel.name, ChannelHealth(channel.name))
                counts = await store.count_deliveries(channel.name)
                rows.append(
                    {
                        "channel": channel.name,
                        "kind": channel.kind,
                        "state": health.state,
                        "since": health.since,
                        "by": health.by,
                        "reason": health.reason,
                        "next_try": health.probe_at,
                        "deliveries": counts,
                    }
                )
        return rows

    rows = _with_store(option, ask)
    if as_json:
        print_json(rows)
        return Exit.OK
    now = SystemClock().now()
    print_table(
        ["channel", "kind", "state", "since", "waiting", "dead", "why"],
        [
            (
                row["channel"],
                row["kind"],
                row["state"],
                age(row["since"], now),
                row["deliveries"].get("pending", 0),
                row["deliveries"].get("dead", 0),
                f"{row['reason']} (by {row['by']})" if row["by"] else row["reason"],
            )
            for row in rows
        ],
        "No channel is configured.",
    )
    return Exit.OK


def journal(option: Path | None, limit: int, *, as_json: bool) -> Exit:
    """List what users did, the latest first."""

    async def ask(store: Store, _: Configuration) -> list[dict[str, Any]]:
        return await store.list_deeds(limit)

    deeds = _with_store(option, ask)
    if as_json:
        print_json(deeds)
        return Exit.OK
    print_table(
        ["when", "who", "did", "to", "note"],
        [(f"{d['at']:%Y-%m-%d %H:%M:%S}", d["who"], d["action"], d["subject"], d["note"]) for d in deeds],
        "Nobody has done anything yet.",
    )
    return Exit.OK


def _delivery_document(each: Delivery, summaries: dict[str, str]) -> dict[str, Any]:
    return {
        "id": each.id,
        "channel": each.channel,
        "rule": each.rule,
        "state": each.state,
        "attempts": each.attempts,
        "created_at": each.created_at,
        "due_at": each.due_at,
        "events": list(each.events),
        "summaries": [summaries[id] for id in each.events if id in summaries],
        "delivered_to": list(each.delivered_to),
        "last_error": each.last_error,
        "replay_of": each.replay_of,
    }


def _attempt_document(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": attempt.at,
        "seconds": attempt.seconds,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
        "targets": [
            {"target": t.target, "outcome": t.outcome, "status": t.status, "error": t.error}
            for t in attempt.targets
        ],
        "plain": attempt.plain,
        "body": attempt.body,
    }
