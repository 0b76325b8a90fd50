"""Routing: which rules take an event, where it goes, and why not elsewhere. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from relay.engine.patterns import Patterns, severities
from relay.engine.rules import Rule
from relay.model.catalogue import CATALOGUE
from relay.model.event import Event, SubjectKind

Expression = Callable[[Event], bool]

OWN_RULE = "relay"
"""The name under which the relay's news about itself travels when no rule names its type."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way out for an event."""

    rule: str
    channel: str
    template: str | None = None
    after: timedelta = timedelta(0)
    on_resolve: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule said to an event: ``misses`` are the matchers that failed, empty for a match.

    ``reached`` is False below a rule that stopped the search; ``channels`` are those that this rule is
    the first to name.
    """

    rule: str
    misses: tuple[str, ...]
    reached: bool = True
    channels: tuple[str, ...] = ()


class _Matcher:
    """A rule, compiled."""

    def __init__(self, rule: Rule, when: Expression | None) -> None:
        match = rule.match
        self.rule = rule
        self.type = None if match.type is None else Patterns(match.type)
        self._cluster = None if match.cluster is None else Patterns(match.cluster)
        self._repository = None if match.repository is None else Patterns(match.repository, "/")
        self._replica = None if match.replica is None else Patterns(match.replica)
        self._severities = None if match.severity is None else severities(match.severity)
        self._labels = {name: Patterns(globs) for name, globs in match.labels.items()}
        self._when = when

    def misses(self, event: Event) -> Iterator[str]:
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
        if self._when is not None and not self._when(event):
            yield f"when: {self.rule.when} is false"

    def takes(self, event: Event) -> bool:
        """Tell whether the event matches."""
        return next(self.misses(event), None) is None


def _is_repository(event: Event) -> bool:
    return event.subject.kind is SubjectKind.REPOSITORY


def _repository_matches(patterns: Patterns, event: Event) -> bool:
    if not _is_repository(event):
        return False
    # A record without a readable name may concern any repository: better told once too often.
    return not event.subject.name or patterns.match(event.subject.name)


def _replicas(event: Event) -> tuple[str, ...]:
    own = (event.subject.name,) if event.subject.kind is SubjectKind.REPLICA else ()
    return own + event.subject.replicas


class Router:
    """The rules, ready to route. ``compile_when`` turns a rule's ``when`` into a function."""

    def __init__(
        self, rules: Sequence[Rule], channels: Iterable[str], compile_when: Callable[[str], Expression]
    ) -> None:
        self.channels = tuple(channels)
        self._matchers = [
            _Matcher(rule, None if rule.when is None else compile_when(rule.when)) for rule in rules
        ]

    def route(self, event: Event) -> list[Route]:
        """Return where the event goes: each channel at most once."""
        if _about_relay(event) and not self._names_type(event):
            return [Route(OWN_RULE, channel) for channel in self._others(event)]
        routes: dict[str, Route] = {}
        for matcher in self._matchers:
            if matcher.takes(event):
                rule = matcher.rule
                for channel in rule.channels:
                    routes.setdefault(
                        channel, Route(rule.name, channel, rule.template, rule.after, rule.on_resolve)
                    )
                if rule.stop:
                    break
        if _about_relay(event):
            allowed = self._others(event)
            return [route for route in routes.values() if route.channel in allowed]
        return list(routes.values())

    def explain(self, event: Event) -> list[Verdict]:
        """Return what every rule says to the event, in order."""
        verdicts: list[Verdict] = []
        named: set[str] = set()
        stopped = False
        for matcher in self._matchers:
            rule = matcher.rule
            misses = tuple(matcher.misses(event))
            takes = not misses and not stopped
            mine = tuple(channel for channel in rule.channels if takes and channel not in named)
            named.update(mine)
            verdicts.append(Verdict(rule.name, misses, not stopped, mine))
            stopped = stopped or (takes and rule.stop)
        return verdicts

    def _names_type(self, event: Event) -> bool:
        """Tell whether a rule says by type where this goes: then the rules decide, else every channel."""
        return any(
            matcher.type is not None
            and any(glob.strip("*") for glob in matcher.type.wanted)
            and matcher.type.match(event.type)
            for matcher in self._matchers
        )

    def _others(self, event: Event) -> list[str]:
        """Return all channels but the one in trouble: it could not tell of itself."""
        concerned = event.details.get("channel")
        return [channel for channel in self.channels if channel != concerned]


def _about_relay(event: Event) -> bool:
    kind = CATALOGUE.get(event.type)
    return kind is not None and kind.about_relay
