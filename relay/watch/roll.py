"""Which replicas a cluster has: the mentioned ones, and those that it had and no longer mentions."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from relay.model.observation import Watch


def roll_scope(watch: Watch) -> str:
    """Return under which name the store keeps which replicas a watcher has seen."""
    return f"{watch}/replicas"


class Roll:
    """Which replicas the cluster had, and since when some are missing."""

    def __init__(self, present: Iterable[str] = (), absent: Mapping[str, datetime] | None = None) -> None:
        self.present = frozenset(present)
        self.absent = dict(absent or {})

    @classmethod
    def read(cls, text: str | None) -> "Roll":
        """Return the roll that ``write`` wrote; an empty one for None."""
        if text is None:
            return cls()
        data = json.loads(text)
        absent = {name: datetime.fromisoformat(since) for name, since in data["absent"].items()}
        return cls(data["present"], absent)

    def write(self) -> str:
        """Return the roll as a text."""
        absent = {name: since.isoformat() for name, since in sorted(self.absent.items())}
        return json.dumps({"present": sorted(self.present), "absent": absent})

    def call(self, mentioned: Iterable[str], now: datetime, forget: timedelta) -> "Roll":
        """Return the roll after the cluster has mentioned these replicas."""
        present = frozenset(mentioned)
        absent = dict.fromkeys(self.present - present, now)
        absent.update(
            (name, since)
            for name, since in self.absent.items()
            if name not in present and now - since < forget
        )
        return Roll(present, absent)
