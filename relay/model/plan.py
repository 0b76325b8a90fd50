"""What intake decided, to be committed in one transaction."""

from dataclasses import dataclass

from relay.model.alert import Alert
from relay.model.delivery import Delivery
from relay.model.event import Event
from relay.model.observation import CursorMove


@dataclass(frozen=True, slots=True)
class Plan:
    """Events, alert states, deliveries and a cursor move that become true together or not at all.

    ``unrouted`` are the ids of events that no rule took. ``superseded`` are (alert id, channel) whose
    firing was over before it was due. ``released`` are the ids of alerts that are held back no longer.
    """

    events: tuple[Event, ...] = ()
    unrouted: frozenset[str] = frozenset()
    alerts: tuple[Alert, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    superseded: tuple[tuple[str, str], ...] = ()
    released: tuple[str, ...] = ()
    cursor: CursorMove | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.events or self.alerts or self.superseded or self.released or self.cursor)
