"""Forgetting what has been kept for long enough."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from relay.app import build
from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.model.evidence import BrokenChainError
from relay.settings import Settings
from relay.store import Cut, EvidenceCut, Store

_log = structlog.get_logger("relay.pruning")

_EVERY = 600.0
_PAUSE = 0.05
"""Little is removed at a time, and then a pause: what is sent meanwhile waits for the one writer."""
_KEYS_KEPT = timedelta(days=1)


class Pruner:
    """Prunes the store now and then, a bounded number of rows at a time.

    ``settings`` are asked each time; ``store_failed`` is told of a store that fails.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: Callable[[], Settings],
        store_failed: Callable[[StoreError], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._store_failed = store_failed

    async def run(self) -> None:
        """Prune for ever."""
        while True:
            await self._clock.sleep(_EVERY)
            try:
                while await self._store.prune(self._cut()):
                    await self._clock.sleep(_PAUSE)
                while await self._store.prune_evidence(self._evidence_cut()):
                    await self._clock.sleep(_PAUSE)
            except StoreError as error:
                self._store_failed(error)
            except BrokenChainError as error:
                _log.error(
                    "the evidence does not hold together; msr-relay audit verify tells more", error=str(error)
                )

    def _cut(self) -> Cut:
        return cut(self._settings(), self._clock.now())

    def _evidence_cut(self) -> EvidenceCut:
        now, evidence = self._clock.now(), self._settings().evidence
        return EvidenceCut(now - evidence.retention, now, evidence.signer)


def cut(settings: Settings, now: datetime) -> Cut:
    """Return what is old enough to be forgotten."""
    keep = settings.retention
    # What alerts that have resolved leave to their next lives must outlast a restart.
    alerts = max(keep.alerts, build.policy(settings).memory)
    return Cut(now - keep.deliveries, now - keep.events, now - alerts, now - _KEYS_KEPT)
