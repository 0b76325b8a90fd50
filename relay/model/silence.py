"""What people do about alerts: silences and acknowledgements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Silence:
    """What matches it is not sent from ``starts_at`` until before ``ends_at``.

    ``matchers`` are those of a rule (see ``relay.engine.rules.Match``), as JSON types. With ``intervals``
    (see ``relay.engine.intervals``) it holds only within them: a recurring silence. ``comment`` says what
    for. Expiring one sets ``ends_at``: a silence is never removed while it is of interest.
    """

    id: str
    matchers: Mapping[str, Any]
    starts_at: datetime
    ends_at: datetime
    author: str
    comment: str
    created_at: datetime
    intervals: Sequence[Mapping[str, Any]] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody takes care of an alert, or has taken note of a one-off event.

    ``thread`` is the id of the alert, or of the event. Until ``until`` (None: until the alert resolves)
    nothing is repeated or escalated. ``via`` is the way it came: ``cli``, ``api``,
    ``link`` or ``page``.
    """

    thread: str
    by: str
    at: datetime
    note: str = ""
    until: datetime | None = None
    via: str = "cli"

    def holds(self, at: datetime) -> bool:
        """Tell whether it still holds."""
        return self.until is None or at < self.until
