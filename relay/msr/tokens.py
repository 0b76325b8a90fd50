"""Bearer tokens: cached per scope, fetched once however many ask."""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from relay.model.clock import Clock

_DEFAULT_SECONDS = 60.0
"""What the token specification says of an answer without `expires_in`."""
_LONGEST = 86400.0
_MARGIN = 30.0
MOST_KEPT = 500
"""Tokens that are kept, those used last: there is one scope a repository, and there may be thousands."""
_SENDABLE = re.compile(r"[\x21-\x7e]{1,7000}", flags=re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """A token and for how long it is worth using."""

    text: str = field(repr=False)
    seconds: float
    """From the start of the request for it. `issued_at` is not used: it would need clocks that agree."""


def parse_token(document: object) -> Token:
    """The token in the answer of `/auth/token`; ValueError if there is none."""
    if not isinstance(document, dict):
        raise ValueError("no object")
    text = document.get("token") or document.get("access_token")
    if not isinstance(text, str) or not _SENDABLE.fullmatch(text):
        raise ValueError("no token that could be sent")
    return Token(text, _lifetime(document.get("expires_in")))


def _lifetime(expires_in: object) -> float:
    try:
        seconds = float(expires_in) if isinstance(expires_in, int | float | str) else _DEFAULT_SECONDS
    except (ValueError, OverflowError):
        seconds = _DEFAULT_SECONDS
    if not math.isfinite(seconds) or seconds <= 0:
        seconds = _DEFAULT_SECONDS
    seconds = min(seconds, _LONGEST)
    return seconds - min(_MARGIN, seconds / 5)


@dataclass(frozen=True, slots=True)
class _Cached:
    text: str = field(repr=False)
    good_until: float


class Tokens:
    """The tokens of one cluster."""

    def __init__(self, fetch: Callable[[str], Awaitable[Token]], clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._cached: dict[str, _Cached] = {}
        self._flights: dict[str, asyncio.Task[str]] = {}

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._cached)

    async def get(self, scope: str) -> str:
        """A token for a scope: a cached one, or the outcome of the one request made for all who wait."""
        cached = self._cached.get(scope)
        if cached is not None and self._clock.monotonic() < cached.good_until:
            self._cached[scope] = self._cached.pop(scope)
            return cached.text
        flight = self._flights.get(scope)
        if flight is None:
            flight = self._flights[scope] = asyncio.create_task(self._renew(scope))
            flight.add_done_callback(_seen)
        # One who gives up waiting must not take the token from the others.
        return await asyncio.shield(flight)

    def drop(self, scope: str, text: str) -> None:
        """Forget a token that was refused, unless it has been renewed already."""
        cached = self._cached.get(scope)
        if cached is not None and cached.text == text:
            del self._cached[scope]

    async def _renew(self, scope: str) -> str:
        started = self._clock.monotonic()
        try:
            token = await self._fetch(scope)
        finally:
            del self._flights[scope]
        self._cached.pop(scope, None)
        if len(self._cached) >= MOST_KEPT:
            self._cached = {key: each for key, each in self._cached.items() if each.good_until > started}
        if len(self._cached) >= MOST_KEPT:
            del self._cached[next(iter(self._cached))]
        self._cached[scope] = _Cached(token.text, started + token.seconds)
        return token.text


def _seen(flight: asyncio.Task[str]) -> None:
    # When everybody gave up waiting, nobody else would look at the error, and asyncio would complain.
    if not flight.cancelled():
        flight.exception()
