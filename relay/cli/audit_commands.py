"""The commands about the evidence log."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from relay.cli.options import Config, Json, Limit
from relay.model.evidence import Kind

audit = typer.Typer(
    help="The evidence: what was seen of the trust data, in a chain in which a change cannot hide.",
    no_args_is_help=True,
)


class Form(StrEnum):
    """The form of an export."""

    JSONL = "jsonl"
    CSV = "csv"


class Page(StrEnum):
    """The form of a report."""

    HTML = "html"
    MARKDOWN = "markdown"


_WHEN = '2026-11-25T18:00:00Z, or "2026-11-25 18:00" in the configured time zone.'
Cluster = Annotated[str | None, typer.Option("--cluster", help="Only of this cluster.", show_default=False)]
Repository = Annotated[
    str | None,
    typer.Option("--repository", help="Only about this one: namespace/name.", show_default=False),
]
OnlyKind = Annotated[Kind | None, typer.Option("--kind", help="Only of this kind.", show_default=False)]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", help=f"Only what was seen then or later: {_WHEN}", metavar="TIME", show_default=False
    ),
]
Until = Annotated[
    str | None,
    typer.Option("--until", help="Only what was seen before that.", metavar="TIME", show_default=False),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="The file to write.", show_default="standard output"),
]
Keys = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        help="A public key by which anchors and checkpoints must be signed: whpk_…, or a file with it "
        "or with PEM; may be repeated.",
        metavar="KEY|FILE",
        show_default="that of the configured key",
    ),
]
Anchors = Annotated[
    list[str] | None,
    typer.Option(
        "--anchor",
        help="What an anchoring message told; may be repeated.",
        metavar="ENTRY:HASH",
        show_default=False,
    ),
]
UnsignedUntil = Annotated[
    int,
    typer.Option(
        "--unsigned-until",
        min=0,
        help="Up to this entry there was no key yet.",
        metavar="ENTRY",
        show_default=False,
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(audit, name="audit")


@audit.command("list")
def list_entries(
    cluster: Cluster = None,
    repository: Repository = None,
    kind: OnlyKind = None,
    since: Since = None,
    until: Until = None,
    before: Annotated[
        int | None,
        typer.Option(
            "--before",
            min=1,
            help="Only entries before this one: the next page.",
            metavar="ENTRY",
            show_default=False,
        ),
    ] = None,
    limit: Limit = 50,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List entries of the evidence, the newest first; `show` tells all about one."""
    from relay.cli.audit import Wanted, listing

    wanted = Wanted(cluster, repository, kind, since, until)
    listing(config, wanted, before, limit, as_json=as_json)


@audit.command("show")
def show_entry(
    entry: Annotated[int, typer.Argument(metavar="ENTRY", min=1, help="Its number.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show one entry as it is kept, and whether its content fits its hash."""
    from relay.cli.audit import show

    show(config, entry, as_json=as_json)


@audit.command("verify")
def verify(
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            help="An export (jsonl) instead of the store, - for standard input; needs no configuration.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="The export is a part: entries may be missing from it.")
    ] = False,
    key: Keys = None,
    anchor: Anchors = None,
    unsigned_until: UnsignedUntil = 0,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Compute the whole chain anew, and name the first entry that is broken; exits with 8 if one is."""
    from relay.cli.audit_verify import Given, verify_file, verify_store

    given = Given(key or [], anchor or [], unsigned_until)
    if file is not None:
        verify_file(file, given, partial=partial, as_json=as_json)
    elif partial:
        raise typer.BadParameter("--partial is for --file: the store has them all")
    else:
        verify_store(config, given, as_json=as_json)


@audit.command("export")
def export(
    form: Annotated[
        Form, typer.Option("--format", help="jsonl can be verified, csv is for reading.")
    ] = Form.JSONL,
    output: Output = None,
    cluster: Cluster = None,
    repository: Repository = None,
    kind: OnlyKind = None,
    since: Since = None,
    until: Until = None,
    config: Config = None,
) -> None:
    """Write the evidence to a file, or a part of it; `verify --file` verifies that anywhere."""
    from relay.cli.audit import Wanted
    from relay.cli.audit_export import export as write

    write(config, Wanted(cluster, repository, kind, since, until), form, output)


@audit.command("report")
def report(
    repository: Annotated[
        str, typer.Argument(metavar="REPOSITORY", help="namespace/name, or the name it was signed under.")
    ],
    cluster: Cluster = None,
    form: Annotated[
        Page, typer.Option("--format", help="html to read and print, markdown for a ticket.")
    ] = Page.HTML,
    output: Output = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many entries at most, the latest.")
    ] = 1000,
    key: Keys = None,
    anchor: Anchors = None,
    unsigned_until: UnsignedUntil = 0,
    config: Config = None,
) -> None:
    """Write a repository's history for an incident ticket, and whether the evidence of it holds."""
    from relay.cli.audit_report import report as write
    from relay.cli.audit_verify import Given

    write(config, repository, cluster, form, output, limit, Given(key or [], anchor or [], unsigned_until))
