"""The commands that look into the store or change something there."""

from typing import Annotated

import typer

from relay.cli.options import By, Config, Json, Limit
from relay.model.delivery import DeliveryState

deliveries = typer.Typer(help="What is on its way, what arrived, what did not and why.")
channels = typer.Typer(help="Whether channels take messages; switch them off and on.")

Cluster = Annotated[str | None, typer.Option("--cluster", help="Only of this cluster.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("events")(events)
    app.add_typer(deliveries, name="deliveries")
    app.add_typer(channels, name="channels")
    app.command("journal")(journal)


def events(
    type_name: Annotated[
        str | None, typer.Option("--type", help="Only of this type.", show_default=False)
    ] = None,
    cluster: Cluster = None,
    unrouted: Annotated[bool, typer.Option("--unrouted", help="Only what no rule took.")] = False,
    limit: Limit = 50,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List what was seen, the newest first."""
    from relay.cli.listings import events as show

    wanted = {"type": type_name, "cluster": cluster, "unrouted": unrouted, "limit": limit}
    show(config, wanted, as_json=as_json)


def journal(limit: Limit = 50, config: Config = None, as_json: Json = False) -> None:
    """List what users did: replays, silences, acknowledgements, channels switched off and on."""
    from relay.cli.listings import journal as show

    show(config, limit, as_json=as_json)


@deliveries.callback(invoke_without_command=True)
def list_deliveries(
    context: typer.Context,
    channel: Annotated[
        str | None, typer.Option("--channel", help="Only to this channel.", show_default=False)
    ] = None,
    state: Annotated[
        DeliveryState | None, typer.Option("--state", help="Only in this state.", show_default=False)
    ] = None,
    limit: Limit = 50,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List deliveries, the newest first; `show` tells all about one, `replay` sends it again."""
    if context.invoked_subcommand is None:
        from relay.cli.deliveries import listing

        listing(config, channel, state, limit, as_json=as_json)


@deliveries.command("show")
def show_delivery(
    delivery: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")],
    body: Annotated[bool, typer.Option("--body", help="What was sent, too.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show a delivery with every attempt and the receiver's answer."""
    from relay.cli.deliveries import show

    show(config, delivery, body=body, as_json=as_json)


@deliveries.command("replay")
def replay(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID]...", help="Ids, or how they begin.", show_default=False),
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that --channel refused for good.")] = False,
    channel: Annotated[
        str | None, typer.Option("--channel", help="The channel, for --dead.", show_default=False)
    ] = None,
    by: By = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send deliveries once more, under new ids."""
    from relay.cli.deliveries import replay as again

    again(config, ids or [], channel, by, dead=dead, as_json=as_json)


@channels.callback(invoke_without_command=True)
def list_channels(context: typer.Context, config: Config = None, as_json: Json = False) -> None:
    """Show whether channels take messages and what waits for them; `enable` and `disable` switch them."""
    if context.invoked_subcommand is None:
        show_channels(None, config, as_json)


@channels.command("show")
def show_channels(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this channel.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show the state of one channel, or of every one: the same as without a command."""
    from relay.cli.channels import show

    show(config, name, as_json=as_json)


@channels.command("enable")
def enable(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The channel.")],
    by: By = None,
    config: Config = None,
) -> None:
    """Send to a channel again, at once, beginning with what waits."""
    from relay.cli.channels import switch

    switch(config, name, by, on=True)


@channels.command("disable")
def disable(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The channel.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the others.", show_default=False)] = "",
    by: By = None,
    config: Config = None,
) -> None:
    """Send nothing more to a channel until it is enabled; what is for it waits."""
    from relay.cli.channels import switch

    switch(config, name, by, on=False, reason=reason)
