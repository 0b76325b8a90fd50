"""What holds at the moment at which a message is to be sent. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from relay.engine.index import Index
from relay.engine.intervals import TimeInterval, Times, contains_any, muted, muted_until, next_change
from relay.engine.matching import Matchable, Matcher
from relay.engine.rules import Match, Rule
from relay.model.alert import Alert
from relay.model.silence import Acknowledgement, Silence


class Silences:
    """The silences that are of interest, compiled."""

    def __init__(self, found: Iterable[Silence] = ()) -> None:
        self.all: Sequence[Silence] = tuple(found)
        self._compiled = [_Compiled(each) for each in self.all]
        self._index = Index(each.match for each in self._compiled)

    def matching(self, about: Matchable) -> list[Silence]:
        """Return the silences that speak of this, whether they hold or not."""
        return [each.silence for each in self._speaking(about)]

    def holding(self, about: Matchable, at: datetime) -> Silence | None:
        """Return the silence that keeps this from being sent at a time: the one that lasts longest."""
        found = [each for each in self._speaking(about) if each.holds(at)]
        latest = max(found, key=lambda each: each.until(at, _DAY), default=None)
        return None if latest is None else latest.silence

    def holds(self, silence: Silence, at: datetime) -> bool:
        """Tell whether one of these silences holds at a time."""
        return any(each.holds(at) for each in self._compiled if each.silence.id == silence.id)

    def until(self, silence: Silence, at: datetime, within: timedelta) -> datetime:
        """Return when one of these that holds ceases to; at most ``within`` from ``at``."""
        return next(each.until(at, within) for each in self._compiled if each.silence.id == silence.id)

    def _speaking(self, about: Matchable) -> list["_Compiled"]:
        found = (self._compiled[place] for place in self._index.may_take(about))
        return [each for each in found if each.matcher.takes(about)]


_DAY = timedelta(days=1)


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
    return Standing.HOLDS if _Compiled(silence).holds(at) else Standing.PAUSED


class _Compiled:
    """A silence, ready to be asked. Raises ValidationError for one that cannot be used."""

    def __init__(self, silence: Silence) -> None:
        self.silence = silence
        self.match = Match.model_validate(dict(silence.matchers))
        self.matcher = Matcher(self.match)
        self._intervals = [TimeInterval.model_validate(dict(each)) for each in silence.intervals]

    def holds(self, at: datetime) -> bool:
        """Tell whether it holds at a time."""
        within = self.silence.starts_at <= at < self.silence.ends_at
        return within and (not self._intervals or contains_any(self._intervals, at))

    def until(self, at: datetime, within: timedelta) -> datetime:
        """Return when it ceases to hold; at most ``within`` from ``at``."""
        change = next_change(self._intervals, at, within) if self._intervals else None
        return min(self.silence.ends_at, change or at + within)


@dataclass(frozen=True, slots=True)
class Scene:
    """Open alerts by id, silences, acknowledgements by thread, rules by name, time intervals by name."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    silences: Silences = field(default_factory=Silences)
    acknowledged: Mapping[str, Acknowledgement] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    times: Times = field(default_factory=dict)

    def acknowledgement(self, thread: str, at: datetime) -> Acknowledgement | None:
        """Return the acknowledgement of an alert or event that holds at a time."""
        found = self.acknowledged.get(thread)
        return found if found is not None and found.holds(at) else None

    def muted_until(self, rule: str, at: datetime, within: timedelta) -> datetime | None:
        """Return until when a rule is muted, at most ``within`` from ``at``; None if it is not."""
        known = self.rules.get(rule)
        if known is None or not muted(known, self.times, at):
            return None
        return muted_until(known, self.times, at, within)
