"""The commands about alerts: who takes care of them, and what is silenced."""

from typing import Annotated

import typer

from relay.cli.options import By, Config, Json, Lasting, Limit, Until

alerts = typer.Typer(help="What is wrong, who is told of it, who takes care of it.")
silences = typer.Typer(help="What keeps matching messages from being sent for a while.")

_ABOUT = "The id of an alert or event, or how it begins."
Globs = list[str] | None


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(alerts, name="alerts")
    app.command("ack")(acknowledge)
    app.command("unack")(unacknowledge)
    app.add_typer(silences, name="silences")


@alerts.callback(invoke_without_command=True)
def list_alerts(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
    cluster: Annotated[
        str | None, typer.Option("--cluster", help="Only of this cluster.", show_default=False)
    ] = None,
    limit: Limit = 50,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List what is wrong now, who takes care of it and what holds it back; `show` tells all about one."""
    if context.invoked_subcommand is None:
        from relay.cli.alerts import listing

        listing(config, cluster, limit, every=every, as_json=as_json)


@alerts.command("show")
def show_alert(
    alert: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show an alert's life and details, who is told of it and when, and what comes next."""
    from relay.cli.alerts import show

    show(config, alert, as_json=as_json)


def acknowledge(
    about: Annotated[str, typer.Argument(metavar="ID", help=_ABOUT)],
    note: Annotated[str, typer.Option("--note", help="What is done about it.", show_default=False)] = "",
    lasting: Lasting = None,
    until: Until = None,
    by: By = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say that you take care of an alert: nothing of it is repeated or escalated until it ends."""
    from relay.cli.alerts import acknowledge as take

    take(config, about, note, lasting, until, by, as_json=as_json)


def unacknowledge(
    about: Annotated[str, typer.Argument(metavar="ID", help=_ABOUT)],
    by: By = None,
    config: Config = None,
) -> None:
    """Take an acknowledgement back: repeats and escalations go on."""
    from relay.cli.alerts import unacknowledge as leave

    leave(config, about, by)


@silences.callback(invoke_without_command=True)
def list_silences(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Those that have ended too.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the silences that hold or will; `add` makes one, `expire` ends one."""
    if context.invoked_subcommand is None:
        from relay.cli.silences import listing

        listing(config, every=every, as_json=as_json)


@silences.command("add")
def add_silence(
    comment: Annotated[str, typer.Option("--comment", help="What for, for the others. Required.")],
    types: Annotated[
        Globs, typer.Option("--type", help="Event types: trust.*. May be given again.", show_default=False)
    ] = None,
    clusters: Annotated[
        Globs, typer.Option("--cluster", help="Names of clusters. May be given again.", show_default=False)
    ] = None,
    repositories: Annotated[
        Globs,
        typer.Option(
            "--repository",
            help="namespace/name; * stops at the slash, ** does not. May be given again.",
            show_default=False,
        ),
    ] = None,
    replicas: Annotated[
        Globs,
        typer.Option("--replica", help="Replica ids or URL hosts. May be given again.", show_default=False),
    ] = None,
    severity: Annotated[
        str | None, typer.Option("--severity", help='critical, or "<= warning".', show_default=False)
    ] = None,
    labels: Annotated[
        Globs,
        typer.Option("--label", help="A label. May be given again.", metavar="NAME=GLOB", show_default=False),
    ] = None,
    start: Annotated[
        str, typer.Option("--from", help="When it begins, written as --until.", metavar="TIME")
    ] = "now",
    lasting: Lasting = None,
    until: Until = None,
    weekdays: Annotated[
        Globs,
        typer.Option("--weekdays", help="Only on these: sat,sun or monday:friday.", show_default=False),
    ] = None,
    times: Annotated[
        Globs, typer.Option("--times", help="Only at these times: 02:00-04:00.", show_default=False)
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option("--zone", help="The time zone of both.", show_default="the configured one"),
    ] = None,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Make none; say which open alerts it would silence.")
    ] = False,
    by: By = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Keep what matches from being sent for a while; of each option given, one value has to match."""
    from relay.cli.silences import Wanted, add
    from relay.cli.silences import labels as read_labels

    match = {
        "type": types,
        "cluster": clusters,
        "repository": repositories,
        "replica": replicas,
        "severity": severity,
        "labels": read_labels(labels or []),
    }
    wanted = Wanted(match, start, lasting, until, weekdays or [], times or [], zone, comment)
    add(config, wanted, by, dry=dry, as_json=as_json)


@silences.command("show")
def show_silence(
    silence: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show a silence, also one that has ended, and what it silences."""
    from relay.cli.silences import show

    show(config, silence, as_json=as_json)


@silences.command("expire")
def expire_silence(
    silence: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how that begins.")],
    by: By = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """End a silence now: what it held back of alerts that still fire is sent."""
    from relay.cli.silences import expire

    expire(config, silence, by, as_json=as_json)
