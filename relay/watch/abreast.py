"""Several streams read side by side, so that a slow one does not hold up the others."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def abreast(streams: Sequence[AsyncGenerator[T, None]], limit: int) -> AsyncGenerator[T, None]:
    """Yield what the streams yield, at most ``limit`` of them at work at once, until all have ended.

    None goes on before what it yielded has been used. An error of one is raised when the others have ended.
    """
    turn = asyncio.Semaphore(limit)
    ready: asyncio.Queue[tuple[T, asyncio.Event] | None] = asyncio.Queue()

    async def drain(stream: AsyncGenerator[T, None]) -> None:
        try:
            async with turn, aclosing(stream):
                async for item in stream:
                    used = asyncio.Event()
                    ready.put_nowait((item, used))
                    await used.wait()
        finally:
            ready.put_nowait(None)

    tasks = [asyncio.create_task(drain(stream)) for stream in streams]
    try:
        left = len(tasks)
        while left:
            pair = await ready.get()
            if pair is None:
                left -= 1
                continue
            yield pair[0]
            pair[1].set()
        for task in tasks:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
