"""What `msr-relay run` does around the relay itself."""

import asyncio
import gc

from relay.cli.run import settle


async def test_what_is_there_when_the_relay_is_ready_is_left_alone_by_the_garbage_collector() -> None:
    ready, made = asyncio.Event(), ["made at start-up"]
    settling = asyncio.create_task(settle(ready))
    await asyncio.sleep(0)
    try:
        before = gc.get_freeze_count()
        assert any(each is made for each in gc.get_objects())
        ready.set()
        await settling
        assert gc.get_freeze_count() > before
        assert not any(each is made for each in gc.get_objects())
    finally:
        gc.unfreeze()
