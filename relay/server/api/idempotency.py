"""Writes that are done once, however often they are sent: the header ``Idempotency-Key``.

As in draft-ietf-httpapi-idempotency-key-header: the same key with the same request gets the answer that the
first one got; with another request it is refused (422), and while the first is under way, too (409).
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final, Self

from aiohttp import web

from relay.model.access import Principal
from relay.model.clock import Clock
from relay.server.api.problems import CONTENT_TYPE, bad_request
from relay.server.refused import RefusedError
from relay.store import Request, Store

HEADER: Final = "Idempotency-Key"
AGAIN: Final = "Idempotent-Replayed"
"""The header of an answer that is given again."""
_LONGEST: Final = 255


@dataclass(frozen=True, slots=True)
class Once:
    """A write that bears a key."""

    store: Store
    clock: Clock
    key: str
    fingerprint: str

    @classmethod
    def of(cls, request: web.Request, store: Store, clock: Clock, who: Principal, sent: bytes) -> Self | None:
        """Return the write, None if it bears no key. Raises RefusedError for a key that is none.

        Keys of one principal say nothing about those of another.
        """
        key = request.headers.get(HEADER)
        if key is None:
            return None
        if not 0 < len(key) <= _LONGEST or not key.isascii() or not key.isprintable():
            raise bad_request(
                f"{HEADER} must be 1 to {_LONGEST} printable ASCII characters.", "A UUID is good."
            )
        asked = f"{request.method}\0{request.raw_path}\0".encode() + sent
        name = f"{who.via}\0{who.name}\0{key}".encode(errors="surrogateescape")
        return cls(store, clock, hashlib.sha256(name).hexdigest(), hashlib.sha256(asked).hexdigest())

    async def do(self, act: Callable[[], Awaitable[web.Response]]) -> web.Response:
        """Act, or return what the first one was answered. Raises RefusedError, StoreError."""
        request = Request(self.key, self.fingerprint, self.clock.now())
        earlier = await self.store.begin_request(request)
        if earlier is not None:
            return self._again(earlier)
        # If that fails as a whole, it may have been done all the same: then nobody can tell, and 409 says so.
        response = await act()
        done = replace(request, status=response.status, body=response.text or "")
        await self.store.finish_request(done)
        return response

    def _again(self, earlier: Request) -> web.Response:
        if earlier.fingerprint != self.fingerprint:
            raise RefusedError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"This {HEADER} was used for another request.",
                "Each request needs a key of its own.",
            )
        if earlier.status is None:
            raise RefusedError(
                HTTPStatus.CONFLICT,
                f"The request with this {HEADER} is under way, or the relay was stopped in the midst of it.",
                "Wait, then look whether it was done.",
                headers={"Retry-After": "1"},
            )
        kind = CONTENT_TYPE if earlier.status >= HTTPStatus.BAD_REQUEST else "application/json"
        return web.Response(
            text=earlier.body or "", status=earlier.status, content_type=kind, headers={AGAIN: "true"}
        )
