"""``msr-relay token``: who is let in to the pages and the API."""

import asyncio
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rich.text import Text

from relay.cli.moments import MomentError, local, written_span
from relay.cli.opening import configure, existing_store
from relay.cli.orders import give, ordered, user
from relay.cli.output import age, clean, console, distinct, print_json, print_text, table, word
from relay.engine.orders import CreateToken, RevokeToken, token_document
from relay.model.access import Scope, Token, new_secret, secret_hash
from relay.model.clock import SystemClock
from relay.settings import Configuration


def create(config: Path | None, name: str, scope: Scope, expires: str | None, by: str | None) -> None:
    """Make a token. Standard output has nothing but the token, for a file or a pipe."""
    configuration = configure(config)
    now = SystemClock().now()
    # The relay that runs, or the store, only ever gets to know the hash.
    secret = new_secret(secrets.token_bytes)
    order = ordered(
        CreateToken,
        by=user(by),
        name=name,
        scope=scope,
        hash=secret_hash(secret),
        expires_at=None if expires is None else now + _lifetime(expires),
    )
    made = asyncio.run(give(configuration, "create-token", order, make=True))
    print_text(secret)
    ends = "for good" if order.expires_at is None else f"until {_local(order.expires_at, configuration)}"
    note = f"{clean(made['name'])}: scope {scope}, {ends}. Keep the token now: it is not shown again."
    console(err=True).print(Text(note), soft_wrap=True)


def _lifetime(text: str) -> timedelta:
    found = written_span(text, "--expires")
    if not found:
        raise MomentError("--expires: must be longer than 0s")
    return found


def _local(at: datetime, configuration: Configuration) -> str:
    return local(at, configuration.settings.timezone)


def listing(config: Path | None, *, every: bool, as_json: bool) -> None:
    """List the tokens that let somebody in, or all that were ever made; the newest first."""
    asyncio.run(_list(configure(config), every=every, as_json=as_json))


async def _list(configuration: Configuration, *, every: bool, as_json: bool) -> None:
    now = SystemClock().now()
    async with existing_store(configuration) as store:
        found = [each for each in await store.list_tokens() if every or each.valid(now)]
    if as_json:
        print_json([_document(each, now) for each in found])
        return
    out = console()
    if not found:
        out.print(Text("No tokens yet." if every else "No token lets anybody in; --all lists those of old."))
        return
    length = distinct([each.id for each in found])
    lines = [
        (
            each.id[:length],
            each.name,
            str(each.scope),
            word(_state(each, now)),
            "never" if each.expires_at is None else _local(each.expires_at, configuration),
            f"{age(each.created_at, now)} ago by {each.created_by}",
            "never" if each.used_at is None else f"{age(each.used_at, now)} ago",
        )
        for each in found
    ]
    heads = ("id", "name", "scope", "state", "expires", "made", "used")
    out.print(table(heads, lines, fold=("name", "made")))


def _document(token: Token, now: datetime) -> dict[str, Any]:
    return {**token_document(token), "state": _state(token, now)}


def _state(token: Token, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.valid(now) else "expired"


def revoke(config: Path | None, token: str, by: str | None) -> None:
    """Let nobody in any more by a token."""
    order = ordered(RevokeToken, by=user(by), token=token)
    gone = asyncio.run(give(configure(config), "revoke-token", order))
    console().print(Text(f"{clean(gone['name'])} ({gone['id']}) lets nobody in any more"))
