"""What should have been told, and what was: the demonstration's accounts."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from relay.model.clock import Clock


@dataclass(frozen=True, slots=True)
class Received:
    """One message as its receiver understood it. ``at`` is monotonic, in seconds."""

    channel: str
    type: str
    status: str
    text: str
    at: float
    verified: bool = True
    """Whether its signature was right, or its way encrypted; the terminal has neither."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something that MSR shows and that has to be told once to each of some channels."""

    type: str
    status: str
    subject: str
    channels: tuple[str, ...]

    def is_told_by(self, message: Received) -> bool:
        """Tell whether a message says this."""
        return (
            message.channel in self.channels
            and (message.type, message.status) == (self.type, self.status)
            and self.subject in message.text
        )


@dataclass(slots=True)
class Step:
    """Something that was done to the cluster, at a monotonic time, and what has to be told of it."""

    what: str
    at: float
    due: tuple[Due, ...]
    told: dict[tuple[Due, str], float] = field(default_factory=dict)
    """When a channel was told, in seconds since the step."""

    @property
    def missing(self) -> list[tuple[Due, str]]:
        """Return what was not told to whom."""
        return [(due, name) for due in self.due for name in due.channels if (due, name) not in self.told]


class Ledger:
    """Keeps the accounts; messages may come before, while and after they are waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        self.steps: list[Step] = []
        self.received: list[Received] = []
        self.doubled: list[Received] = []
        self.unexpected: list[Received] = []

    def expect(self, what: str, due: Iterable[Due]) -> Step:
        """Note that something is done now."""
        step = Step(what, self._clock.monotonic(), tuple(due))
        self.steps.append(step)
        return step

    def take(self, message: Received) -> None:
        """Note a message: it tells something that is due, or it is one too many."""
        self.received.append(message)
        known = [(step, due) for step in self.steps for due in step.due if due.is_told_by(message)]
        for step, due in known:
            if (due, message.channel) not in step.told:
                step.told[due, message.channel] = message.at - step.at
                break
        else:
            (self.doubled if known else self.unexpected).append(message)
        self._changed.set()

    async def settled(self, step: Step, seconds: float) -> bool:
        """Wait until everything of a step is told, at most so many seconds; tell whether it is."""
        end = self._clock.monotonic() + seconds
        while step.missing:
            self._changed.clear()
            if not await self._clock.wait(self._changed, max(0.0, end - self._clock.monotonic())):
                break
        return not step.missing

    @property
    def lost(self) -> list[tuple[Due, str]]:
        """Return what was never told to whom."""
        return [each for step in self.steps for each in step.missing]

    @property
    def unverified(self) -> list[Received]:
        """Return the messages whose signature was wrong, or that came unencrypted."""
        return [message for message in self.received if not message.verified]

    @property
    def is_right(self) -> bool:
        """Whether everything was told once, to the right ones, and nothing else."""
        return not (self.lost or self.doubled or self.unexpected or self.unverified)

    def counts(self, channels: Collection[str]) -> dict[str, int]:
        """Return how many messages each channel got."""
        counter = Counter(message.channel for message in self.received)
        return {name: counter[name] for name in channels}
