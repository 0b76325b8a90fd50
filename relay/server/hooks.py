"""``/hooks/NAME``: what MSR and Alertmanager post. It is answered only once it is committed."""

import asyncio
import hmac
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final

import structlog
from aiohttp import web
from pydantic import SecretStr

from relay.engine.limits import Window
from relay.hooks import Hook, UnreadableError, read, unreadable
from relay.model.clock import Clock
from relay.model.hook_types import UNREADABLE
from relay.model.observation import Report
from relay.server.access.bearer import bearer, digest
from relay.server.bodies import read_body
from relay.server.refused import Guesses, RefusedError
from relay.server.service import Service

_log = structlog.get_logger("relay.hooks")

BODY_BYTES: Final = 8 * 1024 * 1024
"""The most that may be posted at once; Alertmanager posts groups whole, and what is refused only once."""
_AT_ONCE: Final = 64 * 1024
"""Bytes of a post up to which it is read at once; for a larger one everything else would wait."""
_LINES, _PER = 10, 60.0
_REALM: Final = 'Bearer realm="msr-relay hooks"'
_LOST: Final = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
"""What the sender will not send again, so that what it told would be lost without a word."""


class HookRoutes:
    """The routes of all hooks. What is refused is logged, at most so many times a minute."""

    def __init__(self, service: Callable[[], Service], clock: Clock, guesses: Guesses) -> None:
        self._service = service
        self._clock = clock
        self._guesses = guesses
        self._window = Window(_LINES, _PER)
        self._large = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return what is to be routed here."""
        return [web.post("/hooks/{hook}", self.take), web.post("/hooks/{hook}/{secret}", self.take)]

    async def take(self, request: web.Request) -> web.Response:
        """Take what was posted: 200 only once it is committed. Raises RefusedError, or StoreError."""
        hooks = self._service().hooks
        hook = self._let_in(request, hooks.by_name.get(request.match_info["hook"]))
        now = self._clock.now()
        body = b""
        try:
            body = await read_body(request, None, BODY_BYTES)
            report = await self._read(hook, body, now)
        except UnreadableError as error:
            refused = RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "This cannot be understood.",
                f"For a hook of kind {hook.kind}, {error}.",
            )
            reason = str(error)
        except RefusedError as error:
            if error.status not in _LOST:
                raise
            refused, reason = error, str(error)
        else:
            await hooks.take(report)
            # The event tells the first trouble of an hour, the log the others too.
            for each in (fact for fact in report.facts if fact.type == UNREADABLE):
                reason = str(each.details["reason"])
                self._warn("not all that was posted to a hook was taken", hook=hook.name, reason=reason)
            return web.json_response({"taken": len(report.sources) + len(report.facts)})
        self._warn("what was posted to a hook cannot be understood", hook=hook.name, reason=reason)
        # First: if that cannot be kept, the sender is to try again.
        await hooks.take(unreadable(hook, reason, body, now))
        raise refused

    async def _read(self, hook: Hook, body: bytes, now: datetime) -> Report:
        if len(body) <= _AT_ONCE:
            return read(hook, body, now)
        # One at a time: a document takes many times the memory of its text.
        async with self._large:
            return await asyncio.to_thread(read, hook, body, now)

    def _let_in(self, request: web.Request, hook: Hook | None) -> Hook:
        """Return the hook. Raises RefusedError unless the request bears its secret."""
        given = request.match_info.get("secret") or bearer(request)
        if not given:
            raise _unauthorized(
                "A secret is missing.",
                "Send the header Authorization: Bearer SECRET with the hook's secret, or post to "
                "/hooks/NAME/SECRET.",
                _REALM,
            )
        expected = SecretStr("") if hook is None else hook.secret
        right = hmac.compare_digest(digest(given), digest(expected.get_secret_value()))
        if hook is None or not right:
            self._warn("a post was refused: no such hook, or a wrong secret", hook=hook and hook.name)
            self._guesses.count()
            # One answer for both: it does not tell which hooks there are.
            raise _unauthorized(
                "There is no such hook, or its secret is another one.",
                "See hooks in the relay's configuration.",
                f'{_REALM}, error="invalid_token"',
            )
        return hook

    def _warn(self, event: str, **fields: object) -> None:
        now = self._clock.monotonic()
        if self._window.wait(now) == 0:
            self._window.take(now)
            _log.warning(event, **fields)


def _unauthorized(title: str, advice: str, challenge: str) -> RefusedError:
    return RefusedError(HTTPStatus.UNAUTHORIZED, title, advice, headers={"WWW-Authenticate": challenge})
