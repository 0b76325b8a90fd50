"""Events: immutable facts, and the one form in which everything that is told travels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from relay.model.severity import Severity


class SubjectKind(StrEnum):
    """What sort of thing an event is about."""

    REPOSITORY = "repository"
    REPLICA = "replica"
    ISSUE = "issue"
    CLUSTER = "cluster"
    FEED = "feed"
    HOOK = "hook"
    INSTANCE = "instance"
    CHANNEL = "channel"
    DELIVERY = "delivery"
    TEMPLATE = "template"
    STORE = "store"
    CONFIGURATION = "configuration"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Subject:
    """The thing that an event is about.

    ``name`` is what people call it: ``namespace/name`` for a repository, the replica's id or URL host.
    ``gun`` is the name under which the trust data was signed (notary's "globally unique name").
    ``replicas`` are the ids of the replicas that are concerned, as far as known.
    """

    kind: SubjectKind
    name: str
    gun: str | None = None
    replicas: tuple[str, ...] = ()


def namespace_of(repository: str) -> str:
    """Return the namespace of a repository's name, ``namespace/name``."""
    return repository.partition("/")[0]


class Status(StrEnum):
    """``event`` for a one-off; ``firing`` and ``resolved`` for the two ends of an alert's life."""

    EVENT = "event"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Event:
    """A fact that can be told: a one-off, or an alert that began or ceased to fire.

    ``id`` is derived from the source, so the same fact seen twice is one event. ``alert`` is the id of
    the alert's whole life, None for a one-off. ``happened_at`` is MSR's time where MSR gives one,
    ``seen_at`` the relay's. All times are aware and in UTC. ``cluster`` is None for events of the relay
    about itself. ``flapping`` tells that the alert comes and goes too often to tell each time.
    ``details`` has the fields that ``relay.model.catalogue`` documents for the type.
    """

    id: str
    type: str
    status: Status
    cluster: str | None
    severity: Severity
    subject: Subject
    summary: str
    happened_at: datetime
    seen_at: datetime
    alert: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    flapping: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def thread(self) -> str:
        """What ties messages about one thing together: the alert's id, or the event's own."""
        return self.alert or self.id

    def to_json(self) -> str:
        """Return the event as a JSON text, the form in which the store keeps it."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "Event":
        """Return the event that ``to_json`` wrote."""
        return _ADAPTER.validate_json(text)


_ADAPTER = TypeAdapter(Event)
