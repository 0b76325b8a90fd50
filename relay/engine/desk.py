"""What people have said about alerts, as the store has it: silences and acknowledgements."""

from collections.abc import Mapping
from datetime import datetime

import structlog
from pydantic import ValidationError

from relay.engine.scene import Silences
from relay.model.silence import Acknowledgement, Silence
from relay.store import Deed, Store

_log = structlog.get_logger("relay.desk")


def _usable(silence: Silence) -> bool:
    """Tell whether a kept silence can be used: a later release may no longer understand it."""
    try:
        Silences([silence])
    except ValidationError as error:
        _log.error(
            "a silence cannot be used any more: it holds nothing back", silence=silence.id, error=str(error)
        )
        return False
    return True


class Desk:
    """A copy of what the store has of silences that have not ended and of acknowledgements."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.silences = Silences()
        self.acknowledged: Mapping[str, Acknowledgement] = {}

    async def load(self, now: datetime) -> None:
        """Take up what the store has. Raises StoreError."""
        self.silences = Silences(filter(_usable, await self._store.silences(now)))
        self.acknowledged = {each.thread: each for each in await self._store.acknowledgements()}

    async def silence(self, silence: Silence, deed: Deed) -> None:
        """Add a silence, or change one. Raises StoreError."""
        await self._store.save_silence(silence, deed)
        others = [each for each in self.silences.all if each.id != silence.id and each.ends_at > deed.at]
        self.silences = Silences([*others, silence])

    async def acknowledge(self, found: Acknowledgement, deed: Deed) -> None:
        """Note that somebody takes care of something. Raises StoreError."""
        await self._store.acknowledge(found, deed)
        self.acknowledged = {**self.acknowledged, found.thread: found}

    async def unacknowledge(self, thread: str, deed: Deed) -> None:
        """Forget that somebody takes care of something. Raises StoreError."""
        await self._store.unacknowledge(thread, deed)
        self.acknowledged = {key: each for key, each in self.acknowledged.items() if key != thread}
