"""The store: SQLite or PostgreSQL behind one set of methods."""

from relay.store.pruning import Cut
from relay.store.queue import Claim, Waiting
from relay.store.reads import Filter
from relay.store.schema import ALIVE
from relay.store.store import Store
from relay.store.writes import CursorMovedError, Deed, Settlement

__all__ = ["ALIVE", "Claim", "CursorMovedError", "Cut", "Deed", "Filter", "Settlement", "Store", "Waiting"]
