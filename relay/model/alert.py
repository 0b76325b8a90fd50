"""Alerts: conditions with a lifetime."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from relay.model.details import Flaps
from relay.model.event import Event, Status, Subject
from relay.model.ids import stable_id
from relay.model.severity import Severity


class AlertState(StrEnum):
    """``pending`` until it has held for its ``for``; then ``firing`` until it is ``resolved``."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Told:
    """A channel that was, or at ``due_at`` will be, told of a firing, and the rule that decided it.

    ``group`` is the id of the group that it is told in, if its rule groups. ``escalated`` tells that it hears
    of it only by escalation.
    """

    rule: str
    channel: str
    due_at: datetime
    on_resolve: bool
    group: str | None = None
    escalated: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition with a lifetime, identified by its fingerprint.

    ``id`` names this one life of it; a later one with the same fingerprint has another id. ``starts_at``
    is when the condition was first seen, ``fired_at`` when it had held long enough, ``absent_since``
    when it was first no longer seen while still firing (flap damping), ``ends_at`` when it resolved, and
    ``ended_because`` why, where that is not simply that it no longer holds. ``inhibited`` tells that a
    larger alert covers it: its firing is not told meanwhile. ``told`` are the channels that the firing
    goes to. ``looks`` counts, while it is pending, how many looks in a row have shown it, up to as many as it
    takes. ``last_event`` is the id of the event that says how it fires.

    ``changes`` are the times at which the condition lately began or ceased to count, over all its lives,
    the oldest first. ``flapping`` tells that they were too many when it fired: then it keeps firing, and is
    quiet, until the condition has been shown or absent for ``flap_within`` without a break. ``settled_at``
    is when it was found to stay. ``revision`` counts how often it was told anew because there was more to
    tell, at the same severity.
    """

    id: str
    fingerprint: str
    type: str
    cluster: str | None
    watcher: str
    source: str
    state: AlertState
    severity: Severity
    subject: Subject
    summary: str
    starts_at: datetime
    fired_at: datetime | None = None
    absent_since: datetime | None = None
    ends_at: datetime | None = None
    ended_because: str | None = None
    inhibited: bool = False
    told: tuple[Told, ...] = ()
    looks: int = 1
    last_event: str | None = None
    changes: tuple[datetime, ...] = ()
    flapping: bool = False
    flap_within: timedelta = timedelta(0)
    settled_at: datetime | None = None
    revision: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def event(self, status: Status, seen_at: datetime) -> Event:
        """Return the event that tells of this alert's firing (at its present severity) or resolving."""
        happened_at = (self.ends_at if status is Status.RESOLVED else self.starts_at) or seen_at
        details = dict(self.details)
        if self.ended_because is not None:
            details["ended_because"] = self.ended_because
        flapping = self.flapping and status is Status.FIRING
        if flapping or (self.settled_at == seen_at and status is Status.FIRING):
            details["flaps"] = Flaps(
                changes=len(self.changes), within_seconds=self.flap_within.total_seconds()
            ).plain()
        which = ["flapping"] if flapping else []
        if self.revision and status is Status.FIRING:
            which.append(str(self.revision))
        return Event(
            id=stable_id("evt", self.id, status, self.severity, *which),
            type=self.type,
            status=status,
            cluster=self.cluster,
            severity=self.severity,
            subject=self.subject,
            summary=self.summary,
            happened_at=happened_at,
            seen_at=seen_at,
            alert=self.id,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            flapping=flapping,
            labels=self.labels,
            annotations=self.annotations,
            details=details,
        )

    def to_json(self) -> str:
        """Return the alert as a JSON text, the form in which the store keeps it."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "Alert":
        """Return the alert that ``to_json`` wrote."""
        return _ADAPTER.validate_json(text)


_ADAPTER = TypeAdapter(Alert)
