"""Care for the account: a refused password is not tried again for a while, lest MSR locks the user out."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from relay.model.clock import Clock
from relay.msr.errors import PasswordRefused

T = TypeVar("T")

_FIRST = 300.0
_LONGEST = 3600.0


class RefusedError(Exception):
    """Raised inside `Lockout.attempt` by a request whose user and password were refused; holds the words."""


class Lockout:
    """Lets requests with a password through, one at a time until the password has proved right.

    After a refusal none goes out for 5 minutes, then a single one; each further refusal doubles the pause, up
    to 1 hour. A request that succeeds ends it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turn = asyncio.Lock()
        self._proven = False
        self._refusals = 0
        self._words = ""
        self._locked_until = clock.monotonic()

    async def attempt(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request that carries the password; it raises `RefusedError` when that is refused.

        Raises PasswordRefused: at once, without the request, while locked out. Any other error of the request
        passes through and proves nothing.
        """
        self._check()
        if not self._proven:
            async with self._turn:
                if not self._proven:
                    self._check()
                    return await self._judged(request)
        return await self._judged(request)

    async def _judged(self, request: Callable[[], Awaitable[T]]) -> T:
        before = self._refusals
        try:
            result = await request()
        except RefusedError as error:
            self._refuse(str(error))
        else:
            # A success of before a refusal, which other requests met meanwhile, says nothing about now.
            if self._refusals == before:
                self._proven, self._refusals = True, 0
            return result
        raise self._error()

    def _check(self) -> None:
        if self._remaining() > 0:
            raise self._error()

    def _refuse(self, words: str) -> None:
        # Requests that were under way together are refused together: that counts once.
        if self._remaining() <= 0:
            pause = min(_FIRST * 2**self._refusals, _LONGEST)
            self._locked_until = self._clock.monotonic() + pause
            self._refusals += 1
        self._words, self._proven = words, False

    def _remaining(self) -> float:
        return self._locked_until - self._clock.monotonic()

    def _error(self) -> PasswordRefused:
        until = self._clock.now() + timedelta(seconds=self._remaining())
        return PasswordRefused(f"{self._words}; it is not tried again before {until:%H:%M:%S} UTC", until)
