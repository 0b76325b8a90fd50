"""The list of commands."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="msr-relay",
    help="Watches Mirantis Secure Registry and tells Slack, mail and webhooks what it sees.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="The configuration file. Default: $RELAY_CONFIG, ./relay.yaml, /etc/msr-relay/relay.yaml.",
        show_default=False,
    ),
]


@app.callback()
def _commands() -> None:
    # With a callback even a single command goes by its name.
    pass


@app.command()
def run(config: Config = None) -> None:
    """Watch the clusters and send messages, until stopped."""
    from relay.cli.run import run as start

    start(config)


@app.command()
def demo(
    pace: Annotated[float, typer.Option(min=0.1, max=100, help="2 plays twice as fast.")] = 1.0,
    keep: Annotated[bool, typer.Option("--keep", help="Go on after the end, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print only a summary, as JSON.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show the relay's own log too.")] = False,
) -> None:
    """Show in a minute what the relay does, with a simulated MSR; needs nothing and leaves nothing."""
    from relay.cli.demo import demo as play

    play(pace=pace, keep=keep, as_json=as_json, verbose=verbose)
