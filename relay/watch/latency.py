"""How long a replica usually takes to answer, learnt from its answers, and whether it is slow now. Pure."""

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

LEARNT = 60
"""Answers from which what is usual is learnt before anything is called slow."""
_MEMORY = 360
"""The weight of an answer in the baseline is one in so many: an hour, if replicas are asked every 10 s."""
_RECENT = 5
"""Answers whose median is what holds now: single slow ones, as after a break of the network, are none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is slow: more than ``factor`` times the baseline, and more than ``least`` seconds."""

    factor: float
    least: float

    def of(self, baseline: float) -> float:
        """Return the seconds beyond which an answer is slow."""
        return max(self.factor * baseline, self.least)


@dataclass(slots=True)
class Latency:
    """The latency of one replica, in seconds.

    The baseline is exponentially weighted. It is frozen while the replica is slow: else what is bad would
    become what is usual. ``slow`` is how long an answer took when that began, None if it is not slow.
    """

    baseline: float = 0.0
    answers: int = 0
    """From how many the baseline was learnt; counted up to the memory."""
    slow: float | None = None
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def take(self, seconds: float, limits: Limits) -> None:
        """Take how long an answer took. It ends being slow half way back to the baseline."""
        self._recent.append(seconds)
        now = median(self._recent)
        limit = limits.of(self.baseline)
        known = len(self._recent) == _RECENT and self.answers >= LEARNT
        if self.slow is not None:
            if known and now < (limit + self.baseline) / 2:
                self.slow = None
        elif known and now > limit:
            self.slow = now
        if self.slow is None:
            self._learn(now)

    def _learn(self, seconds: float) -> None:
        self.answers = min(self.answers + 1, _MEMORY)
        self.baseline += (seconds - self.baseline) / self.answers


class Latencies:
    """The latencies of a cluster's replicas, by name."""

    def __init__(self, names: Iterable[str], known: Mapping[str, Latency] | None = None) -> None:
        self._latencies = {name: (known or {}).get(name) or Latency() for name in names}

    @classmethod
    def read(cls, text: str | None, names: Iterable[str]) -> "Latencies":
        """Return what ``write`` wrote, as far as it is about these replicas; nothing is known for None."""
        written = {} if text is None else json.loads(text)
        return cls(names, {name: Latency(*values) for name, values in written.items()})

    def write(self) -> str:
        """Return baselines, counts and what is slow as a text; the latest answers are not kept."""
        kept = {
            name: (round(each.baseline, 6), each.answers, each.slow)
            for name, each in sorted(self._latencies.items())
        }
        return json.dumps(kept)

    def of(self, name: str) -> Latency:
        """Return the latency of one replica."""
        return self._latencies[name]

    @property
    def slow(self) -> frozenset[str]:
        """The names of the replicas that are slow now."""
        return frozenset(name for name, each in self._latencies.items() if each.slow is not None)
