"""What one message tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from relay.model.delivery import Reason
from relay.model.event import Event, Status
from relay.model.severity import Severity
from relay.model.silence import Acknowledgement
from relay.model.urls import link_or_none

RUNBOOK: Final = "runbook_url"
"""The annotation in which an event carries its cluster's runbook."""
MOST: Final = 10
"""So many things a message about several lists, unless its rule says otherwise."""


@dataclass(frozen=True, slots=True)
class RuleAbout:
    """What the rule that decided says to whoever reads its messages; empty for a rule that is gone.

    ``most`` is how many things a message about several lists one by one.
    """

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    runbook_url: str | None = None
    most: int = MOST


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of a message about several: its latest event.

    ``missed``: it began and ended before this could be delivered. ``acknowledge_url`` is a link by which
    whoever has it takes care of the thing.
    """

    event: Event
    missed: bool = False
    acknowledge_url: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)


def nothing(_about: object) -> None:
    """Return None: nothing is known, whatever it is asked about."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What one message tells: at least one event, by which rule, through which channel, and why now.

    ``delivery`` is the id that the receiver sees; ``replay_of`` the delivery that it repeats on demand.
    ``thread`` is the delivery's: the alert's, the event's, or that of a group. ``group`` is what the members
    of a group have in common, ``more`` how many further things are only counted; ``part`` of ``parts``
    where one message is too small. ``acknowledged`` tells that somebody takes care of the one thing that this
    is about; ``acknowledge_url`` returns the link for a thread, None where the channel gets none.
    """

    events: tuple[Event, ...]
    rule: str
    channel: str
    delivery: str
    replay_of: str | None = None
    thread: str = ""
    reason: Reason = Reason.NEW
    group: Mapping[str, str] | None = None
    more: int = 0
    part: int = 1
    parts: int = 1
    rule_about: RuleAbout = RuleAbout()
    acknowledged: Acknowledgement | None = None
    acknowledge_url: Callable[[str], str | None] = nothing

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The things that it tells: what is not over before what is, the worst first, then in time order."""
        things: dict[str, list[Event]] = {}
        for event in self.events:
            things.setdefault(event.thread, []).append(event)
        found = [Entry(events[-1], _missed(events)) for events in things.values()]
        return tuple(sorted(found, key=_grave))

    @property
    def event(self) -> Event:
        """The event to speak of: the latest one if all are about one thing, else the first of the worst."""
        return self.entries[0].event if self.grouped else self.events[-1]

    @property
    def grouped(self) -> bool:
        """Whether it is about more than one thing, or part of a message that is."""
        return self.more > 0 or self.parts > 1 or self._things > 1

    @property
    def count(self) -> int:
        """How many things it tells, those that it only counts among them."""
        return self._things + self.more

    @property
    def _things(self) -> int:
        return 1 if len(self.events) == 1 else len({event.thread for event in self.events})

    @property
    def missed(self) -> bool:
        """Whether an alert began and ended before the receiver heard of it: both ends come in one."""
        return not self.grouped and _missed(self.events)

    @property
    def type(self) -> str:
        """The type that all events have, else ``group``."""
        if len(self.events) == 1:
            return self.events[0].type
        types = {event.type for event in self.events}
        return types.pop() if len(types) == 1 else "group"

    @property
    def severity(self) -> Severity:
        """The worst of what is not over; of everything, if all is."""
        if len(self.events) == 1:
            return self.events[0].severity
        entries = [entry.event for entry in self.entries]
        open_ones = [event for event in entries if event.status is not Status.RESOLVED]
        return max((event.severity for event in open_ones or self.events), key=lambda each: each.rank)

    def merged(self, event: Event) -> Event:
        """Return the event with the rule's labels and annotations over its own."""
        about = self.rule_about
        if not about.labels and not about.annotations:
            return event
        return replace(
            event,
            labels={**event.labels, **about.labels},
            annotations={**event.annotations, **about.annotations},
        )

    def links(self, event: Event, public_url: str | None) -> dict[str, str]:
        """Where an event, its alert and what to do about it can be looked at.

        The relay's own pages only with a public URL; the rule's runbook goes before the cluster's.
        """
        found = {}
        if public_url:
            base = public_url.rstrip("/")
            found["event"] = f"{base}/events/{event.id}"
            if event.alert is not None:
                found["alert"] = f"{base}/alerts/{event.alert}"
        runbook = self.rule_about.runbook_url or self.merged(event).annotations.get(RUNBOOK)
        if (link := link_or_none(runbook)) is not None:
            found["runbook"] = link
        return found

    def all_links(self, public_url: str | None) -> dict[str, str]:
        """The links of the message as a whole: of several things only what holds for all of them."""
        found = self.links(self.event, public_url)
        if self.grouped:
            runbooks = {self.links(event, None).get("runbook") for event in self.events}
            if self.more or len(runbooks) > 1:
                found.pop("runbook", None)
                if (link := link_or_none(self.rule_about.runbook_url)) is not None:
                    found["runbook"] = link
        if public_url:
            found["all"] = f"{public_url.rstrip('/')}/alerts"
        return found

    def acknowledge(self, event: Event) -> str | None:
        """Return the link by which somebody takes care of what an event tells; None for what is over."""
        return None if event.status is Status.RESOLVED else self.acknowledge_url(event.thread)


def _missed(events: tuple[Event, ...] | list[Event]) -> bool:
    return events[0].status is Status.FIRING and events[-1].status is Status.RESOLVED


def _grave(entry: Entry) -> tuple[bool, int, datetime]:
    event = entry.event
    return event.status is Status.RESOLVED, -event.severity.rank, event.happened_at
