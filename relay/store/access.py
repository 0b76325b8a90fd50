"""Tokens: their hashes, what they are for, and until when. Their secrets are nowhere."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, or_, select, update

from relay.model.access import Scope, Token
from relay.store.deeds import Deed, record
from relay.store.schema import tokens


def add_tokens(connection: Connection, found: Sequence[tuple[Token, str, Deed]]) -> list[bool]:
    """Add tokens with the hashes of their secrets; False for one whose name a valid token has."""
    return [_add(connection, *each) for each in found]


def _add(connection: Connection, token: Token, hash: str, deed: Deed) -> bool:
    same = select(tokens.c.id).where(
        tokens.c.name == token.name,
        tokens.c.revoked_at.is_(None),
        or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > token.created_at),
    )
    if connection.execute(same.limit(1)).first() is not None:
        return False
    row = {
        "id": token.id,
        "name": token.name,
        "hash": hash,
        "scope": str(token.scope),
        "created_at": token.created_at,
        "created_by": token.created_by,
        "expires_at": token.expires_at,
    }
    connection.execute(insert(tokens), [row])
    record(connection, [deed])
    return True


def revoke_tokens(connection: Connection, found: Sequence[tuple[str, Deed]]) -> list[bool]:
    """Revoke tokens by their ids at the time of the deed; False for one that is revoked already."""
    done = []
    for id, deed in found:
        change = update(tokens).where(tokens.c.id == id, tokens.c.revoked_at.is_(None))
        changed = connection.execute(change.values(revoked_at=deed.at)).rowcount == 1
        if changed:
            record(connection, [deed])
        done.append(changed)
    return done


def touch_tokens(connection: Connection, found: Sequence[tuple[str, datetime]]) -> list[None]:
    """Write when tokens were used."""
    for id, at in found:
        connection.execute(update(tokens).where(tokens.c.id == id).values(used_at=at))
    return [None] * len(found)


def find_token_by_hash(connection: Connection, hash: str) -> Token | None:
    """Return the token whose secret has this hash, whether or not it is valid."""
    row = connection.execute(select(tokens).where(tokens.c.hash == hash)).mappings().first()
    return None if row is None else _token(row)


def find_token(connection: Connection, id: str) -> Token | None:
    """Return the token of an id, whether or not it is valid."""
    row = connection.execute(select(tokens).where(tokens.c.id == id)).mappings().first()
    return None if row is None else _token(row)


def list_tokens(connection: Connection) -> list[Token]:
    """Return all tokens that were ever made, the newest first."""
    query = select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.id)
    return [_token(row) for row in connection.execute(query).mappings()]


def any_token(connection: Connection) -> bool:
    """Tell whether a token was ever made."""
    return connection.execute(select(tokens.c.id).limit(1)).first() is not None


def _token(row: RowMapping) -> Token:
    return Token(
        id=row["id"],
        name=row["name"],
        scope=Scope(row["scope"]),
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        used_at=row["used_at"],
    )
