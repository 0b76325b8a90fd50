"""``msr-relay check``: is the configuration right, and can everything be reached?"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from relay.app import build
from relay.cli.output import console, print_json, print_table
from relay.cli.reading import configuration
from relay.config import format_duration
from relay.http import Http
from relay.model.clock import Clock, SystemClock
from relay.model.errors import Exit, Problem
from relay.msr import Msr, MsrError, NotMsr, Replica, Unreachable
from relay.render import Renderer
from relay.settings import ClusterSettings, Configuration, Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of asking one thing of a cluster; ``error`` is None if it can be read."""

    cluster: str
    place: str
    what: str
    seen: str
    error: MsrError | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "cluster": self.cluster,
            "place": self.place,
            "what": self.what,
            "ok": self.error is None,
            "seen": self.seen if self.error is None else str(self.error),
        }


def check(option: Path | None, *, live: bool, strict: bool, as_json: bool) -> Exit:
    """Check and print; return the exit status. Raises ConfigError for a configuration that cannot be used."""
    found = configuration(option)
    clock = SystemClock()
    renderer = build.renderer(found.settings, clock)
    warnings = [*found.warnings(lambda kind, name: name in renderer.names(kind)), *_slow(found, renderer)]
    findings = asyncio.run(_ask_all(found.settings, clock)) if live else []
    if as_json:
        print_json(
            {
                "file": found.path,
                "warnings": [str(warning) for warning in warnings],
                "clusters": [_cluster_document(each) for each in found.settings.clusters],
                "channels": [{"name": each.name, "kind": each.kind} for each in found.settings.destinations],
                "rules": [
                    {"name": each.name, "channels": each.channels} for each in found.settings.effective_rules
                ],
                "live": [finding.document() for finding in findings],
            }
        )
    else:
        _print(found, warnings)
        if live:
            _print_live(findings)
    return _status(warnings, findings, strict=strict)


def _status(warnings: list[Problem], findings: list[Finding], *, strict: bool) -> Exit:
    failed = [finding.error for finding in findings if finding.error is not None]
    if any(isinstance(error, Unreachable | NotMsr) for error in failed):
        return Exit.UNREACHABLE
    return Exit.FAILED if failed or (strict and warnings) else Exit.OK


def _slow(found: Configuration, renderer: Renderer) -> list[Problem]:
    """Return what costs too much to find out at every start."""
    problems = [Problem("", str(error.template), str(error)) for error in renderer.check()]
    for at, channel in enumerate(found.settings.destinations):
        problems += [found.document.problem(("channels", at), text) for text in channel.problems()]
    return problems


def _print(found: Configuration, warnings: list[Problem]) -> None:
    out, settings = console(), found.settings
    out.print(f"[green]✓[/] {escape(str(found.path or 'the environment'))} can be used")
    for warning in warnings:
        out.print(f"[yellow]![/] {escape(str(warning))}")
    out.print()
    print_table(
        ["cluster", "asked at", "watchers"],
        [
            (each.name, "\n".join(r.url for r in each.members()), _watchers(each))
            for each in settings.clusters
        ],
        "No cluster is watched.",
    )
    out.print()
    rules = settings.effective_rules
    print_table(
        ["channel", "kind", "rules"],
        [
            (each.name, each.kind, ", ".join(rule.name for rule in rules if each.name in rule.channels))
            for each in settings.destinations
        ],
        "No channel is configured.",
    )


def _watchers(cluster: ClusterSettings) -> str:
    return ", ".join(f"{name} {format_duration(each.every)}" for name, each in cluster.watchers().items())


def _cluster_document(cluster: ClusterSettings) -> dict[str, Any]:
    return {
        "name": cluster.name,
        "replicas": [replica.url for replica in cluster.members()],
        "watchers": {name: format_duration(each.every) for name, each in cluster.watchers().items()},
        "repositories": cluster.repositories,
    }


def _print_live(findings: list[Finding]) -> None:
    console().print()
    print_table(
        ["cluster", "where", "what", "", "answer"],
        [
            (
                each.cluster,
                each.place,
                each.what,
                "ok" if each.error is None else "error",
                each.error or each.seen,
            )
            for each in findings
        ],
        "No cluster to ask.",
    )


async def _ask_all(settings: Settings, clock: Clock) -> list[Finding]:
    http = Http(clock)
    try:
        asked = (_ask(each, build.msr(each, http, clock)) for each in settings.clusters)
        return [finding for findings in await asyncio.gather(*asked) for finding in findings]
    finally:
        await http.close()


async def _ask(cluster: ClusterSettings, msr: Msr) -> list[Finding]:
    """Ask a cluster everything that its watchers will ask; one thing after the other, for the user's sake."""
    on = cluster.watchers()
    findings: list[Finding] = []
    for replica in msr.replicas:
        reached = await _try_replica(cluster, msr, replica, findings)
        if reached:
            findings += [
                await _try(cluster.name, replica.name, name, look(msr, replica))
                for name, look in _LOOKS.items()
                if name in on
            ]
    if "changefeed" in on and any(finding.error is None for finding in findings):
        feeds: list[str | None] = [*cluster.repositories] or [None]
        for repository in feeds:
            place = repository or "all repositories"
            findings.append(await _try(cluster.name, place, "changefeed", _newest(msr, repository)))
    return findings


async def _try_replica(cluster: ClusterSettings, msr: Msr, replica: Replica, findings: list[Finding]) -> bool:
    async def recognise() -> str:
        await msr.recognise(replica)
        return "an MSR answers"

    finding = await _try(cluster.name, replica.name, "reach", recognise())
    findings.append(finding)
    return not isinstance(finding.error, Unreachable | NotMsr)


async def _try(cluster: str, place: str, what: str, asking: Any) -> Finding:
    try:
        return Finding(cluster, place, what, await asking)
    except MsrError as error:
        return Finding(cluster, place, what, "", error)


async def _ping(msr: Msr, replica: Replica) -> str:
    answer = await msr.ping(replica)
    state = "healthy" if answer.healthy else f"unhealthy: {answer.error}"
    return f"{state}, {answer.seconds * 1000:.0f} ms"


async def _nginx(msr: Msr, replica: Replica) -> str:
    return f"{(await msr.nginx_status(replica)).active} active connections"


async def _status_of(msr: Msr, replica: Replica) -> str:
    answer = await msr.cluster_status(replica)
    healthy = sum(text == "OK" for text in answer.replica_health.values())
    quirks = f"; cannot be read: {'; '.join(answer.quirks)}" if answer.quirks else ""
    return f"{healthy} of {len(answer.replica_health)} replicas healthy, {len(answer.issues)} issues{quirks}"


async def _newest(msr: Msr, repository: str | None) -> str:
    newest = await msr.newest(repository)
    if newest is None:
        return "can be read, empty"
    when = getattr(newest, "created_at", None)
    return f"can be read, newest record {f'of {when:%Y-%m-%d %H:%M:%S} UTC' if when else 'unreadable'}"


_LOOKS = {"ping": _ping, "nginx_status": _nginx, "cluster_status": _status_of}
