"""What the configuration says about types of events and about clusters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from relay.engine.intervals import TimeInterval
from relay.engine.keeping import Keeping
from relay.model.catalogue import CATALOGUE
from relay.model.severity import Severity


@dataclass(frozen=True, slots=True)
class Flap:
    """An alert flaps if it fires or resolves more than ``changes`` times within ``within``, until nothing has
    changed for ``within``."""

    changes: int = 6
    within: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Damping:
    """``hold``: how long a condition must hold before its alert fires; ``keep``: how long it must be gone
    before the alert resolves; ``flap``: when it changes too often to tell each time, None for never."""

    hold: timedelta = timedelta(0)
    keep: timedelta = timedelta(0)
    flap: Flap | None = Flap()

    @property
    def window(self) -> timedelta:
        """How long a change counts for flapping; zero where flapping is off."""
        return timedelta(0) if self.flap is None else self.flap.within


@dataclass(frozen=True, slots=True)
class Mass:
    """Deletions of trust data are a mass deletion from the ``count``-th ``within`` this time on, counted for
    the whole cluster or each namespace by itself. What comes then is told every ``update``."""

    count: int = 5
    within: timedelta = timedelta(minutes=10)
    per: Literal["cluster", "namespace"] = "cluster"
    update: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class About:
    """What the configuration says of a cluster, for whoever reads its messages."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """Damping and severities per event type, labels and annotations per cluster.

    ``failures`` is how many looks in a row must fail before something counts as unreadable. ``keeping`` says
    which trust data is examined, in clusters where any is; ``change_windows`` when deleting some is expected,
    in clusters that have such times; ``mass`` what a mass deletion is, in clusters that tell of one.
    """

    damping: Mapping[str, Damping] = field(default_factory=dict)
    severities: Mapping[str, Severity] = field(default_factory=dict)
    clusters: Mapping[str, About] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    keeping: Mapping[str, Keeping] = field(default_factory=dict)
    change_windows: Mapping[str, Sequence[TimeInterval]] = field(default_factory=dict)
    mass: Mapping[str, Mass] = field(default_factory=dict)

    def severity(self, type_name: str, observed: Severity | None) -> Severity:
        """Return the severity of an event: what the user says, else what was observed, else the default."""
        return self.severities.get(type_name) or observed or CATALOGUE[type_name].severity

    def damp(self, type_name: str) -> Damping:
        """Return the damping of an alert type: what the user says, else the type's own."""
        said = self.damping.get(type_name)
        if said is not None:
            return said
        kind = CATALOGUE.get(type_name)
        return Damping() if kind is None else Damping(kind.hold)

    @property
    def memory(self) -> timedelta:
        """How long the changes of alerts that have resolved must be remembered, whatever their type."""
        return max(Damping().window, *(each.window for each in self.damping.values()), timedelta(0))

    def about(self, cluster: str | None) -> About:
        """Return the labels and annotations of a cluster."""
        return self.clusters.get(cluster or "", About())

    def failures_of(self, cluster: str | None) -> int:
        """Return how many looks in a row must fail."""
        return self.failures.get(cluster or "", 3)
