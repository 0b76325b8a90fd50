"""What is kept of repositories' trust data, so that it can be told once it is gone."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from relay.model.event import Event
from relay.model.ids import stable_id


@dataclass(frozen=True, slots=True)
class Head:
    """The newest record of a repository that the changefeed has shown.

    ``at`` is notary's time, year 1 if it has none; ``event`` the id of the event that the record is.
    ``sha256`` is that of the timestamp metadata, in hex; empty for a deletion. ``wanted`` tells whether it is
    to be examined.
    """

    cluster: str
    gun: str
    repository: str
    record: str
    event: str
    at: datetime
    version: int
    sha256: str
    deleted: bool
    wanted: bool = False

    @property
    def key(self) -> str:
        """What names the repository in the store."""
        return trust_key(self.cluster, self.gun)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the relay keeps of one repository.

    ``revision`` counts the changes: what was found out about an earlier one is not kept. ``state`` is the
    last state that was examined (see relay.trust.State.write), of the record of ``state_sha256``, written at
    ``state_at``. ``problem`` says why the newest one does not verify. ``wanted_at`` is when to examine it
    next, None while there is nothing to find out; ``tries`` counts the ones in vain. ``expires_at`` is the
    first expiry that can be warned of, ``checked_at`` when the server was last asked whether it still has it,
    ``missing_since`` since when it has not. ``lost_at`` is when it was deleted, and ``state`` is then of its
    former life until the next one has been examined.
    """

    head: Head
    revision: int
    state: str | None = None
    state_sha256: str = ""
    state_at: datetime | None = None
    problem: str | None = None
    wanted_at: datetime | None = None
    tries: int = 0
    expires_at: datetime | None = None
    checked_at: datetime | None = None
    missing_since: datetime | None = None
    lost_at: datetime | None = None
    deletions: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was found of a repository's trust data, and when: the record, the state or why there is none."""

    at: datetime
    head: Head
    state: str | None
    problem: str | None = None


@lru_cache(maxsize=4096)
def trust_key(cluster: str, gun: str) -> str:
    """Return what names a repository in the store."""
    return stable_id("rep", cluster, gun)


INVENTORY_DONE = "complete"
"""The cursor of an inventory that has been through the whole feed."""


def inventory_scope(cluster: str) -> str:
    """Return under which name it is kept how far the inventory of a cluster's repositories has come."""
    return f"{cluster}/trust/inventory"


def unexamined(event: Event, why: str) -> Event:
    """Return an update of which nothing more will be known."""
    return replace(event, details={**event.details, "examined": False, "unexamined": why})
