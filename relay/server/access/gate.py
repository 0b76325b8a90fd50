"""From a request to who sent it."""

import contextlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web

from relay.model.access import (
    LOCAL,
    PROXY,
    SETTINGS_TOKEN,
    Principal,
    Scope,
    Token,
    Via,
    looks_like_secret,
    secret_hash,
)
from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.render.clean import one_line
from relay.server.access import places
from relay.server.access.bearer import bearer, digest
from relay.server.access.forms import given_token, refuse_forged
from relay.server.access.sessions import Session, Sessions
from relay.server.refused import Guesses, RefusedError
from relay.settings import ServerSettings
from relay.settings.server import TrustedProxySettings
from relay.store import Store

_log = structlog.get_logger("relay.server")

REALM: Final = 'Bearer realm="msr-relay"'
"""The value of WWW-Authenticate that asks for a token."""
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_TOUCH_EVERY: Final = timedelta(hours=1)
_USER: Final = 120
"""Characters of a user's name that a proxy may tell."""
_REMEMBERED: Final = 500
"""So many tokens that were let in lately are served however many wrong ones are sent."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Who sent a request. ``form_token`` is None if the request itself bore a secret, which no other site's
    page can have a browser send."""

    principal: Principal
    form_token: str | None = None


_VISIT: Final = web.RequestKey("visit", Visit)


@dataclass(frozen=True, slots=True)
class Entrance:
    """The token that somebody was let in by; ``holder`` stands for it in a cookie."""

    name: str
    scope: Scope
    holder: str


class Access:
    """Tells who sent a request. ``server`` is asked each time: a reload may have changed the settings."""

    def __init__(
        self,
        server: Callable[[], ServerSettings],
        store: Store,
        clock: Clock,
        guesses: Guesses,
        sessions: Sessions,
    ) -> None:
        self.sessions = sessions
        self._server = server
        self._store = store
        self._clock = clock
        self._guesses = guesses
        self._touched: dict[str, datetime] = {}
        self._had_tokens = False
        self._let_in: dict[str, None] = {}

    async def principal(self, request: web.Request) -> Principal:
        """Return who sent a request: by token, session, proxy, or nobody in particular where that may be.

        A write that comes by anything but a token must bear the token of our forms (see ``form_token``).
        Raises RefusedError, or StoreError.
        """
        visit = await self._visit(request)
        if visit.form_token is not None and request.method not in _SAFE:
            if visit.principal.via is Via.LOCAL and await given_token(request) is None:
                raise await self._nobody(self._server())
            await refuse_forged(request, self._server().public_url, visit.form_token)
        request[_VISIT] = visit
        return visit.principal

    async def _visit(self, request: web.Request) -> Visit:
        server = self._server()
        secret = bearer(request)
        if secret is not None:
            found = await self.entrance(secret)
            return Visit(Principal(found.name, found.scope, Via.TOKEN))
        visit = (
            await self._by_session(request, server)
            or self._by_proxy(request, server.trusted_proxy)
            or await self._by_nothing(request, server)
        )
        if visit is None:
            raise await self._nobody(server)
        if visit.principal.via is not Via.LOCAL:
            places.refuse_other_hosts(request, server)
        return visit

    async def entrance(self, secret: str) -> Entrance:
        """Return what somebody is let in by who has this secret. Raises RefusedError, or StoreError."""
        server, now = self._server(), self._clock.now()
        own = server.api_token
        # Hashes are of one length, so that a comparison does not tell that of the token.
        if own is not None and hmac.compare_digest(digest(secret), digest(own.get_secret_value())):
            return self._own(own.get_secret_value())
        token = await self._look_up(secret)
        if token is not None and token.valid(now):
            await self._touch(token, now)
            return Entrance(token.name, token.scope, token.id)
        self._guesses.count()
        if own is None and not await self._tokens_exist():
            raise _nobody_can()
        refused = _wrong(token)
        _log.warning("a token was refused", why=refused.title, name=None if token is None else token.name)
        raise refused

    async def _look_up(self, secret: str) -> Token | None:
        """Return the token of a secret, as far as it is worth asking the store. Raises RefusedError."""
        if not looks_like_secret(secret):
            return None
        hash = secret_hash(secret)
        if hash not in self._let_in:
            self._guesses.refuse_more()
        token = await self._store.find_token_by_hash(hash)
        # What is put back comes last: the one that was let in longest ago is forgotten first.
        self._let_in.pop(hash, None)
        if token is not None and token.valid(self._clock.now()):
            self._let_in[hash] = None
            if len(self._let_in) > _REMEMBERED:
                del self._let_in[next(iter(self._let_in))]
        return token

    def _own(self, secret: str) -> Entrance:
        return Entrance(SETTINGS_TOKEN, Scope.ADMIN, f"{SETTINGS_TOKEN} {self.sessions.holder(secret)}")

    async def _touch(self, token: Token, now: datetime) -> None:
        last = self._touched.get(token.id) or token.used_at
        if last is None or now - last >= _TOUCH_EVERY:
            self._touched[token.id] = now
            # Nobody is refused because that could not be written.
            with contextlib.suppress(StoreError):
                await self._store.touch_token(token.id, now)

    async def _by_session(self, request: web.Request, server: ServerSettings) -> Visit | None:
        session = self.sessions.of(request, server.session_expires)
        found = None if session is None else await self._entered(session, server)
        if session is None or found is None:
            return None
        form_token = self.sessions.form_token(f"session\0{session.nonce}")
        return Visit(Principal(found.name, found.scope, Via.SESSION), form_token)

    async def _entered(self, session: Session, server: ServerSettings) -> Entrance | None:
        """Return what a session was begun with, None if nobody is let in by that any more."""
        if server.api_token is not None:
            own = self._own(server.api_token.get_secret_value())
            if hmac.compare_digest(session.holder.encode(), own.holder.encode()):
                return own
        token = await self._store.find_token(session.holder)
        now = self._clock.now()
        if token is None or not token.valid(now):
            return None
        await self._touch(token, now)
        return Entrance(token.name, token.scope, token.id)

    def _by_proxy(self, request: web.Request, proxy: TrustedProxySettings | None) -> Visit | None:
        if proxy is None or not places.within(places.peer(request), proxy.networks):
            return None
        users = request.headers.getall(proxy.user_header, [])
        if not users or users == [""]:
            return None
        user = one_line(users[0])
        if len(users) > 1 or not user or len(user) > _USER or "\ufffd" in user:
            raise RefusedError(
                HTTPStatus.BAD_REQUEST,
                f"The proxy in front does not say clearly who you are, in {proxy.user_header}.",
                f"It has to send that header once, with a name of at most {_USER} characters, in place of "
                "whatever a client sends.",
            )
        scope = max((proxy.scope, *_granted(request, proxy)), key=list(Scope).index)
        form_token = self.sessions.form_token(f"proxy\0{user}")
        return Visit(Principal(user + PROXY, scope, Via.PROXY), form_token)

    async def _by_nothing(self, request: web.Request, server: ServerSettings) -> Visit | None:
        scope = server.anonymous
        if scope is None and await self._is_left_alone(request, server):
            scope = "read"
            places.refuse_other_hosts(request, server, loopback=True)
        elif scope in (None, "off") or not (server.insecure or _is_here(request)):
            return None
        else:
            places.refuse_other_hosts(request, server)
        return Visit(Principal(LOCAL, Scope(scope), Via.LOCAL), self.sessions.form_token(LOCAL))

    async def _is_left_alone(self, request: web.Request, server: ServerSettings) -> bool:
        """Tell whether nothing has been set up by which anybody could come from elsewhere, or log in."""
        return (
            server.loopback
            and server.public_url is None
            and server.api_token is None
            and server.trusted_proxy is None
            and _is_here(request)
            and not await self._tokens_exist()
        )

    async def _tokens_exist(self) -> bool:
        # No row ever goes, so that who is let in does not change back when a token expires.
        self._had_tokens = self._had_tokens or await self._store.any_token()
        return self._had_tokens

    async def _nobody(self, server: ServerSettings) -> RefusedError:
        if server.api_token is None and server.trusted_proxy is None and not await self._tokens_exist():
            return _nobody_can()
        return RefusedError(
            HTTPStatus.UNAUTHORIZED,
            "A token is missing.",
            "Log in with one, or send it: Authorization: Bearer TOKEN. msr-relay token create makes one.",
            headers={"WWW-Authenticate": REALM},
        )


def require(principal: Principal, scope: Scope) -> None:
    """Raise RefusedError if this is more than somebody may do."""
    if not principal.scope.includes(scope):
        raise RefusedError(
            HTTPStatus.FORBIDDEN,
            f"{principal.name} may not do this: it needs the scope {scope}, and has {principal.scope}.",
            f"msr-relay token create NAME --scope {scope} makes a token that may.",
            headers={"WWW-Authenticate": f'{REALM}, error="insufficient_scope", scope="{scope}"'},
        )


def form_token(request: web.Request) -> str:
    """Return what every form of a page has to bear in its field ``csrf``, and scripts in X-CSRF-Token.

    It is empty for who came by a token, and before ``Access.principal`` was asked.
    """
    visit = request.get(_VISIT)
    return "" if visit is None or visit.form_token is None else visit.form_token


def _is_here(request: web.Request) -> bool:
    """Tell whether somebody on this machine sent a request, as far as can be told."""
    return places.on_loopback(request) and not places.forwarded(request)


def _granted(request: web.Request, proxy: TrustedProxySettings) -> list[Scope]:
    """Return what the groups of a user may do."""
    said = ",".join(request.headers.getall(proxy.groups_header, ())) if proxy.groups_header else ""
    names = {each.strip() for each in said.split(",")}
    return [scope for name, scope in proxy.groups.items() if name in names]


def _wrong(token: Token | None) -> RefusedError:
    """Return the refusal of a secret: who has that of a token that is over learns so."""
    if token is None:
        title = "The token is wrong."
    else:
        title = "The token was revoked." if token.revoked_at is not None else "The token has expired."
    return RefusedError(
        HTTPStatus.UNAUTHORIZED,
        title,
        "It has to be one that msr-relay token create has made, or server.api_token.",
        headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'},
    )


def _nobody_can() -> RefusedError:
    return RefusedError(
        HTTPStatus.FORBIDDEN,
        "Nobody can be let in yet.",
        "Make a token, or set server.api_token to a secret of at least 16 characters.",
        commands=["msr-relay token create NAME --scope operate"],
    )
