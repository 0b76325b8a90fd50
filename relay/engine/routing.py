"""Routing: which rules take an event, where it goes, and why not elsewhere. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from relay.engine.index import Index
from relay.engine.matching import Matcher
from relay.engine.rules import GroupOptions, Rule
from relay.model.catalogue import CATALOGUE
from relay.model.delivery import Reason
from relay.model.event import Event

Expression = Callable[[Event], bool]

OWN_RULE = "relay"
"""The name under which the relay's news about itself travels when no rule names its type."""


@dataclass(frozen=True, slots=True)
class Route:
    """One way out for an event: at once or ``after`` a while; ``step`` is the number of an escalation's."""

    rule: str
    channel: str
    template: str | None = None
    after: timedelta = timedelta(0)
    on_resolve: bool = True
    group: GroupOptions | None = None
    reason: Reason = Reason.NEW
    step: int = 0


def _route(rule: Rule, channel: str) -> Route:
    return Route(rule.name, channel, rule.template, rule.after, rule.on_resolve, rule.group)


def _escalations(rule: Rule) -> Iterator[Route]:
    for number, step in enumerate(rule.escalate, 1):
        for channel in step.channels:
            yield Route(
                rule.name,
                channel,
                rule.template,
                step.after,
                rule.on_resolve,
                reason=Reason.ESCALATION,
                step=number,
            )


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


class _Compiled:
    """A rule, compiled."""

    def __init__(self, rule: Rule, when: Expression | None) -> None:
        self.rule = rule
        self.matcher = Matcher(rule.match)
        self.routes = tuple(_route(rule, channel) for channel in rule.channels)
        self.escalations = tuple(_escalations(rule))
        self._when = when

    def misses(self, event: Event) -> Iterator[str]:
        """Say what keeps the event out, one matcher at a time."""
        yield from self.matcher.misses(event)
        if self._when is not None and not self._when(event):
            yield f"when: {self.rule.when} is false"

    def takes(self, event: Event) -> bool:
        """Tell whether the event matches."""
        return self.matcher.takes(event) and (self._when is None or self._when(event))


class Router:
    """The rules, ready to route. ``compile_when`` turns a rule's ``when`` into a function."""

    def __init__(
        self, rules: Sequence[Rule], channels: Iterable[str], compile_when: Callable[[str], Expression]
    ) -> None:
        self.channels: Collection[str] = dict.fromkeys(channels).keys()
        self.rules = {rule.name: rule for rule in rules}
        self._compiled = [
            _Compiled(rule, None if rule.when is None else compile_when(rule.when)) for rule in rules
        ]
        self._index = Index(rule.match for rule in rules)
        self._named: dict[str, bool] = {}

    def route(self, event: Event) -> list[Route]:
        """Return where the event goes: each channel at most once, and then who hears of it by escalation."""
        own = _about_relay(event)
        if own and not self._names_type(event):
            return [Route(OWN_RULE, channel) for channel in self._others(event)]
        routes: dict[str, Route] = {}
        escalations: list[Route] = []
        for place in self._index.may_take(event):
            compiled = self._compiled[place]
            if compiled.takes(event):
                for route in compiled.routes:
                    routes.setdefault(route.channel, route)
                escalations += compiled.escalations
                if compiled.rule.stop:
                    break
        if own:
            allowed = self._others(event)
            return [route for route in (*routes.values(), *escalations) if route.channel in allowed]
        return [*routes.values(), *escalations]

    def explain(self, event: Event) -> list[Verdict]:
        """Return what every rule says to the event, in order."""
        verdicts: list[Verdict] = []
        named: set[str] = set()
        stopped = False
        for compiled in self._compiled:
            rule = compiled.rule
            misses = tuple(compiled.misses(event))
            takes = not misses and not stopped
            mine = tuple(channel for channel in rule.channels if takes and channel not in named)
            named.update(mine)
            verdicts.append(Verdict(rule.name, misses, not stopped, mine))
            stopped = stopped or (takes and rule.stop)
        return verdicts

    def _names_type(self, event: Event) -> bool:
        """Tell whether a rule says by type where this goes: then the rules decide, else every channel."""
        if event.type not in self._named:
            self._named[event.type] = any(
                type_of is not None
                and any(glob.strip("*") for glob in type_of.wanted)
                and type_of.match(event.type)
                for type_of in (each.matcher.type for each in self._compiled)
            )
        return self._named[event.type]

    def _others(self, event: Event) -> list[str]:
        """Return all channels but the one in trouble: it could not tell of itself."""
        concerned = event.details.get("channel")
        return [channel for channel in self.channels if channel != concerned]


def _about_relay(event: Event) -> bool:
    kind = CATALOGUE.get(event.type)
    return kind is not None and kind.about_relay
