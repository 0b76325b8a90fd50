"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The configuration file. Default: $RELAY_CONFIG, ./relay.yaml, /etc/msr-relay/relay.yaml.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many at most.")]
By = Annotated[
    str | None, typer.Option("--by", help="Who does it, for the journal.", show_default="your user")
]
Lasting = Annotated[
    str | None, typer.Option("--for", help="How long: 2h, 30m.", metavar="DURATION", show_default=False)
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        help='Until when: 2026-11-25T18:00:00Z, or "2026-11-25 18:00" in the configured time zone.',
        metavar="TIME",
        show_default=False,
    ),
]
