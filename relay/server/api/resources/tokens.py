"""Tokens: who is let in. For administrators."""

from http import HTTPStatus
from typing import Any, Final

from pydantic import AwareDatetime, Field

from relay.model.access import Scope, new_secret, secret_hash
from relay.server.api.operation import Call, Document, Nothing, Operation, Params, Time
from relay.server.api.orders import carry_out

TAG: Final = "tokens"


class TokenDocument(Document):
    """A token. Its secret is kept nowhere."""

    id: str
    name: str
    scope: Scope
    created_at: AwareDatetime
    created_by: str
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    used_at: AwareDatetime | None = Field(description="to the hour or so")


class NewToken(TokenDocument):
    """A token that was made just now, with its secret: this is the only time that it is told."""

    secret: str


class Tokens(Document):
    """All tokens, those too that are over."""

    items: list[TokenDocument]


class MakeToken(Params):
    """A token to be made."""

    name: str = Field(max_length=64, description="who is to be let in by it")
    scope: Scope
    expires_at: Time | None = Field(None, description="null: never")


async def list_tokens(call: Call[Nothing, None]) -> Tokens:
    """List the tokens."""
    found = await call.service.operator.store.list_tokens()
    return Tokens(items=[TokenDocument.model_validate(each) for each in found])


async def make_token(call: Call[Nothing, MakeToken]) -> NewToken:
    """Make a token.

    Its secret is in this answer and is never told again.
    """
    secret = new_secret(call.service.random_bytes)
    made = await carry_out(call, "create-token", hash=secret_hash(secret))
    return NewToken(**made, secret=secret)


async def revoke_token(call: Call[Nothing, None]) -> Any:
    """Let nobody in any more by a token.

    Who has logged in with it is out at once.
    """
    return await carry_out(call, "revoke-token", token=call.path["token"])


OPERATIONS: Final = (
    Operation("GET", "/tokens", list_tokens, Tokens, Scope.ADMIN, TAG),
    Operation(
        "POST", "/tokens", make_token, NewToken, Scope.ADMIN, TAG,
        body=MakeToken, status=HTTPStatus.CREATED, secret=True,
    ),
    Operation(
        "POST", "/tokens/{token}/revoke", revoke_token, TokenDocument, Scope.ADMIN, TAG,
        refusals=(HTTPStatus.NOT_FOUND,), path_texts={"token": "its name, its id, or how that begins"},
    ),
)  # fmt: skip
"""What can be asked of tokens, and done to them."""
