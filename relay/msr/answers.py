"""What MSR tells, as plain typed values. Texts in them are free of control characters, but untrusted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica of a cluster, as configured."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Ping:
    """What a replica says about itself."""

    healthy: bool
    error: str
    """The failing part, in MSR's words."""
    seconds: float
    """How long the answer took."""


@dataclass(frozen=True, slots=True)
class NginxStatus:
    """Counters of one replica's nginx. `accepts`, `handled` and `requests` count since it was started."""

    active: int
    accepts: int
    handled: int
    requests: int
    reading: int
    writing: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Issue:
    """A row of RethinkDB's system table `current_issues`."""

    id: str | None
    type: str
    """Empty if missing."""
    critical: bool
    """True also when it cannot be read: the safe side."""
    description: str
    info: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """The cluster as one replica sees it. The mappings are keyed by replica id."""

    issues: tuple[Issue, ...]
    issues_complete: bool
    """False if some of the issues could not be read: then a missing one need not be over."""
    replica_health: Mapping[str, str]
    replica_timestamp: Mapping[str, datetime]
    """When each replica last reported."""
    replica_readonly: Mapping[str, bool]
    gc_lock_holder: str
    quirks: tuple[str, ...]
    """What could not be read, each with its place."""


class Category(StrEnum):
    """What a changefeed record tells."""

    UPDATE = "update"
    DELETION = "deletion"


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the changefeed."""

    id: str
    created_at: datetime
    """UTC; year 1 if notary has none."""
    gun: str
    """As signed; may lack a host or be empty."""
    version: int
    """0 for a deletion."""
    sha256: str
    """Empty for a deletion."""
    category: Category


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of the changefeed that cannot be parsed, with what could be made out."""

    raw: str
    """Its beginning, as JSON."""
    reason: str
    id: str | None = None
    gun: str = ""
    category: Category | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some records of a changefeed, oldest first."""

    records: tuple[Record | Unreadable, ...]
