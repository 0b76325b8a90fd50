"""Pages of deliveries, one of them with all that belongs to it, and how many there are."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select, text

from relay.model.delivery import Attempt, Delivery, DeliveryState
from relay.model.event import Event
from relay.store import rows
from relay.store.parts import parts
from relay.store.reads import list_attempts, read_events
from relay.store.schema import contents, deliveries, events
from relay.store.views.paging import MOST_SCANNED, Arm, Page, between, bounded, page_by_seq

_MOST_ABOUT = 10_000
"""Deliveries about one event or alert that are looked at: a repeat every minute makes that many in a week."""
_MOST_RELATED = 200
COUNTED = 10_000
"""What is more than this is not counted: see ``Count``."""


@dataclass(frozen=True, slots=True)
class DeliveryQuery:
    """Which deliveries are wanted; None: any.

    ``states`` are some of which any will do. ``event`` and ``alert`` are ids of what they tell of,
    ``replay_of`` and ``merged_into`` of other deliveries. ``since`` and ``until`` (not included) are of their
    creation. ``before`` is the ``next`` of the page before.
    """

    channel: str | None = None
    states: Collection[DeliveryState] | None = None
    rule: str | None = None
    event: str | None = None
    alert: str | None = None
    replay_of: str | None = None
    merged_into: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with what belongs to it.

    ``events`` are what it tells, as far as that is still there, ``attempts`` those made, in order.
    ``original`` is what it repeats, ``replays`` what repeats it, ``into`` what it is told in, ``merged`` what
    is told in it: of both the newest, a bounded number.
    """

    delivery: Delivery
    events: tuple[Event, ...]
    attempts: tuple[Attempt, ...]
    original: Delivery | None
    replays: tuple[Delivery, ...]
    into: Delivery | None
    merged: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are: ``more`` than that, where it tells so."""

    number: int
    more: bool = False


def list_deliveries(connection: Connection, wanted: DeliveryQuery) -> Page[Delivery, int]:
    """Return deliveries, the newest first."""
    numbers, times = between(connection, deliveries, deliveries.c.created_at, wanted.since, wanted.until)
    if wanted.event is not None or wanted.alert is not None:
        return _about(connection, wanted, [*numbers, *times])
    arms, others = delivery_arms(wanted)
    return page_by_seq(
        connection,
        deliveries,
        arms,
        [*others, *times],
        rows.read_delivery,
        within=numbers,
        before=wanted.before,
        limit=wanted.limit,
        most=MOST_SCANNED,
    )


def delivery_arms(wanted: DeliveryQuery) -> tuple[list[Arm], list[ColumnElement[bool]]]:
    """Return what an index answers, and what has to be looked at."""
    others = _conditions(wanted, ("rule",))
    states = None if wanted.states is None else list(dict.fromkeys(wanted.states))
    for name in ("replay_of", "merged_into"):
        value = getattr(wanted, name)
        if value is not None:
            rest = _conditions(wanted, ("channel", "rule", "replay_of", "merged_into"))
            rest += [] if states is None else [deliveries.c.state.in_(states)]
            return [[deliveries.c[name] == value]], rest
    if wanted.channel is not None:
        # By state in any case: what was ever sent to a channel is in the index by its states.
        channel = deliveries.c.channel == wanted.channel
        every = list(DeliveryState) if states is None else states
        return [[channel, deliveries.c.state == state] for state in every], others
    if states is not None:
        return [[deliveries.c.state == state] for state in states], others
    return [[]], others


def _conditions(wanted: DeliveryQuery, names: Sequence[str]) -> list[ColumnElement[bool]]:
    values = ((name, getattr(wanted, name)) for name in names)
    return [deliveries.c[name] == value for name, value in values if value is not None]


def _about(
    connection: Connection, wanted: DeliveryQuery, times: Sequence[ColumnElement[bool]]
) -> Page[Delivery, int]:
    """Return a page of what tells of an event or alert: those are few, and found by what they tell."""
    # The latest, where there are more than are looked at.
    about = select(contents.c.delivery, func.max(deliveries.c.seq).label("seq"))
    about = about.join(deliveries, deliveries.c.id == contents.c.delivery).group_by(contents.c.delivery)
    if wanted.event is not None:
        about = about.where(contents.c.event == wanted.event)
    if wanted.alert is not None:
        about = about.join(events, events.c.id == contents.c.event).where(events.c.alert == wanted.alert)
    if wanted.before is not None:
        about = about.where(deliveries.c.seq < wanted.before)
    latest = connection.execute(about.order_by(text("seq DESC")).limit(_MOST_ABOUT)).all()
    ids = [row.delivery for row in latest]
    conditions = [*_conditions(wanted, ("channel", "rule", "replay_of", "merged_into")), *times]
    if wanted.states is not None:
        conditions.append(deliveries.c.state.in_(list(wanted.states)))
    if wanted.before is not None:
        conditions.append(deliveries.c.seq < wanted.before)
    limit, seqs = bounded(wanted.limit), list[int]()
    for part in parts(ids):
        query = select(deliveries.c.seq).where(deliveries.c.id.in_(part), *conditions)
        seqs += connection.execute(query.order_by(deliveries.c.seq.desc()).limit(limit + 1)).scalars()
    newest = sorted(seqs, reverse=True)
    found = read_by_seq(connection, newest[:limit])
    if len(newest) > limit:
        return Page(tuple(found), newest[limit - 1])
    more = len(latest) == _MOST_ABOUT
    return Page(tuple(found), latest[-1].seq if more else None, cut=more)


def replayable(connection: Connection, wanted: DeliveryQuery, after: int, limit: int) -> list[Delivery]:
    """Return deliveries that were not replayed yet, the first ones behind ``after`` (a ``seq``)."""
    numbers, times = between(connection, deliveries, deliveries.c.created_at, wanted.since, wanted.until)
    arms, others = delivery_arms(wanted)
    again = deliveries.alias("again")
    # A replay is found by its index, whatever it repeats.
    fresh = ~exists().where(again.c.replay_of == deliveries.c.id)
    conditions = [*others, *numbers, *times, deliveries.c.seq > after, fresh]
    first: list[int] = []
    for arm in arms:
        query = select(deliveries.c.seq).where(*arm, *conditions).order_by(deliveries.c.seq).limit(limit)
        first += connection.execute(query).scalars()
    return read_by_seq(connection, sorted(first)[:limit])


def read_by_seq(connection: Connection, seqs: Sequence[int]) -> list[Delivery]:
    """Return the deliveries in the order of the given numbers."""
    found: dict[int, Delivery] = {}
    for part in parts(seqs):
        for row in connection.execute(select(deliveries).where(deliveries.c.seq.in_(part))).mappings():
            found[row["seq"]] = rows.read_delivery(row)
    return [found[seq] for seq in seqs if seq in found]


def one_delivery(connection: Connection, id: str) -> DeliveryView | None:
    """Return a delivery by its whole id, with what belongs to it; None if there is none."""
    delivery = _by_id(connection, id)
    if delivery is None:
        return None
    told = read_events(connection, delivery.events)
    return DeliveryView(
        delivery,
        tuple(told[each] for each in delivery.events if each in told),
        tuple(list_attempts(connection, delivery.id)),
        _by_id(connection, delivery.replay_of),
        _related(connection, deliveries.c.replay_of == delivery.id),
        _by_id(connection, delivery.merged_into),
        _related(connection, deliveries.c.merged_into == delivery.id),
    )


def _by_id(connection: Connection, id: str | None) -> Delivery | None:
    if id is None:
        return None
    row = connection.execute(select(deliveries).where(deliveries.c.id == id)).mappings().one_or_none()
    return None if row is None else rows.read_delivery(row)


def _related(connection: Connection, condition: ColumnElement[bool]) -> tuple[Delivery, ...]:
    query = select(deliveries).where(condition).order_by(deliveries.c.seq.desc()).limit(_MOST_RELATED)
    return tuple(rows.read_delivery(row) for row in connection.execute(query).mappings())


def count_states(
    connection: Connection,
    channel: str | None,
    most: int = COUNTED,
    states: Collection[DeliveryState] = tuple(DeliveryState),
) -> dict[str, Count]:
    """Return how many deliveries there are in each state, of one channel or of all; no states without any."""
    found = {}
    for state in states:
        arm: list[Any] = [deliveries.c.state == state]
        if channel is not None:
            arm.append(deliveries.c.channel == channel)
        some = select(deliveries.c.seq).where(*arm).limit(most + 1).subquery()
        number = connection.execute(select(func.count()).select_from(some)).scalar_one()
        if number:
            found[str(state)] = Count(min(number, most), number > most)
    return found
