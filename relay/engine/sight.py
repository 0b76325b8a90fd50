"""What of a cluster can be seen: from single failures to one alert per cluster. No I/O, no clock."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pydantic import TypeAdapter

from relay.model.details import WatchFailing, WatchFailure
from relay.model.event import Subject, SubjectKind
from relay.model.observation import Condition, Failure, Report
from relay.model.severity import Severity

SIGHT = "sight"
"""The name of the watch that ``watch.failing`` belongs to."""

_ASK_REPLICAS = {"ping", "cluster_status"}
"""The watchers that hear MSR itself, replica by replica."""
_ASKS_NGINX = "nginx_status"
"""The watcher of a page that nginx can answer by itself, whatever has become of the MSR behind it."""

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Look:
    """The last look of one watcher at one source; ``failure`` None if it succeeded."""

    since: datetime
    failures: int = 0
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A look as it is kept across restarts."""

    watcher: str
    source: str
    since: datetime
    failures: int
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class _Memory:
    looks: list[_Seen]
    recovering: bool


_MEMORY = TypeAdapter(_Memory)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Sight:
    """Remembers, for one cluster, what could be read at the last look and what could not."""

    def __init__(self, cluster: str, threshold: int) -> None:
        self._cluster = cluster
        self._threshold = threshold
        self._looks: dict[_Key, _Look] = {}
        self._recovering = False
        self._written: str | None = None

    @classmethod
    def read(cls, cluster: str, threshold: int, text: str) -> "Sight":
        """Return what ``write`` wrote when the relay was last running."""
        sight = cls(cluster, threshold)
        for each in _MEMORY.validate_json(text).looks:
            sight._looks[each.watcher, each.source] = _Look(each.since, each.failures, each.failure)
        sight._recovering = _MEMORY.validate_json(text).recovering
        return sight

    def write(self) -> str:
        """Return what is known as a text that changes only when something of it does."""
        if self._written is None:
            self._written = self._text()
        return self._written

    def _text(self) -> str:
        looks = [
            # Of what can be read it does not matter since when; of failures, only whether they count.
            _Seen(watcher, source, _NEVER, 0, None)
            if look.failure is None
            else _Seen(watcher, source, look.since, min(look.failures, self._threshold), look.failure)
            for (watcher, source), look in sorted(self._looks.items())
        ]
        return _MEMORY.dump_json(_Memory(looks, self._recovering)).decode()

    def after(self, report: Report) -> "Sight":
        """Return what is known after a report; this object is not changed."""
        sight = self._copy(self._threshold)
        if report.idle:
            # What it once could read says nothing about now.
            for source in report.sources:
                sight._looks.pop((report.watch.watcher, source), None)
            return sight
        failed = {failure.source: failure for failure in report.failures}
        for source in report.sources:
            key = (report.watch.watcher, source)
            failure = failed.get(source)
            before = sight._looks.get(key)
            if failure is None:
                sight._looks[key] = _Look(report.at)
            elif before is None or before.failure is None:
                sight._looks[key] = _Look(report.at, 1, failure)
            else:
                sight._looks[key] = replace(before, failures=before.failures + 1, failure=failure)
        failing = any(look.failure is not None for look in sight._looks.values())
        sight._recovering = failing and (self._recovering or sight.whole)
        return sight

    def within(self, sources: Mapping[str, Collection[str]], threshold: int) -> "Sight":
        """Return what is known of what is still looked at; ``sources`` are those of each watcher."""
        sight = self._copy(threshold)
        for watcher, source in self._looks:
            if source not in sources.get(watcher, ()):
                del sight._looks[watcher, source]
        return sight

    def _copy(self, threshold: int) -> "Sight":
        sight = Sight(self._cluster, threshold)
        sight._looks = dict(self._looks)
        sight._recovering = self._recovering
        return sight

    def reads(self, watcher: str) -> bool:
        """Whether the last looks of a watcher could read everything that it looks at."""
        looks = [look for (each, _), look in self._looks.items() if each == watcher]
        return bool(looks) and all(look.failure is None for look in looks)

    @property
    def whole(self) -> bool:
        """Whether nothing of the cluster can be read, and not merely for a moment."""
        looks = self._looks.values()
        dark = bool(looks) and all(look.failure is not None and look.failure.dark for look in looks)
        return dark and any(look.failures >= self._threshold for look in looks)

    @property
    def internal_errors(self) -> bool:
        """Whether every replica that answers at all answers an internal server error, and not merely for a
        moment: what a cluster without quorum does (source: MSR's documentation)."""
        looks = [look for (watcher, _), look in self._looks.items() if watcher != _ASKS_NGINX]
        failures = [look.failure for look in looks if look.failure is not None]
        if len(failures) < len(looks) or not all(each.internal or each.silent for each in failures):
            return False
        return any(
            watcher in _ASK_REPLICAS
            and look.failure is not None
            and look.failure.internal
            and look.failures >= self._threshold
            for (watcher, _), look in self._looks.items()
        )

    def condition(self) -> Condition | None:
        """Return the one condition that says what cannot be read, None if everything can."""
        whole, internal_errors = self.whole, self.internal_errors
        failing = [
            WatchFailure(
                watcher=watcher,
                source=source,
                cause=look.failure.cause,
                since=look.since,
                failures=look.failures,
            )
            for (watcher, source), look in sorted(self._looks.items())
            if look.failure is not None and self._counts(source, look, look.failure)
        ]
        if not failing:
            return None
        what = "cannot be read" if whole else f"can be read only in part ({_watchers(failing)})"
        return Condition(
            type="watch.failing",
            identity=(),
            subject=Subject(SubjectKind.CLUSTER, self._cluster),
            summary=f"Cluster {self._cluster} {what}",
            details=WatchFailing(failing=failing, whole=whole, internal_errors=internal_errors).plain(),
            severity=Severity.CRITICAL if whole or internal_errors else None,
        )

    def _counts(self, source: str, look: _Look, failure: Failure) -> bool:
        if self._recovering:
            # After an outage of everything, what has not been read since is still part of it.
            return True
        if failure.covered or not (failure.at_once or look.failures >= self._threshold):
            return False
        # Where a replica's own ping says that it is gone, ping.failing tells it.
        return not any(
            other.failure is not None and other.failure.covered and other.failure.dark
            for (_, place), other in self._looks.items()
            if place == source
        )


def _watchers(failing: list[WatchFailure]) -> str:
    return ", ".join(sorted({item.watcher for item in failing}))
