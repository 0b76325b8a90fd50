"""Deliveries and attempts: what is on its way to a channel, and how each try went."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Commands that only print a help text load this, and events bring pydantic.
    from relay.model.event import Event


class DeliveryState(StrEnum):
    """Where a delivery stands.

    ``pending``: to be sent when due. ``silenced``, ``inhibited`` (by a larger alert), ``muted`` (by its
    rule's times) and ``acknowledged``: held back; looked at again when due, unless it is finished.
    ``delivered``: every target has it. ``partial``: some targets have it, the others refused it for good.
    ``dead``: refused for good. ``held``: its channel is no longer configured. ``grouped``: told together
    with others by the delivery ``merged_into``. ``superseded``: there is nothing left to say; ``note`` says
    why.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    PARTIAL = "partial"
    DEAD = "dead"
    HELD = "held"
    SILENCED = "silenced"
    INHIBITED = "inhibited"
    MUTED = "muted"
    ACKNOWLEDGED = "acknowledged"
    GROUPED = "grouped"
    SUPERSEDED = "superseded"


HELD_BACK = frozenset(
    {DeliveryState.SILENCED, DeliveryState.INHIBITED, DeliveryState.MUTED, DeliveryState.ACKNOWLEDGED}
)
"""The states of what waits for something else than its receiver."""


class Reason(StrEnum):
    """Why something is told now.

    ``new``: it happened. ``repeat``: an alert still fires. ``escalation``: nobody has acknowledged it.
    ``group``: what a rule has gathered. ``digest``: what a channel has missed.
    """

    NEW = "new"
    REPEAT = "repeat"
    ESCALATION = "escalation"
    GROUP = "group"
    DIGEST = "digest"


class Outcome(StrEnum):
    """How an attempt, or one target of it, ended.

    ``delivered``; ``retry``: later may help; ``rejected``: this message will never be taken;
    ``refused``: the channel's configuration or credentials are refused, so every message would be;
    ``gone``: the receiver says that it no longer exists.
    """

    DELIVERED = "delivered"
    RETRY = "retry"
    REJECTED = "rejected"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way to one channel.

    ``id`` is what the receiver sees, the same on every attempt. ``events`` are the ids of what it tells,
    fixed once it was tried; ``more`` is how many further ones it only counts. ``thread`` ties it to the
    other deliveries about the same alert or group: within a channel they go out in the order of ``seq``.
    ``due_at`` is when to look at it next, ``ready_at`` when it could first have gone out. ``gathered``:
    it waits to be told with the others of its ``group`` (what they have in common); ``part`` of ``parts``
    where one message is too small for all of them. ``settled`` are the targets that need no further
    attempt. ``receipt`` is what the channel wants to remember of a sent message (Slack's ``ts``, say).
    ``note`` says why it is held back or was not sent.
    """

    id: str
    channel: str
    rule: str
    thread: str
    events: tuple[str, ...]
    created_at: datetime
    due_at: datetime
    state: DeliveryState = DeliveryState.PENDING
    template: str | None = None
    attempts: int = 0
    settled: tuple[str, ...] = ()
    delivered_to: tuple[str, ...] = ()
    receipt: Mapping[str, Any] | None = None
    replay_of: str | None = None
    last_error: str | None = None
    seq: int = 0
    ready_at: datetime | None = None
    finished_at: datetime | None = None
    reason: Reason = Reason.NEW
    gathered: bool = False
    group: Mapping[str, str] | None = None
    more: int = 0
    part: int = 1
    parts: int = 1
    merged_into: str | None = None
    note: str | None = None

    @property
    def waiting_since(self) -> datetime:
        """When it could first have gone out."""
        return self.ready_at or self.due_at

    @property
    def alone(self) -> bool:
        """Whether nothing else can be about the same thing: a one-off event outside of any group."""
        return self.thread in self.events


def tells(delivery: Delivery, told: Mapping[str, "Event"]) -> str:
    """Return in a few words what a delivery tells: its latest event, and how many more."""
    events = [told[id] for id in delivery.events if id in told]
    if not events:
        return "(its events are no longer kept)"
    last = events[-1]
    ended = " (resolved)" if last.status == "resolved" else ""
    count = len(events) + delivery.more
    return f"{last.summary}{ended}{f' (+{count - 1})' if count > 1 else ''}"


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """How an attempt ended for one target (a mail recipient, an Apprise URL)."""

    target: str
    outcome: Outcome
    status: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: when, how long in seconds, how it ended, and what was sent and answered (cut, redacted)."""

    delivery: str
    number: int
    at: datetime
    seconds: float
    outcome: Outcome
    status: int | None = None
    error: str | None = None
    answer: str = ""
    targets: tuple[TargetOutcome, ...] = ()
    body: str = ""
    plain: bool = False


class ChannelState(StrEnum):
    """Whether a channel takes messages.

    ``working``; ``failing``: its circuit is open after repeated failures, with a probe now and then;
    ``held``: the receiver refuses the credentials or the address, with a rare probe; ``disabled``: by
    the user, or because the receiver said that it is gone.
    """

    WORKING = "working"
    FAILING = "failing"
    HELD = "held"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """What is remembered of a channel across restarts.

    ``failures`` counts consecutive failed attempts; ``probe_at`` is when the next attempt may be made
    while it is failing or held; ``by`` is who disabled it.
    """

    channel: str
    state: ChannelState = ChannelState.WORKING
    since: datetime | None = None
    failures: int = 0
    reason: str = ""
    probe_at: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is handed to send: the rendered parts and what ties it to other messages.

    ``id`` is the delivery's. ``parts`` are the rendered templates by the names that the channel's kind
    declares. ``thread`` is the same for all messages about one alert; ``follows`` tells that the thread
    has earlier messages in this channel, and ``previous`` is the receipt of the first of them, if the
    channel left one. ``whole``: the thread is about nothing else, so that this may take the place of what was
    said before; a group's messages do not say all that the earlier ones did. ``settled`` are targets that
    must not be sent to again. ``at`` is the time of this attempt, ``timestamp`` the time of what happened.
    ``traceparent`` ties the receiver's own trace to the relay's (W3C), None where nothing is traced.
    """

    id: str
    type: str
    status: str
    severity: str
    timestamp: datetime
    at: datetime
    thread: str
    parts: Mapping[str, str]
    attempt: int = 1
    settled: frozenset[str] = frozenset()
    follows: bool = False
    previous: Mapping[str, Any] | None = None
    whole: bool = True
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What a channel says of a message that it sent (or, per target, could not send).

    ``retry_after`` (seconds) is how long a target that is to be tried again asks to be left alone.
    """

    status: int | None = None
    answer: str = ""
    targets: tuple[TargetOutcome, ...] = ()
    receipt: Mapping[str, Any] | None = field(default=None)
    retry_after: float | None = None
