"""What people look at: listings that are quick however much there is."""

from relay.store.views.happenings import AlertQuery, EventQuery, Start, Taken
from relay.store.views.outbox import Count, DeliveryQuery, DeliveryView
from relay.store.views.paging import Page
from relay.store.views.views import Views

__all__ = [
    "AlertQuery",
    "Count",
    "DeliveryQuery",
    "DeliveryView",
    "EventQuery",
    "Page",
    "Start",
    "Taken",
    "Views",
]
