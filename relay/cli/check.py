"""``msr-relay check``: whether the configuration is right, and what would run."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

from relay.app import build
from relay.cli import live
from relay.cli.opening import configure
from relay.cli.output import clean, console, print_json, problem_line
from relay.config import format_duration
from relay.model.clock import SystemClock
from relay.model.errors import ConfigError, Exit, Problem, StoreError
from relay.settings import Configuration, Settings
from relay.store.database import parse_url


def check(config: Path | None, *, ask: bool, strict: bool, as_json: bool) -> None:
    """Print what is wrong, what is hardly meant, and what would run; exit accordingly."""
    try:
        configuration = configure(config)
    except ConfigError as error:
        _refuse(error, as_json=as_json)
        raise typer.Exit(Exit.CONFIG) from None
    clock = SystemClock()
    renderer = build.renderer(configuration.settings, clock)
    errors = list(_errors(configuration, renderer.check()))
    warnings = configuration.warnings(lambda kind, name: name in renderer.names(kind), clock.now())
    looks = asyncio.run(live.ask(configuration.settings, clock)) if ask else []
    status = Exit.CONFIG if errors else live.status(looks)
    if status is Exit.OK and strict and warnings:
        status = Exit.FAILED
    if as_json:
        _print_json(configuration, errors, warnings, looks if ask else None)
    else:
        _print(configuration, errors, warnings, looks)
    raise typer.Exit(status)


def _errors(configuration: Configuration, templates: Any) -> Iterator[Problem]:
    settings, document = configuration.settings, configuration.document
    try:
        parse_url(settings.store.get_secret_value())
    except StoreError as error:
        yield document.problem(("store",), str(error).removeprefix("store: "))
    for at, channel in enumerate(settings.destinations):
        for problem in channel.problems():
            yield document.problem(("channels", at), channel.shown(problem))
    for template in templates:
        yield Problem(
            "", "templates", str(template), "a plain message goes out in its place until it is mended"
        )


def _refuse(error: ConfigError, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {"ok": False, "path": None, "errors": [asdict(each) for each in error.problems], "warnings": []}
        )
        return
    out = console()
    for problem in error.problems:
        _problem(out, problem, "error")
    count = len(error.problems)
    out.print(Text(f"\nThe configuration cannot be used: {count} {'error' if count == 1 else 'errors'}."))


def _problem(out: Console, problem: Problem, kind: str) -> None:
    text = ": ".join(part for part in (problem.key, problem.message) if part)
    out.print(problem_line(problem.where, text, kind))
    if problem.hint:
        out.print(Text(f"  → {clean(problem.hint)}", "dim"))


def _print(
    configuration: Configuration,
    errors: list[Problem],
    warnings: tuple[Problem, ...],
    looks: list[live.Look],
) -> None:
    out = console()
    for problem in errors:
        _problem(out, problem, "error")
    for problem in warnings:
        _problem(out, problem, "warning")
    if errors or warnings:
        out.print()
    settings = configuration.settings
    out.print(Text.assemble(("configuration  ", "bold"), str(configuration.path or "environment")))
    _summary(out, settings)
    if looks:
        live.show(out, settings, looks)
    out.print()
    if errors:
        said, style = f"{len(errors)} wrong", "bold red"
    elif any(look.fails for look in looks):
        said, style = "The configuration is right, but not everything can be read", "bold red"
    else:
        said, style = "The configuration is right", "bold green"
    many = f"; {len(warnings)} {'warning' if len(warnings) == 1 else 'warnings'}" if warnings else ""
    out.print(Text(f"{said}{many}.", style))


def _summary(out: Console, settings: Settings) -> None:
    for cluster in settings.clusters:
        watchers = ", ".join(f"{name} {every}" for name, every in _watchers(cluster).items()) or "nothing"
        where = f"{len(cluster.replicas)} replicas" if cluster.replicas else cluster.entry
        out.print(Text.assemble(("cluster        ", "bold"), f"{clean(cluster.name)}: {where}; {watchers}"))
    for channel in settings.destinations:
        out.print(Text.assemble(("channel        ", "bold"), f"{clean(channel.name)} ({channel.kind})"))
    for rule in settings.effective_rules:
        note = "" if settings.rules else " (none are written: severity warning and worse)"
        where = ", ".join(rule.channels)
        out.print(Text.assemble(("rule           ", "bold"), f"{clean(rule.name)} → {clean(where)}{note}"))
    for beat in settings.heartbeats:
        what = (
            f"pings every {format_duration(beat.every)}"
            if beat.url is not None
            else f"{beat.schedule} → {beat.channel}"
        )
        out.print(Text.assemble(("heartbeat      ", "bold"), f"{clean(beat.name)}: {clean(what)}"))
    for hook in settings.hooks:
        what = f"/hooks/{hook.name} ({hook.kind}) tells of {hook.cluster}"
        out.print(Text.assemble(("hook           ", "bold"), clean(what)))


def _watchers(cluster: Any) -> dict[str, str]:
    return {name: format_duration(each.every) for name, each in cluster.watchers().items()}


def _print_json(
    configuration: Configuration,
    errors: list[Problem],
    warnings: tuple[Problem, ...],
    looks: list[live.Look] | None,
) -> None:
    settings = configuration.settings
    asked = {} if looks is None else {"live": [live.document(look) for look in looks]}
    print_json(
        {
            "ok": not errors and not any(look.fails for look in looks or ()),
            "path": None if configuration.path is None else str(configuration.path),
            "errors": [asdict(each) for each in errors],
            "warnings": [asdict(each) for each in warnings],
            "clusters": [
                {"name": each.name, "urls": [r.url for r in each.members()], "watchers": _watchers(each)}
                for each in settings.clusters
            ],
            "channels": [{"name": each.name, "kind": each.kind} for each in settings.destinations],
            "rules": [{"name": each.name, "channels": each.channels} for each in settings.effective_rules],
            **asked,
        }
    )
