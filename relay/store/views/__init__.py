"""What people look at: listings that are quick however much there is."""

from relay.store.views.happenings import AlertQuery, EventQuery, Start, Taken
from relay.store.views.outbox import Count, DeliveryQuery, DeliveryView
from relay.store.views.paging import Page
from relay.store.views.proofs import DeedQuery
from relay.store.views.repositories import Name, RepositoryQuery, TrustStanding, standing_of
from relay.store.views.statistics import Backlog, Slot, Statistics
from relay.store.views.views import Views

__all__ = [
    "AlertQuery",
    "Backlog",
    "Count",
    "DeedQuery",
    "DeliveryQuery",
    "DeliveryView",
    "EventQuery",
    "Name",
    "Page",
    "RepositoryQuery",
    "Slot",
    "Start",
    "Statistics",
    "Taken",
    "TrustStanding",
    "Views",
    "standing_of",
]
