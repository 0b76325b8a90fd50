"""What a receiver got, in order of arrival; filled by one thread, read by another."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """A list that one can wait on."""

    def __init__(self) -> None:
        self._items: list[T] = []
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> T:
        return self.items[index]

    @property
    def items(self) -> list[T]:
        with self._changed:
            return list(self._items)

    def add(self, item: T) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def clear(self) -> None:
        with self._changed:
            self._items.clear()

    def wait(
        self, count: int = 1, which: Callable[[T], bool] = lambda _: True, timeout: float = 20
    ) -> list[T]:
        """Blocks, at most `timeout` seconds, until `count` items of the kind are there; gives all of them."""

        def enough() -> bool:
            return sum(map(which, self._items)) >= count

        with self._changed:
            if not self._changed.wait_for(enough, timeout):
                raise AssertionError(f"waited {timeout:g} s for {count} of: {self._items!r}")
            return [item for item in self._items if which(item)]

    async def arrived(
        self, count: int = 1, which: Callable[[T], bool] = lambda _: True, timeout: float = 20
    ) -> list[T]:
        """As `wait`, while the test's own loop goes on."""
        return await asyncio.to_thread(self.wait, count, which, timeout)
