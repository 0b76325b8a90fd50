"""``send-test``, ``render`` and ``explain``: trying messages and rules before they are needed."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.text import Text

from relay.app import build
from relay.channels import Channel, channel_type, kinds
from relay.cli.event_files import event
from relay.cli.opening import configure, near
from relay.cli.orders import user
from relay.cli.output import clean, console, print_json, print_text, table, word
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
    settings = configure(option).settings
    channels = [_channel(settings, name) for name in names] or settings.destinations
    tries = asyncio.run(_send_all(settings, channels, source))
    if as_json:
        print_json([_try_document(channel, tried) for channel, tried in zip(channels, tries, strict=True)])
    else:
        rows = [
            (
                each.name,
                word(tried.result.outcome),
                tried.result.sent.status or "",
                f"{tried.seconds:.2f} s",
                tried.result.error or tried.result.sent.answer,
            )
            for each, tried in zip(channels, tries, strict=True)
        ]
        heads = ["channel", "outcome", "status", "took", "answer"]
        console().print(table(heads, rows, fold=["answer"]))
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
        details = Test(channel=channel.name, sent_by=user(None)).plain()
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
    settings = configure(option).settings
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
    _say_filled(filled)
    for each, rendered in parts.items():
        for part, text in rendered.items():
            out.print(Text(f"{each}/{name}.{part}", "bold"))
            print_text(json.dumps(json.loads(text), indent=2, ensure_ascii=False) if part == "json" else text)
            out.print()
    return Exit.OK


def explain(option: Path | None, source: str, status: Status | None, *, as_json: bool) -> Exit:
    """Print what every rule says to an event, and where it goes in the end."""
    settings = configure(option).settings
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
    heading = f"  {told.type}, {told.status}, {told.severity}"
    out.print(Text.assemble((clean(told.summary), "bold"), heading))
    _say_filled(filled)
    out.print()
    rows = []
    for verdict in verdicts:
        if not verdict.reached:
            rows.append((verdict.rule, "not reached", "a rule above stops"))
        elif verdict.misses:
            rows.append((verdict.rule, "no", "; ".join(verdict.misses)))
        else:
            rows.append((verdict.rule, "yes", ", ".join(verdict.channels) or "its channels have it already"))
    lines = [(name, word(answer), why) for name, answer, why in rows]
    out.print(
        table(["rule", "takes it", "why not, or where to"], lines, fold=["rule", "why not, or where to"])
    )
    out.print()
    if not routes:
        out.print(Text("Nobody is told: it is kept, as unrouted.", "yellow"))
    for route in routes:
        rule = "as news of the relay about itself" if route.rule == OWN_RULE else f"by rule {route.rule}"
        out.print(Text.assemble(("→ ", "green"), clean(route.channel), f", {clean(rule)}"))
    return Exit.OK


def _say_filled(filled: Sequence[str]) -> None:
    if filled:
        console().print(Text(f"taken from the sample: {', '.join(filled)}", "dim"))
