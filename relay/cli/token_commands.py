"""The commands about tokens: who is let in to the pages and the API."""

from typing import Annotated

import typer

from relay.cli.options import By, Config, Json
from relay.model.access import Scope

tokens = typer.Typer(
    help="Who is let in to the pages and the API: tokens for people and programs.", no_args_is_help=True
)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(tokens, name="token")


@tokens.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Whose it is: it goes into the journal.")],
    scope: Annotated[
        Scope, typer.Option("--scope", help="read: look; operate: silence, replay …; admin: everything.")
    ],
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires", help="After how long it ends: 90d, 12h.", metavar="DURATION", show_default="never"
        ),
    ] = None,
    by: By = None,
    config: Config = None,
) -> None:
    """Make a token and print it, once: only its hash is kept. Makes the store too if there is none yet."""
    from relay.cli.tokens import create

    create(config, name, scope, expires, by)


@tokens.command("list")
def list_tokens(
    every: Annotated[bool, typer.Option("--all", help="Those that let nobody in any more too.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the tokens: what for, until when, when they were last used. They themselves are kept nowhere."""
    from relay.cli.tokens import listing

    listing(config, every=every, as_json=as_json)


@tokens.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(metavar="NAME|ID", help="Its name, its id, or how that begins.")],
    by: By = None,
    config: Config = None,
) -> None:
    """Let nobody in any more by a token; who is logged in with it is out at once."""
    from relay.cli.tokens import revoke

    revoke(config, token, by)
