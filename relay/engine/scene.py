"""What holds at the moment at which a message is to be sent. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from relay.engine.matching import Matchable, Matcher
from relay.engine.rules import Match, Rule
from relay.model.alert import Alert
from relay.model.silence import Acknowledgement, Silence


class Silences:
    """The silences that are of interest, compiled."""

    def __init__(self, found: Iterable[Silence] = ()) -> None:
        self.all: Sequence[Silence] = tuple(found)
        self._compiled = [(each, Matcher(Match.model_validate(dict(each.matchers)))) for each in self.all]

    def matching(self, about: Matchable) -> list[Silence]:
        """Return the silences that speak of this, whether they hold or not."""
        return [each for each, matcher in self._compiled if matcher.takes(about)]

    def holding(self, about: Matchable, at: datetime) -> Silence | None:
        """Return the silence that keeps this from being sent at a time: the one that lasts longest."""
        found = [each for each, matcher in self._compiled if holds(each, at) and matcher.takes(about)]
        return max(found, key=lambda silence: silence.ends_at, default=None)


def holds(silence: Silence, at: datetime) -> bool:
    """Tell whether a silence holds at a time."""
    return silence.starts_at <= at < silence.ends_at


class Standing(StrEnum):
    """How a silence stands: it holds, is ahead of its beginning, or has ended; a recurring one may pause."""

    HOLDS = "holds"
    AHEAD = "ahead"
    PAUSED = "paused"
    ENDED = "ended"


def standing(silence: Silence, at: datetime) -> Standing:
    """Return how a silence stands at a time."""
    if at >= silence.ends_at:
        return Standing.ENDED
    if at < silence.starts_at:
        return Standing.AHEAD
    return Standing.HOLDS if holds(silence, at) else Standing.PAUSED


def until(silence: Silence, at: datetime, within: timedelta) -> datetime:
    """Return when a silence that holds ceases to, or the time up to which it was looked: ``within``."""
    return min(silence.ends_at, at + within)


@dataclass(frozen=True, slots=True)
class Scene:
    """Open alerts by id, silences, acknowledgements by thread, rules by name."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    silences: Silences = field(default_factory=Silences)
    acknowledged: Mapping[str, Acknowledgement] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)

    def acknowledgement(self, thread: str, at: datetime) -> Acknowledgement | None:
        """Return the acknowledgement of an alert or event that holds at a time."""
        found = self.acknowledged.get(thread)
        return found if found is not None and found.holds(at) else None
