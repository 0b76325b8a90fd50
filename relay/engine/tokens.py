"""Making and revoking the tokens by which people and programs are let in."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from relay.engine.operate import AmbiguousError, OrderError
from relay.model.access import Scope, Token, check_token_name
from relay.model.clock import Clock
from relay.model.errors import NotFoundError
from relay.model.ids import random_id
from relay.store import Deed, Store

_LONGEST: Final = timedelta(days=36525)
"""A token that expires does so within a hundred years."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a store."""

    store: Store
    clock: Clock
    source: random.Random

    async def create(
        self, name: str, scope: Scope, hash: str, by: str, expires_at: datetime | None = None
    ) -> Token:
        """Let in whoever has the secret of this hash (see ``new_secret``, ``secret_hash``).

        Raises OrderError for a bad name, one that a valid token has, or an end that is over or more than
        100 years away.
        """
        now = self.clock.now()
        try:
            check_token_name(name)
        except ValueError as error:
            raise OrderError(f"the token's name {error}") from None
        if expires_at is not None and expires_at <= now:
            raise OrderError("the token would have expired already: its end must be in the future")
        if expires_at is not None and expires_at - now > _LONGEST:
            raise OrderError("the token would last for more than 100 years: say an earlier end, or none")
        token = Token(random_id("tok", self.source), name, scope, now, by, expires_at)
        ends = "never expires"
        if expires_at is not None:
            ends = f"expires {expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        deed = Deed(now, by, "create-token", token.id, f"{name}: {scope}, {ends}")
        if not await self.store.add_token(token, hash, deed):
            raise OrderError(f"there is a token {name} already: revoke it first, or choose another name")
        return token

    async def revoke(self, which: str, by: str) -> Token:
        """Let nobody in any more by a token, given by its name, its id or how that begins.

        Raises NotFoundError or AmbiguousError.
        """
        now = self.clock.now()
        token = await self._find(which, now)
        if not await self.store.revoke_token(token.id, Deed(now, by, "revoke-token", token.id, token.name)):
            # Somebody else was faster.
            raise _none(which)
        return replace(token, revoked_at=now)

    async def _find(self, which: str, now: datetime) -> Token:
        known = [each for each in await self.store.list_tokens() if each.revoked_at is None]
        named = [each for each in known if each.name == which]
        # Of several, only one can be valid: the others have expired.
        found = [each for each in named if each.valid(now)] or named
        found = found or [each for each in known if which.startswith("tok_") and each.id.startswith(which)]
        if not found:
            raise _none(which)
        if len(found) > 1:
            raise AmbiguousError(f"several tokens are meant by {which}: give the id of one")
        return found[0]


def _none(which: str) -> NotFoundError:
    return NotFoundError(f"there is no token {which}: msr-relay token list lists them")
