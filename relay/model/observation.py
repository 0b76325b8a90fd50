"""What watchers report: plain observations, from which intake makes events and alerts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from relay.model.event import Event, Subject
from relay.model.severity import Severity
from relay.model.trust import Head, Kept, Snapshot


@dataclass(frozen=True, slots=True)
class Watch:
    """Which watcher of which cluster; ``cluster`` is None for the relay watching itself."""

    cluster: str | None
    watcher: str

    def __str__(self) -> str:
        return f"{self.cluster or 'relay'}/{self.watcher}"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened once. ``identity`` is what makes it this fact and no other.

    ``channels``, if there are any, are where it goes, whatever the rules say.
    """

    type: str
    identity: tuple[str, ...]
    subject: Subject
    summary: str
    happened_at: datetime
    details: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that holds now and may cease to hold.

    ``identity`` are the labels of its fingerprint; never a free text. ``source`` is the part of the
    watch that shows it (a replica, a repository), empty when any of them may: a condition that is no
    longer shown ends only if its source could be read. ``severity`` None means the type's default.
    ``looks`` is how many looks in a row must show it before it counts. ``labels`` and ``annotations`` are
    its own, where it came with some: those of its cluster are added, and the cluster's labels count.
    """

    type: str
    identity: tuple[str, ...]
    subject: Subject
    summary: str
    details: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity | None = None
    source: str = ""
    looks: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """A source that could not be read, and why, in words for an operator.

    ``dark`` tells that nothing readable came back at all, as opposed to a refusal of this one request.
    ``at_once`` means that trying again will not help: it is told at the first time. ``covered`` means
    that an alert of its own tells it, so that it counts only when nothing at all can be read.
    ``retry_after`` is for how many seconds the source asks to be left alone. ``silent`` tells that no answer
    came at all, ``internal`` that an internal server error did: what MSR answers without quorum.
    """

    source: str
    cause: str
    dark: bool = False
    at_once: bool = False
    covered: bool = False
    retry_after: float | None = None
    silent: bool = False
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """How the last look of a watcher went, for whoever asks whether the relay sees anything.

    ``began`` is when it began, in seconds of the clock that never goes back, and ``at`` when it ended; None
    if there was none. ``unread`` are those of its ``sources`` that could not be read then, and why.
    """

    watch: Watch
    sources: tuple[str, ...]
    began: float | None = None
    at: datetime | None = None
    unread: Mapping[str, str] = field(default_factory=dict)

    def saw_since(self, moment: float) -> bool:
        """Tell whether it began after a moment (monotonic seconds) and could read anything at all."""
        blind = bool(self.sources) and all(source in self.unread for source in self.sources)
        return self.began is not None and self.began >= moment and not blind


@dataclass(frozen=True, slots=True)
class CursorMove:
    """How far a watch has read one scope: compare-and-set on ``before`` (None: there was none)."""

    scope: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Report:
    """One look of one watcher.

    ``conditions`` are all that hold in the ``sources`` that were asked, less those in ``failures``.
    ``complete`` is False for a look in the middle of a longer reading (a page of many): it tells facts
    and moves the cursor, but says nothing about conditions. ``undecided`` are types of conditions that this
    look cannot judge, such as whether answers agree of which one is missing: what it does not show of them
    has not ended.

    ``idle`` tells that nothing was asked: then nothing is known of what can be read.
    ``events`` are some that waited to be examined, as they are to be told now; ``kept`` is what is kept of
    the repositories that were examined, ``snapshots`` what was found there; ``inventory`` are records of
    repositories that were not known.
    """

    watch: Watch
    at: datetime
    sources: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()
    facts: tuple[Fact, ...] = ()
    failures: tuple[Failure, ...] = ()
    cursor: CursorMove | None = None
    complete: bool = True
    undecided: frozenset[str] = frozenset()
    events: tuple[Event, ...] = ()
    kept: tuple[Kept, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    inventory: tuple[Head, ...] = ()
    idle: bool = False
