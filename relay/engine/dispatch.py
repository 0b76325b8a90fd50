"""The dispatcher: the loops of all channels, one each."""

import asyncio
from collections.abc import Collection

from relay.engine.channel_loop import ChannelLoop


class Dispatcher:
    """All channel loops."""

    def __init__(self, loops: Collection[ChannelLoop] = ()) -> None:
        self.loops = {loop.channel.name: loop for loop in loops}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def wake(self, channels: Collection[str]) -> None:
        """Tell loops that there is something to send."""
        for name in channels:
            if name in self.loops:
                self.loops[name].wake()

    def start(self) -> None:
        """Run all loops."""
        for name in self.loops:
            self._run(name)

    def _run(self, name: str) -> None:
        self._tasks[name] = asyncio.create_task(self.loops[name].run(), name=f"channel {name}")

    async def replace(self, loops: Collection[ChannelLoop], grace: float) -> None:
        """Go on with other loops: the old ones hand back what they have not ended within ``grace``."""
        await self.stop(grace)
        self.loops = {loop.channel.name: loop for loop in loops}
        self.start()

    async def stop(self, grace: float) -> None:
        """Stop all loops; see ``ChannelLoop.stop``."""
        await asyncio.gather(*(loop.stop(grace) for loop in self.loops.values()))
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
        await asyncio.gather(*(loop.channel.close() for loop in self.loops.values()))
