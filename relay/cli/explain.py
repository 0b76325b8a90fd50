"""``msr-relay explain --event``: which rules take an event and why not, who gets it, when, what holds it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from relay.app import build
from relay.cli.event_source import Found, find_event
from relay.cli.moments import local, moment
from relay.cli.opening import configure, read_scene, store_if_any
from relay.cli.output import clean, console, print_json, stamp, table
from relay.cli.silences import words
from relay.config import format_duration
from relay.engine.draft import Rules, World
from relay.engine.inhibition import Inhibition, Inhibitions
from relay.engine.intervals import muted, muted_until
from relay.engine.outlook import Outlook, Way, outlook
from relay.engine.routing import OWN_RULE, Verdict
from relay.engine.rules import Rule
from relay.engine.scene import Scene, standing
from relay.model.alert import Alert
from relay.model.clock import SystemClock
from relay.model.delivery import DeliveryState, Reason
from relay.model.event import Event, Status
from relay.model.plan import Group
from relay.settings import Configuration, Settings

_GROUPS = timedelta(days=7)
_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the store has, if there is one."""

    scene: Scene
    groups: Sequence[Group] = ()
    store: bool = True


@dataclass(frozen=True, slots=True)
class _Muting:
    """A rule's times: the intervals that it names, and until when they mute it, None where they do not."""

    mute_during: Sequence[str] = ()
    active_during: Sequence[str] = ()
    until: datetime | None = field(default=None)


def explain(config: Path | None, source: str, status: str | None, at: str, *, as_json: bool) -> None:
    """Print what every rule says to an event, and which channels get it in the end."""
    configuration = configure(config)
    settings = configuration.settings
    when = moment(at, "--at", settings.timezone, SystemClock().now())
    found = find_event(source, status, settings)
    router = build.router(settings)
    rules = Rules(router, Inhibitions(settings.inhibit), settings.times)
    known = asyncio.run(_read(configuration, when))
    alerts = {alert.fingerprint: alert for alert in known.scene.alerts.values()}
    world = World(alerts, groups={group.key: group for group in known.groups})
    seen = outlook(found.event, world, rules, known.scene, when)
    verdicts = router.explain(found.event)
    if as_json:
        print_json(_document(settings, found, verdicts, seen, when, store=known.store))
        return
    out = console()
    _print_event(out, found)
    if verdicts:
        out.print(table(("rule", "", "why"), map(_line, verdicts), fold=("rule", "why")))
    if not settings.rules and verdicts:
        out.print(Text("No rules are written; this is what holds without any.", "dim"))
    out.print()
    _print_ways(out, settings, found.event, seen, when)
    _print_world(out, settings, seen, when, store=known.store)


async def _read(configuration: Configuration, at: datetime) -> _Known:
    async with store_if_any(configuration) as store:
        if store is None:
            settings = configuration.settings
            rules = build.router(settings).rules
            return _Known(Scene(rules=rules, times=settings.times), store=False)
        scene = await read_scene(store, configuration.settings, at)
        return _Known(scene, await store.groups(at - _GROUPS))


def _line(verdict: Verdict) -> tuple[object, ...]:
    misses = "; ".join(verdict.misses)
    if not verdict.reached:
        return verdict.rule, Text("not reached", "dim"), "a rule above stops"
    if misses:
        return verdict.rule, Text("no", "red"), misses
    why = f"→ {', '.join(verdict.channels)}" if verdict.channels else "its channels have it already"
    return verdict.rule, Text("matches", "green"), why


def _verdict(verdict: Verdict) -> dict[str, object]:
    return {
        "rule": verdict.rule,
        "matches": not verdict.misses and verdict.reached,
        "reached": verdict.reached,
        "misses": list(verdict.misses),
        "channels": list(verdict.channels),
    }


def _print_event(out: Console, found: Found) -> None:
    event = found.event
    place = f" in {event.cluster}" if event.cluster else ""
    out.print(Text(f"{event.type} ({event.status}, {event.severity}){place}: {clean(event.summary)}", "bold"))
    if found.note:
        out.print(Text(f"note: {found.note}", "dim"))
    out.print()


def _print_ways(out: Console, settings: Settings, event: Event, seen: Outlook, at: datetime) -> None:
    if not seen.ways:
        out.print(Text("Nobody gets it." + ("" if settings.channels else " No channel is configured.")))
        return
    if any(way.delivery.rule == OWN_RULE for way in seen.ways):
        why = "The relay tells this about itself: without a rule for its type it goes to every other channel."
        out.print(Text(why, "dim"))
    if event.status is Status.RESOLVED:
        out.print(Text("The end of an alert goes to those who were told its beginning.", "dim"))
    digests = {each.name: each.digest_after for each in settings.destinations}
    for way in seen.ways:
        channel = clean(way.delivery.channel)
        if way.delivery.reason is Reason.ESCALATION:
            # What a larger alert covers is not looked at when it is due, but later.
            known = way.delivery.state is not DeliveryState.INHIBITED
            wait = format_duration(way.delivery.due_at - at) if known else "a while"
            line = Text.assemble("Unless acknowledged or over, ", (channel, "bold"))
            line.append(f" hears of it after {wait}, by rule {clean(way.delivery.rule)}")
        else:
            line = Text.assemble("It goes to ", (channel, "bold"))
            if way.delivery.template is not None:
                line.append(f", with template {clean(way.delivery.template)}")
            if way.rule is not None and way.rule.after and event.status is Status.FIRING:
                line.append(f", if it still fires after {format_duration(way.rule.after)}")
        out.print(line.append("."))
        for note in _notes(settings, event, way, digests, at):
            out.print(Text(f"  {clean(note)}"))


def _notes(
    settings: Settings, event: Event, way: Way, digests: Mapping[str, timedelta | None], at: datetime
) -> Iterator[str]:
    """Yield what else there is to know of a way."""
    rule, delivery, zone = way.rule, way.delivery, settings.timezone
    if way.hold is not None:
        again = "for good" if way.hold.until is None else f"looked at again {local(way.hold.until, zone)}"
        yield f"held back ({way.hold.state}), {again}: {way.hold.note}"
    first = delivery.reason is not Reason.ESCALATION
    if first and delivery.gathered and rule is not None and rule.group is not None:
        having = ", ".join(f"{name}: {value or '-'}" for name, value in (delivery.group or {}).items())
        wait, interval = map(format_duration, (rule.group.wait, rule.group.interval))
        joins = "; it joins a group that there is" if way.joins else ""
        yield f"gathered with everything of {having or 'its rule'}{joins}"
        yield f"told together after {wait}, at most every {interval}: due {local(delivery.due_at, zone)}"
    if first and rule is not None and rule.repeat is not None and event.status is Status.FIRING:
        yield f"told again every {format_duration(rule.repeat)} while it fires"
    muting = _muting(settings, rule, at)
    for name, intervals in (
        ("muted during", muting.mute_during),
        ("active only during", muting.active_during),
    ):
        if intervals:
            now = "not muted now" if muting.until is None else f"muted until {local(muting.until, zone)}"
            yield f"{name} {', '.join(intervals)}: {now}"
    digest = digests.get(delivery.channel)
    if first and digest is not None:
        yield f"after an outage of its channel of over {format_duration(digest)}: with all else that waits"


def _muting(settings: Settings, rule: Rule | None, at: datetime) -> _Muting:
    if rule is None:
        return _Muting()
    until = muted_until(rule, settings.times, at, _YEAR) if muted(rule, settings.times, at) else None
    return _Muting(rule.mute_during, rule.active_during, until)


def _print_world(out: Console, settings: Settings, seen: Outlook, at: datetime, *, store: bool) -> None:
    out.print()
    if not store:
        out.print(Text("There is no store yet: silences and open alerts are not known.", "dim"))
    zone = settings.timezone
    for each in seen.silences:
        until = f"until {local(each.ends_at, zone)}"
        said = f"Silence {each.id} matches it ({standing(each, at)}, {until}): {each.author}: {each.comment}"
        out.print(Text(clean(said)))
    if store and not seen.silences:
        out.print(Text("No silence matches it."))
    for inhibition, alerts in seen.covers:
        said = f"It is not told while {_larger(inhibition)} fires{_now(alerts, store=store)}."
        out.print(Text(clean(said)))


def _larger(inhibition: Inhibition) -> str:
    if inhibition.rule is None:
        return "watch.failing of the whole cluster"
    source = words(inhibition.rule.source.model_dump(mode="json", exclude_defaults=True)) or "anything"
    equal = f", with the same {' and '.join(inhibition.equal)}" if inhibition.equal else ""
    return f"an alert ({source}{equal})"


def _now(alerts: Sequence[Alert], *, store: bool) -> str:
    if alerts:
        return ", and now does " + ", ".join(f"{each.id} ({each.summary})" for each in alerts)
    return ": none does now" if store else ""


def _document(
    settings: Settings,
    found: Found,
    verdicts: Sequence[Verdict],
    seen: Outlook,
    at: datetime,
    *,
    store: bool,
) -> dict[str, Any]:
    event = found.event
    digests = {each.name: each.digest_after for each in settings.destinations}
    return {
        "event": {
            "type": event.type,
            "status": str(event.status),
            "severity": str(event.severity),
            "cluster": event.cluster,
            "subject": event.subject.name,
        },
        "note": found.note,
        "at": stamp(at),
        "store_read": store,
        "rules": [_verdict(each) for each in verdicts],
        "routes": [_way(settings, each, digests, at) for each in seen.ways],
        "silences": [
            {"id": each.id, "state": str(standing(each, at)), "ends_at": stamp(each.ends_at)}
            for each in seen.silences
        ],
        "inhibitions": [
            {"source": _larger(inhibition), "alerts": [alert.id for alert in alerts]}
            for inhibition, alerts in seen.covers
        ],
    }


def _way(
    settings: Settings, way: Way, digests: Mapping[str, timedelta | None], at: datetime
) -> dict[str, Any]:
    rule, delivery, hold = way.rule, way.delivery, way.hold
    escalation = delivery.reason is Reason.ESCALATION
    muting = _muting(settings, rule, at)
    known = not escalation or delivery.state is not DeliveryState.INHIBITED
    after = timedelta(0) if rule is None else rule.after
    grouped = rule.group if rule is not None and delivery.gathered else None
    repeat = None if rule is None or escalation else rule.repeat
    digest = digests.get(delivery.channel)
    return {
        "channel": delivery.channel,
        "rule": delivery.rule,
        "template": delivery.template,
        "reason": str(delivery.reason),
        "after_seconds": (delivery.due_at - at if escalation else after).total_seconds() if known else None,
        "due_at": stamp(delivery.due_at),
        "group": None
        if grouped is None
        else {
            "by": dict(delivery.group or {}),
            "wait_seconds": grouped.wait.total_seconds(),
            "interval_seconds": grouped.interval.total_seconds(),
            "joins": way.joins,
        },
        "repeat_seconds": None if repeat is None else repeat.total_seconds(),
        "digest_after_seconds": None if digest is None else digest.total_seconds(),
        "muted_until": stamp(muting.until),
        "held_back": None
        if hold is None
        else {"state": str(hold.state), "until": stamp(hold.until), "note": hold.note},
    }
