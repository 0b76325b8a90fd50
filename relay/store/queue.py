"""What waits in the outbox, and what has to be known to send it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    Table,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from relay.model.delivery import Delivery, DeliveryState
from relay.model.event import Event, Status
from relay.store import rows
from relay.store.many import among
from relay.store.parts import parts
from relay.store.reads import read_events
from relay.store.schema import contents, deliveries, events

MOST_COUNTED = 10_000
"""Deliveries that wait are counted up to here: what is sent meanwhile waits for it."""
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
    """Return deliveries of a channel that are due, in order: of each thread the first, unless one is taken.

    Fewer than ``limit`` if what waits with them would be too much to look at together.
    """
    asked = {"channel": channel, "taken": list(taken), "now": now, "most": limit}
    ready = connection.execute(_due(connection.dialect.name), asked)
    found = [rows.read_delivery(row) for row in ready.mappings().all()]
    told = read_events(connection, {id for delivery in found for id in delivery.events})
    several = [each for each in found if not each.alone]
    parts_alone = {each.thread: [each] for each in several if _is_closed(each, told)}
    behind = _with_others(connection, channel, [each for each in several if each.thread not in parts_alone])
    behind |= parts_alone
    free = [each for each in found if each.alone or each.thread in behind]
    earlier = _earlier(connection, channel, list(behind))
    together = _waiting_of_each(connection, channel, behind)
    return [
        Claim(
            delivery,
            tuple(told[id] for id in delivery.events if id in told),
            follows=any(seq < delivery.seq for seq, _ in earlier.get(delivery.thread, ())),
            previous=_receipt(earlier.get(delivery.thread, ()), delivery.seq),
            waiting=together.get(delivery.thread),
        )
        for delivery in free
    ]


def _is_closed(delivery: Delivery, told: Mapping[str, Event]) -> bool:
    """Tell whether this is a part of a message about one-off events: nothing that waits can change that.

    A large group has thousands of parts; going through all of them for each would never end.
    """
    return (
        delivery.parts > 1
        and not delivery.gathered
        and all(id in told and told[id].alert is None for id in delivery.events)
    )


def backlog(connection: Connection, channel: str, rule: str, now: datetime) -> Waiting:
    """Return everything of a rule that is due in a channel, up to a bounded number: what was due first."""
    query = (
        select(deliveries)
        .where(
            deliveries.c.channel == channel,
            deliveries.c.rule == rule,
            deliveries.c.finished_at.is_(None),
            deliveries.c.due_at <= now,
            deliveries.c.replay_of.is_(None),
        )
        .order_by(deliveries.c.due_at, deliveries.c.seq)
        .limit(_MOST_TOGETHER)
    )
    found = _in_order(rows.read_delivery(row) for row in connection.execute(query).mappings())
    return _waiting_of_each(connection, channel, {rule: found})[rule]


def _with_others(
    connection: Connection, channel: str, leading: Sequence[Delivery]
) -> dict[str, list[Delivery]]:
    """Return, by thread, these deliveries and the other unfinished ones of their threads, in order.

    Of a thread that is too large what is due first; threads that are too much are left out, but for one.
    """
    found: dict[str, list[Delivery]] = {}
    for part in parts(leading):
        everything = _unfinished(channel, [each.thread for each in part]).limit(_MOST_TOGETHER + 1)
        read = [rows.read_delivery(row) for row in connection.execute(everything).mappings()]
        if len(read) <= _MOST_TOGETHER:
            for each in _in_order(read):
                found.setdefault(each.thread, []).append(each)
            continue
        left = _MOST_TOGETHER
        for first in part:
            if left <= 0:
                return found
            query = _unfinished(channel, [first.thread]).order_by(deliveries.c.due_at, deliveries.c.seq)
            thread = connection.execute(query.limit(_MOST_TOGETHER)).mappings()
            members = {each.seq: each for each in map(rows.read_delivery, thread)} | {first.seq: first}
            found[first.thread] = _in_order(members.values())
            left -= len(members)
    return found


def _unfinished(channel: str, threads: Collection[str]) -> Select[Any]:
    return select(deliveries).where(
        deliveries.c.thread.in_(threads),
        deliveries.c.channel == channel,
        deliveries.c.finished_at.is_(None),
    )


def _in_order(found: Iterable[Delivery]) -> list[Delivery]:
    return sorted(found, key=lambda each: each.seq)


def _waiting_of_each(
    connection: Connection, channel: str, found: Mapping[str, Sequence[Delivery]]
) -> dict[str, Waiting]:
    """Return each list of deliveries of a channel with what one has to know to tell them together."""
    told = read_events(connection, {id for each in found.values() for row in each for id in row.events})
    about = {event.alert for event in told.values() if event.alert is not None}
    known, ended = _told_of(connection, channel, about), _ends(connection, about)
    return {key: _waiting(each, told, known, ended) for key, each in found.items()}


def _waiting(
    found: Sequence[Delivery], told: Mapping[str, Event], known: Collection[str], ended: Mapping[str, Event]
) -> Waiting:
    own = {id: told[id] for delivery in found for id in delivery.events if id in told}
    about = {event.alert for event in own.values() if event.alert is not None}
    ends = {alert: ended[alert] for alert in about if alert in ended}
    return Waiting(tuple(found), own, frozenset(about.intersection(known)), ends)


def _told_of(connection: Connection, channel: str, about: Collection[str]) -> frozenset[str]:
    """Return those of the alerts of which a channel has been told."""
    found: set[str] = set()
    if not about:
        return frozenset()
    # From the event to its deliveries, which are few, not from the channel's, which are many.
    into = deliveries.alias("into")
    was_sent = exists().where(
        contents.c.event == events.c.id,
        deliveries.c.id == contents.c.delivery,
        func.coalesce(deliveries.c.channel, "") == channel,
        or_(
            func.coalesce(deliveries.c.state, "").in_(_SENT),
            # A large group lists only some of what it tells. What one that lists everything left out was held
            # back when that was put together.
            exists().where(
                into.c.id == deliveries.c.merged_into,
                func.coalesce(into.c.state, "").in_(_SENT),
                into.c.more > 0,
            ),
        ),
    )
    for part in parts(about):
        query = select(events.c.alert).where(events.c.alert.in_(part), was_sent)
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
    """Return when the next delivery of a thread that nothing is taken of is due, None if there is none."""
    asked = {"channel": channel, "taken": list(taken)}
    return connection.execute(_next_due(connection.dialect.name), asked).scalar()


# Literals: a planner that sees a parameter cannot know that a partial index will do.
_PENDING: ColumnElement[str] = literal_column(f"'{DeliveryState.PENDING}'")
_NONE: ColumnElement[int] = literal_column("0")
_SENT: list[ColumnElement[str]] = [
    literal_column(f"'{state}'") for state in (DeliveryState.DELIVERED, DeliveryState.PARTIAL)
]


@lru_cache
def _due(dialect: str) -> Select[Any]:
    now, most = bindparam("now", type_=deliveries.c.due_at.type), bindparam("most", type_=Integer)
    return _leading(deliveries, dialect=dialect).where(deliveries.c.due_at <= now).limit(most)


@lru_cache
def _next_due(dialect: str) -> Select[Any]:
    return _leading(deliveries.c.due_at, dialect=dialect).limit(1)


def _leading(*wanted: ColumnElement[Any] | Table, dialect: str) -> Select[Any]:
    """Select of the first unfinished delivery of each thread of which none is taken, in order.

    What is being tried goes first, else what is due first: neither what is held back nor what is to be told
    later (a repeat, an escalation) holds up what is to be told now. Its parameters are ``channel`` and
    ``taken``, the numbers of those that are.
    """
    channel = bindparam("channel", type_=deliveries.c.channel.type)
    first, tried = deliveries.alias("first"), deliveries.alias("tried")
    # The first one is asked for, not whether there is an earlier one: a planner takes that for so likely that
    # it reads the whole table to find it.
    is_first = (
        select(first.c.seq == deliveries.c.seq)
        .where(
            first.c.channel == deliveries.c.channel,
            first.c.thread == deliveries.c.thread,
            first.c.finished_at.is_(None),
        )
        .order_by(first.c.due_at, first.c.seq)
        .limit(literal_column("1"))
    )
    is_tried = (
        select(tried.c.seq == deliveries.c.seq)
        .where(
            tried.c.channel == deliveries.c.channel,
            tried.c.thread == deliveries.c.thread,
            tried.c.finished_at.is_(None),
            tried.c.state == _PENDING,
            tried.c.attempts > _NONE,
        )
        .order_by(tried.c.seq)
        .limit(literal_column("1"))
    )
    # Not only the one that is taken: if the clock goes back, what comes later is due before it. And not by
    # the index of channels: that has all that was ever sent.
    busy = deliveries.alias("busy")
    # By their numbers: a planner that sees the channel's index would rather read all of the channel.
    taken = select(busy.c.thread).where(
        among(busy.c.seq, "taken", dialect), func.coalesce(busy.c.channel, "") == channel
    )
    return (
        select(*wanted)
        .where(
            deliveries.c.channel == channel,
            deliveries.c.finished_at.is_(None),
            deliveries.c.thread.not_in(taken),
            func.coalesce(is_tried.scalar_subquery(), is_first.scalar_subquery()),
        )
        .order_by(deliveries.c.due_at, deliveries.c.seq)
    )


_Sent = list[tuple[int, dict[str, Any] | None]]


def _earlier(connection: Connection, channel: str, threads: Collection[str]) -> dict[str, _Sent]:
    """Return, by thread, the seq and receipt of the first that was delivered in it, and of those after it
    that have a receipt, in order."""
    found: dict[str, _Sent] = {}
    sent = deliveries.alias("sent")
    first = select(func.min(sent.c.seq)).where(
        sent.c.channel == deliveries.c.channel,
        sent.c.thread == deliveries.c.thread,
        sent.c.state.in_(_SENT),
    )
    for part in parts(threads):
        query = (
            select(deliveries.c.thread, deliveries.c.seq, deliveries.c.receipt)
            .where(
                deliveries.c.channel == channel,
                deliveries.c.thread.in_(part),
                deliveries.c.state.in_(_SENT),
                or_(deliveries.c.receipt.is_not(None), deliveries.c.seq == first.scalar_subquery()),
            )
            .order_by(deliveries.c.thread, deliveries.c.seq)
        )
        for thread, seq, receipt in connection.execute(query):
            found.setdefault(thread, []).append((seq, rows.load(receipt)))
    return found


def _receipt(sent: _Sent | tuple[()], before: int) -> dict[str, Any] | None:
    return next((receipt for seq, receipt in sent if seq < before and receipt is not None), None)


def count_waiting(connection: Connection, channel: str) -> int:
    """Return how many deliveries of a channel are pending; of very many only that they are so many."""
    some = (
        select(deliveries.c.seq)
        .where(
            deliveries.c.channel == channel,
            deliveries.c.finished_at.is_(None),
            deliveries.c.state == _PENDING,
        )
        .limit(MOST_COUNTED)
    )
    return connection.execute(select(func.count()).select_from(some.subquery("some"))).scalar_one()
