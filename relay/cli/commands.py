"""The list of commands: names, options and their help. What they do is imported when they run."""

from pathlib import Path
from typing import Annotated

import typer

from relay.cli import audit_commands, people_commands, store_commands, token_commands
from relay.cli.options import Config, Json

app = typer.Typer(
    name="msr-relay",
    help="Watches Mirantis Secure Registry and tells Slack, mail and webhooks what it sees.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_EVENT_HELP = (
    "An event type (its sample), a JSON file (a webhook's body or an event), or - for standard input."
)
Event = Annotated[str, typer.Option("--event", "-e", help=_EVENT_HELP, metavar="TYPE|FILE")]
Status = Annotated[
    str | None, typer.Option("--status", help="firing or resolved, for an alert.", show_default=False)
]


def _version(wanted: bool) -> None:
    if wanted:
        from relay import __version__

        typer.echo(f"msr-relay {__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    # With a callback even a single command goes by its name.
    pass


@app.command()
def run(config: Config = None) -> None:
    """Watch the clusters and send messages, until stopped."""
    from relay.cli.lean import built_to_stay, without_rich

    with built_to_stay():
        without_rich()
        from relay.cli.run import run as start

    start(config)


@app.command()
def init(
    folder: Annotated[Path, typer.Option("--dir", help="Where to write them.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Write a commented relay.yaml and .env to fill in."""
    from relay.cli.init import init as write

    write(folder, force=force)


@app.command()
def check(
    config: Config = None,
    live: Annotated[bool, typer.Option("--live", help="Ask each cluster who may read what.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 on warnings too.")] = False,
    as_json: Json = False,
) -> None:
    """Check the configuration and the templates; nothing is sent."""
    from relay.cli.check import check as look

    look(config, ask=live, strict=strict, as_json=as_json)


@app.command("send-test")
def send_test(
    channel: Annotated[
        list[str] | None, typer.Argument(help="Names of channels.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="To every channel.")] = False,
    event: Event = "relay.test",
    status: Status = None,
    config: Config = None,
    by: Annotated[str | None, typer.Option("--by", help="Who sends it.", show_default="your user")] = None,
    as_json: Json = False,
) -> None:
    """Send a test message once, at once, and say how it went."""
    from relay.cli.send_test import send_test as send

    send(config, channel or [], event, status, by, every=every, as_json=as_json)


@app.command()
def render(
    template: Annotated[
        str, typer.Argument(help="KIND/NAME such as slack/trust.deleted, or a rule's template.")
    ],
    event: Annotated[
        str | None,
        typer.Option("--event", "-e", help=_EVENT_HELP, metavar="TYPE|FILE", show_default="the template's"),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="The kind of channel: slack, email, …", show_default=False)
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", help="A configured channel, for its kind.", show_default=False)
    ] = None,
    status: Status = None,
    group: Annotated[
        int | None,
        typer.Option("--group", min=1, max=10_000, help="Of so many things like it.", show_default=False),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option("--reason", help="new, repeat, escalation, group or digest.", show_default="new"),
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show what a template makes of an event; nothing is sent."""
    from relay.cli.output import clean
    from relay.cli.preview import render as show
    from relay.engine.showing import Shape

    shape = Shape.read(group, None if reason is None else clean(reason))
    show(config, template, event, kind, status, channel, shape, as_json=as_json)


@app.command()
def explain(
    event: Annotated[
        str | None,
        typer.Option("--event", "-e", help=_EVENT_HELP, metavar="TYPE|FILE", show_default=False),
    ] = None,
    delivery: Annotated[
        str | None,
        typer.Option(
            "--delivery", help="A delivery's id: why it is where it is.", metavar="ID", show_default=False
        ),
    ] = None,
    status: Status = None,
    at: Annotated[
        str,
        typer.Option(
            "--at", help='Silences and times of another moment: "2026-11-25 18:00".', metavar="TIME"
        ),
    ] = "now",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say who gets an event, by which rules, when, and why not; or why a delivery is where it is."""
    if (event is None) == (delivery is None):
        raise typer.BadParameter("give --event or --delivery")
    if event is not None:
        from relay.cli.explain import explain as say

        say(config, event, status, at, as_json=as_json)
    elif delivery is not None:
        from relay.cli.whereabouts import explain as say_where

        say_where(config, delivery, at, as_json=as_json)


people_commands.add_to(app)
store_commands.add_to(app)
audit_commands.add_to(app)
token_commands.add_to(app)


@app.command()
def schema() -> None:
    """Print the JSON Schema of relay.yaml, for editors."""
    from relay.cli.output import print_text
    from relay.cli.reference import schema_text

    print_text(schema_text().rstrip("\n"))


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
