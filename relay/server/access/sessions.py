"""The cookie of somebody who has logged in: signed, with nothing secret inside, and kept nowhere."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiohttp import web
from itsdangerous import BadData

from relay.model.clock import Clock
from relay.server.signed import timed

COOKIE: Final = "msr_relay_session"
_SALT: Final = "msr-relay session"
_FORM_SALT: Final = b"msr-relay form\0"
_HOLDER_SALT: Final = b"msr-relay holder\0"
_NONCE_BYTES: Final = 16
_LONGEST: Final = 500
"""Characters of a cookie's value; ours are far shorter."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who has logged in: ``holder`` says with which token, ``nonce`` tells sessions apart."""

    holder: str
    nonce: str


class Sessions:
    """Makes and reads cookies, and the tokens of forms."""

    def __init__(self, key: str, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        """``key`` as from ``link_key``; ``random_bytes`` must be fit for keys."""
        self._key = key.encode()
        self._clock = clock
        self._random_bytes = random_bytes
        self._serializer = timed(key, _SALT, clock)

    def begin(self, holder: str) -> str:
        """Return the value of a new session's cookie."""
        nonce = base64.urlsafe_b64encode(self._random_bytes(_NONCE_BYTES)).decode().rstrip("=")
        made = self._serializer.dumps([holder, nonce])
        return made if isinstance(made, str) else made.decode()

    def read(self, value: str, lifetime: timedelta) -> Session | None:
        """Return the session of a cookie; None for one that is not ours, not whole, or over."""
        if len(value) > _LONGEST or not value.isascii():
            return None
        try:
            (holder, nonce), at = self._serializer.loads(value, return_timestamp=True)
        except BadData:
            return None
        return Session(holder, nonce) if self._clock.now() - at <= lifetime else None

    def of(self, request: web.Request, lifetime: timedelta) -> Session | None:
        """Return the session whose cookie a request bears."""
        return self.read(request.cookies.get(COOKIE, ""), lifetime)

    def form_token(self, secret: str) -> str:
        """Return what the forms of whoever has this secret bear: no other site can know it."""
        return hmac.new(self._key, _FORM_SALT + secret.encode(errors="replace"), hashlib.sha256).hexdigest()

    def holder(self, secret: str) -> str:
        """Return what stands for a token of the settings in a cookie: another one when that changes."""
        return hmac.new(self._key, _HOLDER_SALT + secret.encode(), hashlib.sha256).hexdigest()[:32]


def set_cookie(response: web.Response, value: str, lifetime: timedelta, *, secure: bool) -> None:
    """Have the browser keep a session. Lax, so that the links of messages find whoever is logged in so."""
    response.set_cookie(
        COOKIE,
        value,
        max_age=int(lifetime.total_seconds()),
        path="/",
        secure=secure,
        httponly=True,
        samesite="Lax",
    )


def drop_cookie(response: web.Response, *, secure: bool) -> None:
    """Have the browser forget the session."""
    response.del_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="Lax")
