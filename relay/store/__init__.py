"""The store: SQLite or PostgreSQL behind one set of methods."""

from relay.store.deeds import Deed
from relay.store.errors import CursorMovedError
from relay.store.evidence import EvidenceCut, Stretch, Take
from relay.store.pruning import Cut
from relay.store.queue import Claim, Waiting
from relay.store.reads import Filter
from relay.store.requests import Request
from relay.store.schema import ALIVE
from relay.store.store import Store
from relay.store.trust import WaitingTrust
from relay.store.views import (
    AlertQuery,
    Backlog,
    Count,
    DeedQuery,
    DeliveryQuery,
    DeliveryView,
    EventQuery,
    Page,
    RepositoryQuery,
    Slot,
    Statistics,
    Taken,
    TrustStanding,
    Views,
    standing_of,
)
from relay.store.views.queues import Queue
from relay.store.writes import Settlement

__all__ = [
    "ALIVE",
    "AlertQuery",
    "Backlog",
    "Claim",
    "Count",
    "CursorMovedError",
    "Cut",
    "Deed",
    "DeedQuery",
    "DeliveryQuery",
    "DeliveryView",
    "EventQuery",
    "EvidenceCut",
    "Filter",
    "Page",
    "Queue",
    "RepositoryQuery",
    "Request",
    "Settlement",
    "Slot",
    "Statistics",
    "Store",
    "Stretch",
    "Take",
    "Taken",
    "TrustStanding",
    "Views",
    "Waiting",
    "WaitingTrust",
    "standing_of",
]
