"""Who may: from a request to a principal, and what each scope is for."""

import hashlib
import hmac
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web
from pydantic import SecretStr

from relay.model.access import Principal, Scope
from relay.server.refused import Guesses, RefusedError

_REALM: Final = 'Bearer realm="msr-relay"'


class Access:
    """Lets in who bears the token of the settings."""

    def __init__(self, token: Callable[[], SecretStr | None], guesses: Guesses) -> None:
        self._token = token
        self._guesses = guesses

    async def principal(self, request: web.Request) -> Principal:
        """Return who sent the request. Raises RefusedError unless it bears the token."""
        token = self._token()
        if token is None:
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                "The API is not enabled.",
                "Set server.api_token, or server.api_token_file, to a secret of at least 16 characters.",
            )
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                "A token is missing.",
                "Send the header Authorization: Bearer TOKEN, with server.api_token as TOKEN.",
                headers={"WWW-Authenticate": _REALM},
            )
        if not hmac.compare_digest(_digest(given.strip()), _digest(token.get_secret_value())):
            self._guesses.count()
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED,
                "The token is wrong.",
                "It has to be server.api_token.",
                headers={"WWW-Authenticate": f'{_REALM}, error="invalid_token"'},
            )
        return Principal("server.api_token", Scope.ADMIN, "token")


def require(principal: Principal, scope: Scope) -> None:
    """Raise RefusedError if this is more than somebody may do."""
    if not principal.scope.includes(scope):
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            f"{principal.name} may not do this: it needs the scope {scope}, and has {principal.scope}.",
            headers={"WWW-Authenticate": f'{_REALM}, error="insufficient_scope", scope="{scope}"'},
        )


def _digest(token: str) -> bytes:
    # Of one length, so that a comparison does not tell that of the token.
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
