"""What waits in the outbox, and what has to be known to send it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, literal_column, or_, select

from relay.model.delivery import Delivery, DeliveryState, Reason
from relay.model.event import Event, Status
from relay.store import rows
from relay.store.parts import parts
from relay.store.reads import read_events
from relay.store.schema import contents, deliveries, events

_MOST_TOGETHER = 5000
"""Deliveries that are looked at together; what is beyond is told with the next look."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries of one channel that may be told together, in order, and what one has to know for that.

    ``events`` are those that they tell, by id. ``told`` are the ids of the alerts of which the channel has
    been told, ``ended`` the events that tell the end of those that have ended.
    """

    deliveries: tuple[Delivery, ...]
    events: Mapping[str, Event]
    told: frozenset[str] = frozenset()
    ended: Mapping[str, Event] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is due, with the events that it tells.

    ``follows`` tells that the thread has an earlier message in this channel, and ``previous`` is the
    receipt of the first one that left one. ``waiting`` are this and the other unfinished deliveries of the
    thread; None for a one-off event, of which there are none.
    """

    delivery: Delivery
    events: tuple[Event, ...]
    follows: bool = False
    previous: dict[str, Any] | None = None
    waiting: Waiting | None = None


def due(
    connection: Connection, channel: str, now: datetime, limit: int, taken: Collection[int]
) -> list[Claim]:
    """Return deliveries of a channel that are due and not taken, in order.

    Of each thread only the earliest unfinished one: nothing overtakes within a thread.
    """
    ready = _first_open(channel).where(deliveries.c.due_at <= now).limit(limit + len(taken))
    found = (row.seq for row in connection.execute(ready))
    free = _read_deliveries(connection, list(islice((seq for seq in found if seq not in taken), limit)))
    threads = {each.thread for each in free if not each.alone}
    behind = _open_of_threads(connection, channel, threads)
    told = read_events(connection, {id for delivery in free for id in delivery.events})
    earlier = _earlier(connection, channel, threads)
    waiting = {
        thread: waiting_of(connection, channel, rows_of_thread) for thread, rows_of_thread in behind.items()
    }
    return [
        Claim(
            delivery,
            tuple(told[id] for id in delivery.events if id in told),
            follows=any(seq < delivery.seq for seq, _ in earlier.get(delivery.thread, ())),
            previous=_receipt(earlier.get(delivery.thread, ()), delivery.seq),
            waiting=waiting.get(delivery.thread),
        )
        for delivery in free
    ]


def backlog(connection: Connection, channel: str, rule: str, now: datetime) -> Waiting:
    """Return everything of a rule that is due in a channel, up to a bounded number."""
    query = (
        select(deliveries)
        .where(
            deliveries.c.channel == channel,
            deliveries.c.rule == rule,
            deliveries.c.finished_at.is_(None),
            deliveries.c.due_at <= now,
            deliveries.c.replay_of.is_(None),
        )
        .order_by(deliveries.c.seq)
        .limit(_MOST_TOGETHER)
    )
    found = [rows.read_delivery(row) for row in connection.execute(query).mappings()]
    return waiting_of(connection, channel, found)


def _open_of_threads(
    connection: Connection, channel: str, threads: Collection[str]
) -> dict[str, list[Delivery]]:
    """Return the unfinished deliveries of each thread in a channel, in order."""
    found: dict[str, list[Delivery]] = {}
    for part in parts(threads):
        query = (
            select(deliveries)
            .where(
                deliveries.c.channel == channel,
                deliveries.c.thread.in_(part),
                deliveries.c.finished_at.is_(None),
            )
            .order_by(deliveries.c.seq)
            .limit(_MOST_TOGETHER)
        )
        for row in connection.execute(query).mappings():
            found.setdefault(row["thread"], []).append(rows.read_delivery(row))
    return found


def waiting_of(connection: Connection, channel: str, found: Sequence[Delivery]) -> Waiting:
    """Return deliveries of a channel with what one has to know to tell them together."""
    told = read_events(connection, {id for delivery in found for id in delivery.events})
    about = {event.alert for event in told.values() if event.alert is not None}
    return Waiting(tuple(found), told, _told_of(connection, channel, about), _ends(connection, about))


def _told_of(connection: Connection, channel: str, about: Collection[str]) -> frozenset[str]:
    found: set[str] = set()
    for part in parts(about):
        query = (
            select(events.c.alert)
            .distinct()
            .join(contents, contents.c.event == events.c.id)
            .join(deliveries, deliveries.c.id == contents.c.delivery)
            .where(events.c.alert.in_(part), deliveries.c.channel == channel, deliveries.c.state.in_(_SENT))
        )
        found.update(connection.execute(query).scalars())
    return frozenset(found)


def _ends(connection: Connection, about: Collection[str]) -> dict[str, Event]:
    found: dict[str, Event] = {}
    for part in parts(about):
        query = select(events.c.alert, events.c.body).where(
            events.c.alert.in_(part), events.c.status == Status.RESOLVED
        )
        found.update((row.alert, Event.from_json(row.body)) for row in connection.execute(query))
    return found


def next_due(connection: Connection, channel: str, taken: Collection[int]) -> datetime | None:
    """Return when the next delivery that is not taken is due, None if there is none."""
    found = connection.execute(_first_open(channel).limit(1 + len(taken)))
    return next((row.due_at for row in found if row.seq not in taken), None)


_SENT: list[ColumnElement[str]] = [
    literal_column(f"'{state}'") for state in (DeliveryState.DELIVERED, DeliveryState.PARTIAL)
]


def _first_open(channel: str) -> Select[tuple[int, datetime]]:
    """Select (seq, due_at) of the first unfinished delivery of each thread, in order."""
    earlier, other = deliveries.alias("earlier"), deliveries.alias("other")
    overtakes = exists().where(
        earlier.c.channel == deliveries.c.channel,
        earlier.c.thread == deliveries.c.thread,
        earlier.c.seq < deliveries.c.seq,
        earlier.c.finished_at.is_(None),
        # One member of a group that is held back does not hold up the others.
        or_(~earlier.c.gathered, earlier.c.state == DeliveryState.PENDING),
        # Nor does a reminder hold up news before its time has come.
        or_(
            earlier.c.reason.not_in([Reason.REPEAT, Reason.ESCALATION]),
            earlier.c.attempts > 0,
            earlier.c.due_at <= deliveries.c.due_at,
        ),
    )
    # It is looked at with the others, if any of them is due: else both would be under way at once.
    is_taken_along = exists().where(
        other.c.channel == deliveries.c.channel,
        other.c.thread == deliveries.c.thread,
        other.c.finished_at.is_(None),
        other.c.state == DeliveryState.PENDING,
        other.c.due_at <= deliveries.c.due_at,
    )
    waits_aside = and_(deliveries.c.gathered, deliveries.c.state != DeliveryState.PENDING, is_taken_along)
    return (
        select(deliveries.c.seq, deliveries.c.due_at)
        .where(deliveries.c.channel == channel, deliveries.c.finished_at.is_(None), ~overtakes, ~waits_aside)
        .order_by(deliveries.c.due_at, deliveries.c.seq)
    )


def _read_deliveries(connection: Connection, seqs: list[int]) -> list[Delivery]:
    """Return the deliveries in the order of the given numbers."""
    found: dict[int, Delivery] = {}
    for part in parts(seqs):
        for row in connection.execute(select(deliveries).where(deliveries.c.seq.in_(part))).mappings():
            found[row["seq"]] = rows.read_delivery(row)
    return [found[seq] for seq in seqs if seq in found]


_Sent = list[tuple[int, dict[str, Any] | None]]


def _earlier(connection: Connection, channel: str, threads: Collection[str]) -> dict[str, _Sent]:
    """Return, by thread, the seq and receipt of what was delivered in it, the first one first."""
    found: dict[str, _Sent] = {}
    for part in parts(threads):
        query = (
            select(deliveries.c.thread, deliveries.c.seq, deliveries.c.receipt)
            .where(
                deliveries.c.channel == channel,
                deliveries.c.thread.in_(part),
                deliveries.c.state.in_(_SENT),
            )
            .order_by(deliveries.c.thread, deliveries.c.seq)
        )
        for thread, seq, receipt in connection.execute(query):
            found.setdefault(thread, []).append((seq, rows.load(receipt)))
    return found


def _receipt(sent: _Sent | tuple[()], before: int) -> dict[str, Any] | None:
    return next((receipt for seq, receipt in sent if seq < before and receipt is not None), None)


def count_waiting(connection: Connection, channel: str) -> int:
    """Return how many deliveries of a channel are pending."""
    query = select(func.count()).where(
        deliveries.c.channel == channel,
        deliveries.c.finished_at.is_(None),
        deliveries.c.state == DeliveryState.PENDING,
    )
    return connection.execute(query).scalar_one()
