"""``msr-relay silences``: what keeps matching messages from being sent for a while."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.text import Text

from relay.cli.alerts import print_brief
from relay.cli.moments import ending, local, moment, span
from relay.cli.opening import configure, existing_store, finder
from relay.cli.orders import give, ordered, user
from relay.cli.output import clean, console, distinct, print_fields, print_json, problem_line, table, word
from relay.engine.matching import either, words
from relay.engine.operate import OrderError
from relay.engine.orders import MakeSilence, OnSilence, silence_document
from relay.engine.rules import Match
from relay.engine.scene import Silences, Standing, standing
from relay.model.alert import Alert
from relay.model.clock import SystemClock
from relay.model.delivery import DeliveryState
from relay.model.near import near
from relay.model.silence import Silence
from relay.settings import Configuration
from relay.settings.checks import never
from relay.store import Filter

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """A silence as it was typed: matchers, times, and the intervals of a recurring one."""

    match: Mapping[str, Any]
    start: str
    lasting: str | None
    until: str | None
    weekdays: Sequence[str]
    times: Sequence[str]
    zone: str | None
    comment: str


def listing(config: Path | None, *, every: bool, as_json: bool) -> None:
    """List the silences that hold or will, or all that are kept; the first to end comes first."""
    asyncio.run(_list(configure(config), every=every, as_json=as_json))


async def _list(configuration: Configuration, *, every: bool, as_json: bool) -> None:
    now, zone = SystemClock().now(), configuration.settings.timezone
    async with existing_store(configuration) as store:
        kept = await store.silences(_EVER if every else now)
        alerts = await store.open_alerts()
    found = [each for each in kept if every or each.ends_at > now]
    if as_json:
        print_json([_document(each, alerts, now) for each in found])
        return
    out = console()
    if not found:
        out.print(
            Text("No silences yet." if every else "No silence holds or will; --all lists those that ended.")
        )
        return
    length = distinct([each.id for each in found])
    lines = [
        (
            each.id[:length],
            _state(each, now),
            local(each.ends_at, zone),
            len(_silenced(each, alerts, now)),
            _about(each),
        )
        for each in found
    ]
    out.print(
        table(("id", "state", "until", "alerts", "what it silences"), lines, fold=("what it silences",))
    )


def _document(silence: Silence, alerts: Sequence[Alert], now: datetime) -> dict[str, Any]:
    silenced = [alert.id for alert in _silenced(silence, alerts, now)]
    return {**silence_document(silence), "state": str(standing(silence, now)), "alerts": silenced}


def _silenced(silence: Silence, alerts: Sequence[Alert], now: datetime) -> list[Alert]:
    """Return the open alerts that a silence silences now."""
    return _matched(silence, alerts) if standing(silence, now) is Standing.HOLDS else []


def _matched(silence: Silence, alerts: Sequence[Alert]) -> list[Alert]:
    speaking = Silences([silence])
    return [alert for alert in alerts if speaking.matching(alert)]


def _state(silence: Silence, now: datetime) -> Text:
    state = standing(silence, now)
    if state is Standing.AHEAD:
        return Text(f"in {span(silence.starts_at - now)}", "yellow")
    if state is Standing.PAUSED:
        return Text("not now", "yellow")
    return word(state)


def _about(silence: Silence) -> Text:
    text = Text(clean(words(silence.matchers)))
    for interval in silence.intervals:
        text.append(f"\nonly {clean(interval_words(interval))}", "dim")
    return text.append(f"\n{clean(silence.author)}: {clean(silence.comment)}", "dim")


def interval_words(interval: Mapping[str, Any]) -> str:
    """Return an interval in its own words: `weekdays: sat, sun, times: 02:00-04:00, zone: Europe/Berlin`."""
    return ", ".join(f"{name}: {either(value)}" for name, value in interval.items())


def add(config: Path | None, wanted: Wanted, by: str | None, *, dry: bool, as_json: bool) -> None:
    """Make a silence, or with ``dry`` say which open alerts it would silence."""
    configuration = configure(config)
    now = SystemClock().now()
    order = _order(configuration, wanted, by, now)
    for problem in _doubts(configuration, order.match):
        console(err=True).print(problem_line("", problem, "warning"))
    asyncio.run(_add(configuration, order, now, dry=dry, as_json=as_json))


def _order(configuration: Configuration, wanted: Wanted, by: str | None, now: datetime) -> MakeSilence:
    match = _match(wanted.match)
    zone = configuration.settings.timezone
    if not wanted.comment.strip():
        raise OrderError("--comment: say what for: others will wonder")
    start = moment(wanted.start, "--from", zone, now)
    end = ending(wanted.lasting, wanted.until, max(start, now), zone, now)
    if end is None:
        raise OrderError("say when it ends: --for 2h, or --until TIME")
    return ordered(
        MakeSilence,
        by=user(by),
        match=match,
        starts_at=start,
        ends_at=end,
        comment=wanted.comment,
        intervals=list(_intervals(wanted, zone)),
    )


def _match(given: Mapping[str, Any]) -> Match:
    filled = {name: value for name, value in given.items() if value}
    if not filled:
        hint = "give --type, --cluster, --repository, --replica, --severity or --label"
        raise OrderError(f"a silence has to match something: {hint}; everything is --type '*'")
    try:
        return Match.model_validate(filled)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        option = "label" if first["loc"][0] == "labels" else first["loc"][0]
        raise OrderError(f"--{option}: {first['msg'].removeprefix('Value error, ')}") from None


def labels(given: Sequence[str]) -> dict[str, list[str]]:
    """Return labels with their globs, from NAME=GLOB. Raises OrderError."""
    found: dict[str, list[str]] = {}
    for text in given:
        name, equals, glob = text.partition("=")
        if not (name and equals):
            raise OrderError(f"--label: {text!r} is no NAME=GLOB, such as team=storage")
        found.setdefault(name, []).append(glob)
    return found


def _intervals(wanted: Wanted, zone: str) -> Iterator[dict[str, Any]]:
    """Yield the interval of a recurring silence, in the form of relay.engine.intervals."""
    parts = {"weekdays": _split(wanted.weekdays), "times": _split(wanted.times)}
    if any(parts.values()):
        yield {**{name: value for name, value in parts.items() if value}, "zone": wanted.zone or zone}
    elif wanted.zone is not None:
        raise OrderError("--zone is that of --weekdays and --times: give one of them too")


def _split(given: Sequence[str]) -> list[str]:
    return [part.strip() for text in given for part in text.split(",") if part.strip()]


def _doubts(configuration: Configuration, match: Match) -> Iterator[str]:
    """Say why a silence can match nothing that is configured."""
    clusters = [cluster.name for cluster in configuration.settings.clusters]
    for key, message in never(match, clusters):
        named = [glob.removeprefix("!") for glob in match.cluster or ()]
        hint = f"; {near(named[0], clusters)}" if key == "cluster" and named else ""
        yield f"--{key}: this silence matches nothing: {message}{hint}"


async def _add(
    configuration: Configuration, order: MakeSilence, now: datetime, *, dry: bool, as_json: bool
) -> None:
    matchers = order.match.model_dump(mode="json", exclude_defaults=True)
    meant = Silence(
        "", matchers, order.starts_at, order.ends_at, order.by, order.comment, now, tuple(order.intervals)
    )
    _check(meant)
    async with existing_store(configuration) as store:
        alerts = _matched(meant, await store.open_alerts())
    made = None if dry else await give(configuration, "silence", order)
    if as_json:
        document = silence_document(meant) if made is None else made
        print_json(
            {**document, "id": made and made["id"], "dry_run": dry, "alerts": [each.id for each in alerts]}
        )
        return
    out, zone = console(), configuration.settings.timezone
    start = "" if meant.starts_at <= now else f" from {local(meant.starts_at, zone)}"
    only = "".join(f", only {interval_words(each)}" for each in meant.intervals)
    name = "This silence would hold" if made is None else f"{made['id']} holds"
    out.print(Text(f"{name}{start} until {local(meant.ends_at, zone)}{clean(only)}."))
    if not alerts:
        out.print(Text("No open alert matches it now."))
        return
    out.print(Text(f"Open alerts that match it now: {len(alerts)}."))
    print_brief(out, alerts, now)


def _check(meant: Silence) -> None:
    """Raise OrderError, which names the option, for intervals that the engine refuses."""
    try:
        Silences([meant])
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        option = next(iter(first["loc"]), "times")
        raise OrderError(f"--{option}: {first['msg'].removeprefix('Value error, ')}") from None


def show(config: Path | None, prefix: str, *, as_json: bool) -> None:
    """Show a silence, also one that has ended, and what it silences."""
    asyncio.run(_show(configure(config), prefix, as_json=as_json))


async def _show(configuration: Configuration, prefix: str, *, as_json: bool) -> None:
    now, zone = SystemClock().now(), configuration.settings.timezone
    async with existing_store(configuration) as store:
        silence = await finder(store).find_silence(prefix, ended=True)
        alerts = await store.open_alerts()
        rows = await store.list_deliveries(Filter(state=DeliveryState.SILENCED, limit=_MOST))
    held = [each.id for each in rows if (each.note or "").startswith(f"{silence.id}:")]
    if as_json:
        print_json({**_document(silence, alerts, now), "deliveries": held})
        return
    out = console()
    fields: list[tuple[str, object]] = [
        ("silence", silence.id),
        ("state", _state(silence, now)),
        ("matches", words(silence.matchers)),
        ("from", local(silence.starts_at, zone)),
        ("until", local(silence.ends_at, zone)),
        *(("only", interval_words(each)) for each in silence.intervals),
        ("by", silence.author),
        ("made", local(silence.created_at, zone)),
        ("comment", silence.comment),
        ("deliveries", f"{len(held)}: msr-relay deliveries --state silenced" if held else "none held back"),
    ]
    print_fields(out, fields)
    silenced = _silenced(silence, alerts, now)
    if silenced:
        out.print(Text(f"\nOpen alerts that it silences: {len(silenced)}."))
        print_brief(out, silenced, now)


def expire(config: Path | None, prefix: str, by: str | None, *, as_json: bool) -> None:
    """End a silence now."""
    configuration = configure(config)
    order = ordered(OnSilence, by=user(by), silence=prefix)
    ended = asyncio.run(give(configuration, "expire", order))
    if as_json:
        print_json(ended)
        return
    console().print(
        Text(f"{ended['id']} has ended. What it held back of alerts that still fire is sent now.")
    )
