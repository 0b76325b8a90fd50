"""Inhibition: a larger alert covers smaller ones. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from relay.engine.matching import Matcher
from relay.engine.rules import Match
from relay.model.alert import Alert, AlertState
from relay.model.catalogue import stands_for
from relay.model.hook_types import posted


class InhibitRule(BaseModel):
    """While an alert that matches ``source`` fires, those that match ``target`` are not told."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    source: Match = Field(description="the larger alert")
    target: Match = Field(
        description="what it covers; one-off events, trust.mass_deletion and ends are told all the same"
    )
    equal: Annotated[
        list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
    ] = Field(
        default_factory=lambda: ["cluster"],
        description="what both must have in common: cluster, replica, or the name of a label",
    )


@dataclass(frozen=True, slots=True)
class Inhibition:
    """One way in which alerts cover others; ``rule`` is what it was made of, None for what always holds."""

    source: Callable[[Alert], bool]
    target: Callable[[Alert], bool]
    equal: Sequence[str] = ("cluster",)
    rule: InhibitRule | None = None

    @classmethod
    def of(cls, rule: InhibitRule) -> "Inhibition":
        """Return what a rule of the configuration says."""
        return cls(Matcher(rule.source).takes, Matcher(rule.target).takes, tuple(rule.equal), rule)

    def covers(self, source: Alert, target: Alert) -> bool:
        """Tell whether the one covers the other."""
        return (
            source.id != target.id
            and self.source(source)
            and self.target(target)
            and all(_value(source, word) == _value(target, word) for word in self.equal)
        )


def _value(alert: Alert, word: str) -> object:
    if word == "cluster":
        return alert.cluster
    if word == "replica":
        return alert.subject.replicas or alert.subject.name
    return alert.labels.get(word, "")


def _dark(alert: Alert) -> bool:
    return alert.type == "watch.failing" and bool(alert.details.get("whole"))


UNREACHABLE = Inhibition(_dark, lambda alert: alert.cluster is not None and not posted(alert.type))
"""What always holds: a cluster of which nothing can be read covers every other alert of that cluster that the
relay reads there itself. What others post is news all the same."""


class Inhibitions:
    """All ways in which alerts cover others."""

    def __init__(self, rules: Iterable[InhibitRule] = ()) -> None:
        self._all = (UNREACHABLE, *map(Inhibition.of, rules))

    def is_source(self, alert: Alert) -> bool:
        """Tell whether the alert may cover others."""
        return any(each.source(alert) for each in self._all)

    def covered(self, alert: Alert, open_alerts: Iterable[Alert]) -> bool:
        """Tell whether any of the alerts that fire covers this one."""
        mine = self._about(alert)
        return bool(mine) and any(
            each.covers(other, alert)
            for other in open_alerts
            if other.state is AlertState.FIRING
            for each in mine
        )

    def ways(self, alert: Alert, open_alerts: Iterable[Alert]) -> list[tuple[Inhibition, list[Alert]]]:
        """Return every way in which the alert could be covered, each with the alerts that do cover it so."""
        firing = [each for each in open_alerts if each.state is AlertState.FIRING]
        return [
            (each, [other for other in firing if each.covers(other, alert)]) for each in self._about(alert)
        ]

    def _about(self, alert: Alert) -> list[Inhibition]:
        # What stands for one-off events is told as they are: whatever else is wrong.
        return [] if stands_for(alert.type) else [each for each in self._all if each.target(alert)]
