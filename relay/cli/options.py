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
