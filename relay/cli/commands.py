# To the builder of the commands: all are wired here by the lead (01:28); keep the names, improve the bodies.
"""The list of commands: names, arguments and options; what they do is in the modules beside."""

from pathlib import Path
from typing import Annotated

import typer

from relay.model.catalogue import CATALOGUE
from relay.model.delivery import DeliveryState
from relay.model.event import Status

app = typer.Typer(
    name="msr-relay",
    help="Watches Mirantis Secure Registry and tells Slack, mail and webhooks what it sees.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
deliveries_app = typer.Typer(help="List deliveries, show one with its attempts, send one again.")
channels_app = typer.Typer(help="Show how the channels do; disable and enable one.")
app.add_typer(deliveries_app, name="deliveries", invoke_without_command=True)
app.add_typer(channels_app, name="channels", invoke_without_command=True)

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
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many, the newest first.")]
By = Annotated[str | None, typer.Option(help="Who does it, for the journal. Default: the user.")]
EventSource = Annotated[
    str, typer.Option("--event", help="An event type for its sample, or a JSON file: a webhook's body.")
]
StatusOption = Annotated[
    Status | None, typer.Option(help="Of an alert: firing or resolved.", show_default=False)
]


def _version(wanted: bool) -> None:
    if wanted:
        from relay import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def run(config: Config = None) -> None:
    """Watch the clusters and send messages, until stopped."""
    from relay.cli.run import run as start

    start(config)


@app.command()
def check(
    config: Config = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask each cluster, and say who may read what.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if there are warnings.")] = False,
    as_json: Json = False,
) -> None:
    """Say whether the configuration is right, and what would run. Sends nothing."""
    from relay.cli.check import check as do

    raise typer.Exit(do(config, live=live, strict=strict, as_json=as_json))


@app.command("send-test")
def send_test(
    channels: Annotated[
        list[str] | None, typer.Argument(help="Names of channels.", show_default=False)
    ] = None,
    everyone: Annotated[bool, typer.Option("--all", help="Send to all channels.")] = False,
    event: Annotated[
        str | None, typer.Option("--event", help="Send this instead: an event type, or a JSON file.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send a test message, once, and say how it went."""
    from relay.cli.messages import send_test as do

    if bool(channels) == everyone:
        raise typer.BadParameter("name at least one channel, or give --all")
    raise typer.Exit(do(config, channels or [], event, as_json=as_json))


@app.command()
def render(
    template: Annotated[str, typer.Argument(help="A template's name, or KIND/NAME: slack/trust.deleted.")],
    event: EventSource = "trust.deleted",
    kind: Annotated[str | None, typer.Option(help="The kind of channel; default: all that have it.")] = None,
    status: StatusOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show a message as its template makes it."""
    from relay.cli.messages import render as do

    source = template.rpartition("/")[2] if event == "trust.deleted" else event
    raise typer.Exit(
        do(config, template, source if source in CATALOGUE else event, kind, status, as_json=as_json)
    )


@app.command()
def explain(
    event: EventSource,
    status: StatusOption = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say which rules take an event, which do not and why, and who is told."""
    from relay.cli.messages import explain as do

    raise typer.Exit(do(config, event, status, as_json=as_json))


@app.command()
def events(
    type: Annotated[str | None, typer.Option(help="Only this type.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Only this cluster.")] = None,
    unrouted: Annotated[bool, typer.Option("--unrouted", help="Only what no rule took.")] = False,
    limit: Limit = 30,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List what was seen."""
    from relay.cli.listings import events as do

    wanted = {"type": type, "cluster": cluster, "unrouted": unrouted, "limit": limit}
    do(config, wanted, as_json=as_json)


@app.command()
def alerts(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are resolved.")] = False,
    cluster: Annotated[str | None, typer.Option(help="Only this cluster.")] = None,
    limit: Limit = 30,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List what fires now."""
    from relay.cli.listings import alerts as do

    do(config, cluster, limit, every=everything, as_json=as_json)


@deliveries_app.callback()
def deliveries(
    context: typer.Context,
    channel: Annotated[str | None, typer.Option(help="Only to this channel.")] = None,
    state: Annotated[DeliveryState | None, typer.Option(help="Only in this state.")] = None,
    limit: Limit = 30,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List deliveries, show one with its attempts, send one again."""
    if context.invoked_subcommand is not None:
        return
    from relay.cli.deliveries import listing as do

    do(config, channel, state, limit, as_json=as_json)


@deliveries_app.command("show")
def show_delivery(
    id: Annotated[str, typer.Argument(help="The delivery's id, or its beginning.")],
    body: Annotated[bool, typer.Option("--body", help="Also what was sent.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show a delivery with every attempt."""
    from relay.cli.deliveries import show as do

    do(config, id, body=body, as_json=as_json)


@deliveries_app.command()
def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Ids, or their beginnings.", show_default=False)
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that --channel refused for good.")] = False,
    channel: Annotated[str | None, typer.Option(help="The channel, for --dead.")] = None,
    by: By = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send deliveries once more, under new ids."""
    from relay.cli.deliveries import replay as do

    do(config, ids or [], channel, by, dead=dead, as_json=as_json)


@channels_app.callback()
def channels(context: typer.Context, config: Config = None, as_json: Json = False) -> None:
    """Show how the channels do; disable and enable one."""
    if context.invoked_subcommand is None:
        from relay.cli.channels import show as do

        do(config, as_json=as_json)


@channels_app.command("show")
def show_channels(config: Config = None, as_json: Json = False) -> None:
    """Show how the channels do: the same as without a command."""
    from relay.cli.channels import show as do

    do(config, as_json=as_json)


@channels_app.command()
def enable(name: str, by: By = None, config: Config = None) -> None:
    """Send to a channel again, at once."""
    from relay.cli.channels import switch

    switch(config, name, by, on=True)


@channels_app.command()
def disable(
    name: str,
    reason: Annotated[str, typer.Option(help="Why; stands in the journal and in the alert.")] = "",
    by: By = None,
    config: Config = None,
) -> None:
    """Send nothing more to a channel; what comes is kept."""
    from relay.cli.channels import switch

    switch(config, name, by, on=False, reason=reason)


@app.command()
def journal(limit: Limit = 30, config: Config = None, as_json: Json = False) -> None:
    """List what users did: who, when, what."""
    from relay.cli.listings import journal as do

    do(config, limit, as_json=as_json)


@app.command()
def init(
    folder: Annotated[Path, typer.Option("--dir", help="Where to.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write a relay.yaml and a .env to begin with."""
    from relay.cli.starting import init as do

    raise typer.Exit(do(folder, force=force))


@app.command()
def schema() -> None:
    """Print the JSON Schema of relay.yaml, for editors."""
    from relay.cli.output import print_json
    from relay.config import json_schema
    from relay.settings import Settings

    print_json(json_schema(Settings, "MSR Relay"))


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
