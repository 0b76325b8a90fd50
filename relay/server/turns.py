"""However many read, what is to be sent goes on: readers take turns, and share what they ask alike."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, TypeVar

T = TypeVar("T")

_AT_ONCE: Final = 2
"""So many answers are made at the same time. More would not make them faster: all are made by one core."""


class Turns:
    """Lets so many make answers at the same time; the others wait, in the order in which they came."""

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._next: dict[Hashable, asyncio.Task[Any]] = {}

    async def take(self, make: Callable[[], Awaitable[T]]) -> T:
        """Make an answer in turn."""
        async with self._turn:
            return await make()

    async def share(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """Make an answer in turn, once for all who ask for the same ``key`` before it is begun.

        So nobody gets one that was begun before they asked, and everybody sees what they have written.
        """
        task = self._next.get(key)
        if task is None:
            task = asyncio.create_task(self._begin(key, make))
            self._next[key] = task
        # One who goes must not take it away from the others.
        found: T = await asyncio.shield(task)
        return found

    async def _begin(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        async with self._turn:
            del self._next[key]
            return await make()
