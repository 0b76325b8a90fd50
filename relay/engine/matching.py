"""Matching: whether an event is what a rule, a silence or an inhibition speaks of. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from relay.engine.rules import Match
from relay.model.event import Subject, SubjectKind
from relay.model.patterns import Patterns, severities
from relay.model.severity import Severity


class Matchable(Protocol):
    """What can be matched: an event, or an alert."""

    @property
    def type(self) -> str:
        """The event type."""

    @property
    def cluster(self) -> str | None:
        """The cluster, None for what the relay tells of itself."""

    @property
    def severity(self) -> Severity:
        """How bad it is."""

    @property
    def subject(self) -> Subject:
        """What it is about."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels."""


class Matcher:
    """What an event must be like, compiled."""

    def __init__(self, match: Match) -> None:
        self.type = None if match.type is None else Patterns(match.type)
        self._cluster = None if match.cluster is None else Patterns(match.cluster)
        self._repository = None if match.repository is None else Patterns(match.repository, "/")
        self._replica = None if match.replica is None else Patterns(match.replica)
        self._severities = None if match.severity is None else severities(match.severity)
        self._labels = {name: Patterns(globs) for name, globs in match.labels.items()}

    def misses(self, event: Matchable) -> Iterator[str]:
        """Say what keeps the event out, one matcher at a time."""
        if self.type is not None and not self.type.match(event.type):
            yield f"type is {event.type}"
        if self._cluster is not None and not self._cluster.match(event.cluster or ""):
            yield f"cluster is {event.cluster or 'none'}"
        if self._repository is not None and not _repository_matches(self._repository, event):
            yield f"repository is {event.subject.name if _is_repository(event) else 'none'}"
        if self._replica is not None and not self._replica.match_any(_replicas(event)):
            yield f"replica is {', '.join(_replicas(event)) or 'none'}"
        if self._severities is not None and event.severity not in self._severities:
            yield f"severity is {event.severity}"
        for name, patterns in self._labels.items():
            if not patterns.match(event.labels.get(name, "")):
                yield f"label {name} is {event.labels.get(name) or 'not set'}"

    def takes(self, event: Matchable) -> bool:
        """Tell whether the event matches: whether nothing keeps it out."""
        # Said without the words of `misses`: this is asked of every event.
        return (
            (self._severities is None or event.severity in self._severities)
            and (self.type is None or self.type.match(event.type))
            and (self._cluster is None or self._cluster.match(event.cluster or ""))
            and (self._repository is None or _repository_matches(self._repository, event))
            and (self._replica is None or self._replica.match_any(_replicas(event)))
            and (
                not self._labels
                or all(patterns.match(event.labels.get(name, "")) for name, patterns in self._labels.items())
            )
        )


def _is_repository(event: Matchable) -> bool:
    return event.subject.kind is SubjectKind.REPOSITORY


def _repository_matches(patterns: Patterns, event: Matchable) -> bool:
    if not _is_repository(event):
        return False
    # A record without a readable name may concern any repository: better told once too often.
    return not event.subject.name or patterns.match(event.subject.name)


def _replicas(event: Matchable) -> tuple[str, ...]:
    own = (event.subject.name,) if event.subject.kind is SubjectKind.REPLICA else ()
    return own + event.subject.replicas


def words(matchers: Mapping[str, Any]) -> str:
    """Return what is matched in the words of a rule: `type: trust.*, cluster: prod`."""
    flat = {name: value for name, value in matchers.items() if name != "labels" and value is not None}
    flat |= {f"labels.{name}": value for name, value in matchers.get("labels", {}).items()}
    return ", ".join(f"{name}: {either(value)}" for name, value in flat.items())


def either(value: Any) -> str:
    """Return the values of one matcher, of which any will do, in words."""
    return " or ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
