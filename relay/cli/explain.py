"""``msr-relay explain --event``: which rules take an event and why not, who gets it, when, what holds it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from relay.app import build
from relay.cli.event_source import find_event
from relay.cli.moments import local, moment
from relay.cli.opening import configure, read_scene, store_if_any
from relay.cli.output import clean, console, print_json, table
from relay.engine.draft import Rules
from relay.engine.explanation import (
    GROUPS,
    Explained,
    notes,
    remarks,
    sentence,
    surroundings,
    why,
)
from relay.engine.explanation import (
    explain as explained_by,
)
from relay.engine.explanation_document import Explanation
from relay.engine.inhibition import Inhibitions
from relay.engine.routing import Verdict
from relay.engine.scene import Scene
from relay.model.clock import SystemClock
from relay.model.plan import Group
from relay.settings import Configuration, Settings

_STYLES = {"matches": "green", "no": "red", "not reached": "dim"}


@dataclass(frozen=True, slots=True)
class _Known:
    """What the store has, if there is one."""

    scene: Scene
    groups: Sequence[Group] = ()
    store: bool = True


def explain(config: Path | None, source: str, status: str | None, at: str, *, as_json: bool) -> None:
    """Print what every rule says to an event, and which channels get it in the end."""
    configuration = configure(config)
    settings = configuration.settings
    when = moment(at, "--at", settings.timezone, SystemClock().now())
    found = find_event(source, status, settings)
    rules = Rules(build.router(settings), Inhibitions(settings.inhibit), settings.times)
    known = asyncio.run(_read(configuration, when))
    digests = {each.name: each.digest_after for each in settings.destinations}
    explained = explained_by(found, rules, known.scene, known.groups, digests, when, store=known.store)
    if as_json:
        print_json(Explanation.of(explained).model_dump(mode="json"))
        return
    out = console()
    _print_event(out, explained)
    if explained.verdicts:
        out.print(table(("rule", "", "why"), map(_line, explained.verdicts), fold=("rule", "why")))
    if not settings.rules and explained.verdicts:
        out.print(Text("No rules are written; this is what holds without any.", "dim"))
    out.print()
    _print_ways(out, settings, explained)
    _print_world(out, settings, explained)


async def _read(configuration: Configuration, at: datetime) -> _Known:
    async with store_if_any(configuration) as store:
        if store is None:
            settings = configuration.settings
            rules = build.router(settings).rules
            return _Known(Scene(rules=rules, times=settings.times), store=False)
        scene = await read_scene(store, configuration.settings, at)
        return _Known(scene, await store.groups(at - GROUPS))


def _line(verdict: Verdict) -> tuple[object, ...]:
    said, reasons = why(verdict)
    return verdict.rule, Text(said, _STYLES[said]), reasons


def _print_event(out: Console, explained: Explained) -> None:
    event = explained.found.event
    place = f" in {event.cluster}" if event.cluster else ""
    out.print(Text(f"{event.type} ({event.status}, {event.severity}){place}: {clean(event.summary)}", "bold"))
    if explained.found.note:
        out.print(Text(f"note: {explained.found.note}", "dim"))
    out.print()


def _print_ways(out: Console, settings: Settings, explained: Explained) -> None:
    if not explained.seen.ways:
        out.print(Text("Nobody gets it." + ("" if settings.channels else " No channel is configured.")))
        return
    for remark in remarks(explained):
        out.print(Text(remark, "dim"))
    for way in explained.seen.ways:
        before, after = sentence(explained, way)
        out.print(Text.assemble(before, (clean(way.delivery.channel), "bold"), _clean_end(after)))
        for note in notes(explained, way, lambda at: local(at, settings.timezone)):
            out.print(Text(f"  {clean(note)}"))


def _clean_end(text: str) -> str:
    return f" {clean(text)}" if text.startswith(" ") else clean(text)


def _print_world(out: Console, settings: Settings, explained: Explained) -> None:
    out.print()
    if not explained.store:
        out.print(Text("There is no store yet: silences and open alerts are not known.", "dim"))
    for said in surroundings(explained, lambda at: local(at, settings.timezone)):
        out.print(Text(clean(said)))
