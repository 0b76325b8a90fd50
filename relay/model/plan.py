"""What intake decided, to be committed in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from relay.model.alert import Alert
from relay.model.delivery import Delivery
from relay.model.event import Event
from relay.model.evidence import Draft
from relay.model.observation import CursorMove
from relay.model.trust import Head, Kept


@dataclass(frozen=True, slots=True)
class Group:
    """One life of a group: what a rule gathers for a while, to tell it in one message.

    ``key`` names the rule and what its members have in common; ``id`` names this life of it. ``due_at`` is
    when what has been gathered is told, or was told last.
    """

    id: str
    key: str
    opened_at: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What becomes of waiting deliveries: changed ones, and new ones in their place."""

    changed: tuple[Delivery, ...] = ()
    added: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Events, alert states, deliveries and a cursor move that become true together or not at all.

    ``unrouted`` are the ids of events that no rule took. ``over`` are the ids of alerts that have ended:
    what was to be told of them later need not be told. ``released`` are the ids of alerts that are
    inhibited no longer. ``groups`` are those that have gathered something. ``at`` is when it was decided,
    ``memos`` what is to be remembered across restarts, by name. ``evidence`` is appended to the evidence log.

    ``heads`` are the new records of repositories, in the feed's order; ``waiting`` those of their events that
    are not told before they have been examined, ``examined`` the ids of events that wait no longer.
    ``kept`` is what was found out about repositories, ``inventory`` those that were not known before.
    """

    at: datetime | None = None

    events: tuple[Event, ...] = ()
    unrouted: frozenset[str] = frozenset()
    alerts: tuple[Alert, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    over: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    memos: Mapping[str, str] = field(default_factory=dict)
    cursor: CursorMove | None = None
    evidence: tuple[Draft, ...] = ()
    heads: tuple[Head, ...] = ()
    waiting: tuple[Event, ...] = ()
    examined: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    inventory: tuple[Head, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to commit."""
        told = self.events or self.alerts or self.over or self.released or self.memos or self.cursor
        found = self.evidence or self.kept or self.inventory
        return not (told or found or self.heads or self.waiting or self.examined)
