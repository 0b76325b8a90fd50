"""The store: SQLite or PostgreSQL behind one set of methods."""

from relay.store.errors import CursorMovedError
from relay.store.evidence import EvidenceCut, Stretch, Take
from relay.store.pruning import Cut
from relay.store.queue import Claim, Waiting
from relay.store.queues import Queue
from relay.store.reads import Filter
from relay.store.schema import ALIVE
from relay.store.store import Store
from relay.store.trust import WaitingTrust
from relay.store.writes import Deed, Settlement

__all__ = [
    "ALIVE",
    "Claim",
    "CursorMovedError",
    "Cut",
    "Deed",
    "EvidenceCut",
    "Filter",
    "Queue",
    "Settlement",
    "Store",
    "Stretch",
    "Take",
    "Waiting",
    "WaitingTrust",
]
