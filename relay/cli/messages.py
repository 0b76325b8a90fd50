"""``send-test``, ``render`` and ``explain``: trying messages and rules before they are needed."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.markup import escape

from relay.app import build
from relay.channels import Channel, channel_type, kinds
from relay.cli.orders import me
from relay.cli.output import console, print_json, print_table
from relay.cli.reading import configuration, event, near
from relay.engine.routing import OWN_RULE
from relay.engine.sending import Sender, Try
from relay.http import Http
from relay.model.clock import SystemClock
from relay.model.delivery import Delivery, Outcome
from relay.model.details import Test
from relay.model.errors import Exit, NotFoundError
from relay.model.event import Event, Status
from relay.model.ids import stable_id
from relay.model.samples import sample
from relay.render import Telling
from relay.settings import Settings
from relay.store import Claim


def send_test(option: Path | None, names: Sequence[str], source: str | None, *, as_json: bool) -> Exit:
    """Send a test message to each channel (none named: to all), once, past the store.

    Raises NotFoundError for an unknown channel.
    """
    settings = configuration(option).settings
    channels = [_channel(settings, name) for name in names] or settings.destinations
    tries = asyncio.run(_send_all(settings, channels, source))
    if as_json:
        print_json([_try_document(channel, tried) for channel, tried in zip(channels, tries, strict=True)])
    else:
        print_table(
            ["channel", "outcome", "status", "took", "answer"],
            [
                (
                    each.name,
                    t.result.outcome,
                    t.result.sent.status,
                    f"{t.seconds:.2f} s",
                    t.result.error or t.result.sent.answer,
                )
                for each, t in zip(channels, tries, strict=True)
            ],
            "No channel is configured.",
        )
    good = all(tried.result.outcome is Outcome.DELIVERED and not tried.result.error for tried in tries)
    return Exit.OK if good else Exit.FAILED


def _channel(settings: Settings, name: str) -> Channel:
    for channel in settings.destinations:
        if channel.name == name:
            return channel
    raise NotFoundError(f"there is no channel {name}; {near(name, settings.channel_names)}")


async def _send_all(settings: Settings, channels: Sequence[Channel], source: str | None) -> list[Try]:
    clock = SystemClock()
    http, renderer = Http(clock), build.renderer(settings, clock)
    now = clock.now()

    async def send(channel: Channel) -> Try:
        told = _test(channel) if source is None else event(source)[0]
        told = replace(told, id=stable_id("evt", told.type, channel.name, now.isoformat()), seen_at=now)
        delivery = Delivery(
            stable_id("dlv", told.id), channel.name, "send-test", told.thread, (told.id,), now, now
        )
        try:
            return await Sender(channel, renderer, http, clock).attempt(Claim(delivery, (told,)))
        finally:
            await channel.close()

    def _test(channel: Channel) -> Event:
        details = Test(channel=channel.name, sent_by=me()).plain()
        return replace(sample("relay.test"), happened_at=now, details=details)

    try:
        return list(await asyncio.gather(*(send(channel) for channel in channels)))
    finally:
        await http.close()


def _try_document(channel: Channel, tried: Try) -> dict[str, Any]:
    result = tried.result
    return {
        "channel": channel.name,
        "outcome": result.outcome,
        "status": result.sent.status,
        "seconds": round(tried.seconds, 3),
        "error": result.error,
        "answer": result.sent.answer,
        "targets": [
            {"target": each.target, "outcome": each.outcome, "status": each.status, "error": each.error}
            for each in result.sent.targets
        ],
        "body": tried.body,
    }


def render(
    option: Path | None, template: str, source: str, kind: str | None, status: Status | None, *, as_json: bool
) -> Exit:
    """Print the parts of a message. ``template`` is a name, or ``KIND/NAME``. Raises TemplateError."""
    settings = configuration(option).settings
    renderer = build.renderer(settings, SystemClock())
    folder, _, name = template.rpartition("/")
    wanted = (
        [folder] if folder else [kind] if kind else [each for each in kinds() if name in renderer.names(each)]
    )
    if not wanted:
        known = sorted({found for each in kinds() for found in renderer.names(each)} | {"default"})
        raise NotFoundError(f"no kind of channel has a template {name}; {near(name, known)}")
    told, filled = event(source, status)
    own = None if name in ("default", told.type) else name
    telling = Telling((told,), "sample", "sample", "dlv_sample")
    parts = {each: renderer.render(each, channel_type(each).PARTS, telling, own) for each in wanted}
    if as_json:
        print_json(parts)
        return Exit.OK
    out = console()
    if filled:
        out.print(f"[dim]taken from the sample: {', '.join(filled)}[/]")
    for each, rendered in parts.items():
        for part, text in rendered.items():
            out.print(f"[bold]{each}/{name}.{part}[/]")
            out.print(escape(text))
            out.print()
    return Exit.OK


def explain(option: Path | None, source: str, status: Status | None, *, as_json: bool) -> Exit:
    """Print what every rule says to an event, and where it goes in the end."""
    settings = configuration(option).settings
    router = build.router(settings)
    told, filled = event(source, status)
    verdicts, routes = router.explain(told), router.route(told)
    if as_json:
        print_json(
            {
                "event": {"type": told.type, "summary": told.summary, "from_sample": filled},
                "rules": [
                    {"rule": v.rule, "matches": not v.misses, "reached": v.reached, "because": v.misses}
                    for v in verdicts
                ],
                "channels": [{"channel": route.channel, "rule": route.rule} for route in routes],
            }
        )
        return Exit.OK
    out = console()
    out.print(f"[bold]{escape(told.summary)}[/]  {told.type} {told.status} {told.severity}")
    if filled:
        out.print(f"[dim]taken from the sample: {', '.join(filled)}[/]")
    out.print()
    rows = []
    for verdict in verdicts:
        if not verdict.reached:
            rows.append((verdict.rule, "not reached", "a rule above stops"))
        elif verdict.misses:
            rows.append((verdict.rule, "no", "; ".join(verdict.misses)))
        else:
            rows.append((verdict.rule, "yes", ", ".join(verdict.channels) or "its channels have it already"))
    print_table(["rule", "takes it", "why not, or where to"], rows, "There are no rules.")
    out.print()
    if not routes:
        out.print("[yellow]Nobody is told: it is kept as unrouted.[/]")
    for route in routes:
        rule = "as news of the relay about itself" if route.rule == OWN_RULE else f"by rule {route.rule}"
        out.print(f"[green]→[/] {escape(route.channel)}, {escape(rule)}")
    return Exit.OK
