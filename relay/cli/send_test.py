"""``msr-relay send-test``: sends a message once, past rules and outbox, and says how it went."""

import asyncio
import contextlib
import random
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from relay.app import build
from relay.channels import Channel
from relay.cli.event_source import Found, find_event
from relay.cli.opening import configure, near
from relay.cli.orders import user
from relay.cli.output import clean, console, print_json, word
from relay.engine.sending import Sender, Try
from relay.http import Http
from relay.model.clock import Clock, SystemClock
from relay.model.delivery import Delivery, Outcome
from relay.model.errors import Exit, NotFoundError
from relay.model.event import Event, Subject, SubjectKind
from relay.model.ids import random_id
from relay.settings import Settings
from relay.store import Claim

_TEST = "relay.test"
_RULE = "send-test"
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class _Sent:
    channel: Channel
    delivery: str
    tried: Try

    @property
    def arrived(self) -> bool:
        outcomes = {each.outcome for each in self.tried.result.sent.targets}
        return self.tried.result.outcome is Outcome.DELIVERED and outcomes <= {Outcome.DELIVERED}


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


async def _send(settings: Settings, channels: list[Channel], found: Found, by: str) -> list[_Sent]:
    clock = SystemClock()
    # An id needs no cryptographic randomness.
    source = random.Random()  # noqa: S311
    http = Http(clock)
    renderer = build.renderer(settings, clock)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(channel: Channel) -> _Sent:
        told = _fresh(found.event, channel, by, clock, source)
        claim = _claim(told, channel, clock, source)
        async with slots:
            tried = await Sender(channel, renderer, http, clock).attempt(claim)
            await channel.close()
        return _Sent(channel, claim.delivery.id, tried)

    try:
        return list(await asyncio.gather(*map(one, channels)))
    finally:
        await http.close()


def _fresh(event: Event, channel: Channel, by: str, clock: Clock, source: random.Random) -> Event:
    """Return the test of this channel, now; another event goes out as it is, under an id of its own."""
    event = replace(event, id=random_id("evt", source))
    if event.type != _TEST:
        # The same alert twice would end up in the thread of the real one.
        return event if event.alert is None else replace(event, alert=random_id("alr", source))
    now = clock.now()
    return replace(
        event,
        subject=Subject(SubjectKind.CHANNEL, channel.name),
        happened_at=now,
        seen_at=now,
        details={**event.details, "channel": channel.name, "sent_by": by},
    )


def _claim(event: Event, channel: Channel, clock: Clock, source: random.Random) -> Claim:
    now = clock.now()
    delivery = Delivery(
        random_id("dlv", source), channel.name, _RULE, event.thread, (event.id,), created_at=now, due_at=now
    )
    return Claim(delivery, (event,))


def _document(sent: _Sent) -> dict[str, Any]:
    tried = sent.tried
    return {
        "channel": sent.channel.name,
        "kind": sent.channel.kind,
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


def _print(everything: list[_Sent], note: str) -> None:
    out = console()
    if note:
        out.print(Text(f"note: {note}", "dim"))
    for sent in everything:
        result = sent.tried.result
        status = "" if result.sent.status is None else f", status {result.sent.status}"
        line = Text.assemble((clean(sent.channel.name), "bold"), f" ({sent.channel.kind}): ")
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
