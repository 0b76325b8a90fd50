"""``msr-relay audit report``: a repository's history, for an incident ticket."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import typer
from rich.text import Text

from relay.cli import verdicts
from relay.cli.audit_commands import Page
from relay.cli.audit_export import writing
from relay.cli.audit_verify import Given, walk_all
from relay.cli.opening import configure
from relay.cli.output import clean, console, forget_pipe
from relay.engine.history import Historian, History
from relay.model.clock import SystemClock
from relay.model.errors import Exit, NotFoundError
from relay.model.near import near
from relay.render.reports import Form, Reports
from relay.settings import Configuration

_MOST_NAMES = 20


def report(
    config: Path | None,
    repository: str,
    cluster: str | None,
    form: Page,
    output: Path | None,
    limit: int,
    given: Given,
) -> None:
    """Write the report; the exit status says whether the evidence holds."""
    configuration = configure(config)
    verifier = given.verifier(configuration.settings)
    historian = Historian(repository, cluster, verifier, limit)
    found = asyncio.run(_gather(configuration, historian))
    if found is None:
        raise NotFoundError(_nothing(repository, cluster, sorted(historian.subjects - {""})))
    clock, zone = SystemClock(), ZoneInfo(configuration.settings.timezone)
    text = Reports(Form(form), clock=clock, timezone=zone).render(
        "history",
        history=found,
        verdict=found.verdict,
        chain=list(verdicts.fields(found.verdict, verifier)),
        notes=list(verdicts.notes(found.verdict, verifier, file=False, partial=False)),
        sure=verifier.sure_through(),
    )
    with writing(output) as file:
        try:
            file.write(text.encode())
            file.flush()
        except BrokenPipeError:
            forget_pipe()
    broken = found.verdict.broken
    if broken is not None:
        console(err=True).print(Text.assemble(("BROKEN: ", "bold red"), clean(broken)))
        raise typer.Exit(Exit.BROKEN)


async def _gather(configuration: Configuration, historian: Historian) -> History | None:
    return historian.finish(await walk_all(configuration, historian.take))


def _nothing(repository: str, cluster: str | None, known: Sequence[str]) -> str:
    of = "" if cluster is None else f" of cluster {cluster}"
    hint = near(repository, known) if len(known) <= _MOST_NAMES else near(repository, known)[:200]
    return f"there is no evidence about the repository {repository}{of}: {hint}"
