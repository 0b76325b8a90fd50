"""Noticing that the configuration has changed."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from relay.model.clock import Clock

_EVERY = 2.0
_MOST = 1000


def signature(paths: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when any of the files does; folders stand for the files in them."""
    found = []
    for path in paths:
        files = sorted(path.rglob("*"))[:_MOST] if path.is_dir() else [path]
        for file in files:
            try:
                state = file.stat()
            except OSError:
                found.append((str(file), 0, 0))
            else:
                found.append((str(file), state.st_mtime_ns, state.st_size))
    return tuple(found)


async def watch_files(paths: Iterable[Path], changed: asyncio.Event, clock: Clock) -> None:
    """Set the event whenever one of the files has changed, until cancelled."""
    listed = tuple(paths)
    if not listed:
        return
    before = signature(listed)
    while True:
        await clock.sleep(_EVERY)
        now = await asyncio.to_thread(signature, listed)
        if now != before:
            before = now
            changed.set()
