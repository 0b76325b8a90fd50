"""``msr-relay send-test``: sends a message once, past rules and outbox, and says how it went."""

import asyncio
import contextlib
import random
import sys
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from relay.app import build
from relay.channels import Channel
from relay.cli.event_source import find_event
from relay.cli.opening import configure
from relay.cli.orders import user
from relay.cli.output import clean, console, print_json, word
from relay.engine.given import Found
from relay.engine.send_test import Trial
from relay.engine.send_test import send_test as trial_of
from relay.engine.sending import Sender
from relay.http import Http
from relay.model.clock import SystemClock
from relay.model.errors import Exit, NotFoundError
from relay.model.near import near
from relay.settings import Settings

_AT_ONCE = 8


def send_test(
    config: Path | None,
    names: list[str],
    event: str,
    status: str | None,
    by: str | None,
    *,
    every: bool,
    as_json: bool,
) -> None:
    """Send to the channels and exit with 1 if one of them did not take it."""
    if every == bool(names):
        raise typer.BadParameter("give a CHANNEL, or --all")
    settings = configure(config).settings
    channels = _chosen(settings, names)
    found = find_event(event, status, settings)
    # A channel of kind console writes to standard output, which is to hold nothing but JSON.
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        sent = asyncio.run(_send(settings, channels, found, user(by)))
    if as_json:
        print_json([_document(each) for each in sent])
    else:
        _print(sent, found.note)
    if not sent:
        raise NotFoundError("no channel is configured: add one under channels")
    raise typer.Exit(Exit.OK if all(each.arrived for each in sent) else Exit.FAILED)


def _chosen(settings: Settings, names: list[str]) -> list[Channel]:
    known = {each.name: each for each in settings.destinations}
    for name in names:
        if name not in known:
            raise NotFoundError(f"there is no channel {clean(name)}: {near(name, known)}")
    return [known[name] for name in names] if names else list(known.values())


async def _send(settings: Settings, channels: list[Channel], found: Found, by: str) -> list[Trial]:
    clock = SystemClock()
    # An id needs no cryptographic randomness.
    source = random.Random()  # noqa: S311
    http = Http(clock)
    renderer = build.renderer(settings, clock)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(channel: Channel) -> Trial:
        async with slots:
            trial = await trial_of(Sender(channel, renderer, http, clock), found.event, by, clock, source)
            await channel.close()
        return trial

    try:
        return list(await asyncio.gather(*map(one, channels)))
    finally:
        await http.close()


def _document(sent: Trial) -> dict[str, Any]:
    tried = sent.tried
    return {
        "channel": sent.channel,
        "kind": sent.kind,
        "delivery": sent.delivery,
        "outcome": str(tried.result.outcome),
        "arrived": sent.arrived,
        "status": tried.result.sent.status,
        "seconds": round(tried.seconds, 3),
        "error": tried.result.error,
        "answer": tried.result.sent.answer,
        "template_error": None if tried.broken is None else str(tried.broken),
        "targets": [
            {"target": t.target, "outcome": str(t.outcome), "status": t.status, "error": t.error}
            for t in tried.result.sent.targets
        ],
    }


def _print(everything: list[Trial], note: str) -> None:
    out = console()
    if note:
        out.print(Text(f"note: {note}", "dim"))
    for sent in everything:
        result = sent.tried.result
        status = "" if result.sent.status is None else f", status {result.sent.status}"
        line = Text.assemble((clean(sent.channel), "bold"), f" ({sent.kind}): ")
        out.print(line.append_text(word(result.outcome)).append(f" in {sent.tried.seconds:.2f} s{status}"))
        if sent.tried.broken is not None:
            out.print(Text(f"  its template failed, so it went in the plain form: {sent.tried.broken}"))
        for name, text in (("error", result.error), ("answer", result.sent.answer)):
            if text:
                out.print(Text(f"  {name}: {clean(text)}"))
        for target in result.sent.targets:
            line = Text.assemble(f"  {clean(target.target)}: ", word(target.outcome))
            line.append("" if target.status is None else f" ({target.status})")
            out.print(line.append(f" {clean(target.error)}" if target.error else ""))
