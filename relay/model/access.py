"""Who may do what with a running relay."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What somebody may do; each includes those before it."""

    READ = "read"
    """Look at everything."""
    OPERATE = "operate"
    """Silence, acknowledge, replay, test, pause a channel."""
    ADMIN = "admin"
    """Make and revoke tokens."""

    def includes(self, other: "Scope") -> bool:
        """Tell whether who has this scope may do what another one is for."""
        order = list(Scope)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Token:
    """A token by which somebody is let in. ``used_at`` is kept to the hour or so."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Tell whether it lets somebody in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sent a request. ``name`` goes into the journal; ``via`` is ``token``, ``session`` or ``proxy``."""

    name: str
    scope: Scope
    via: str
