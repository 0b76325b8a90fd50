"""Everything that is read: each function reads on an open connection."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Select, exists, func, literal_column, or_, select

from relay.model.alert import Alert, AlertState
from relay.model.delivery import Attempt, ChannelHealth, Delivery, DeliveryState
from relay.model.event import Event
from relay.model.text import storable
from relay.store import rows
from relay.store.schema import ALIVE, alerts, attempts, channels, cursors, deliveries, events, journal

T = TypeVar("T")

_MANY = 500
"""Values in one IN list: databases have a limit."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is due, with the events that it tells.

    ``follows`` tells that the thread has an earlier message in this channel, and ``previous`` is the
    receipt of the first one that left one.
    """

    delivery: Delivery
    events: tuple[Event, ...]
    follows: bool = False
    previous: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows of a listing are wanted; None: any. The newest come first, at most ``limit``.

    ``before`` is the ``seq`` of the last row of the page before.
    """

    type: str | None = None
    cluster: str | None = None
    status: str | None = None
    channel: str | None = None
    state: str | None = None
    unrouted: bool = False
    before: int | None = None
    limit: int = 50


def known_events(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return those of the ids that are in the store."""
    found: set[str] = set()
    for part in _parts(ids):
        found.update(connection.execute(select(events.c.id).where(events.c.id.in_(part))).scalars())
    return found


def read_events(connection: Connection, ids: Collection[str]) -> dict[str, Event]:
    """Return the events by their ids; those that are gone are left out."""
    found: dict[str, Event] = {}
    for part in _parts(ids):
        query = select(events.c.id, events.c.body).where(events.c.id.in_(part))
        found.update((row.id, Event.from_json(row.body)) for row in connection.execute(query))
    return found


def open_alerts(connection: Connection) -> list[Alert]:
    """Return the alerts that are pending or firing."""
    query = select(alerts.c.body).where(alerts.c.state != AlertState.RESOLVED)
    return [Alert.from_json(body) for body in connection.execute(query).scalars()]


def cursor(connection: Connection, scope: str) -> str | None:
    """Return how far a scope has been read, None if never."""
    return connection.execute(select(cursors.c.value).where(cursors.c.scope == scope)).scalar()


def last_beat(connection: Connection) -> datetime | None:
    """Return when the relay last wrote that it is alive, None if never or if that is not readable."""
    try:
        at = datetime.fromisoformat(cursor(connection, ALIVE) or "")
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def healths(connection: Connection) -> dict[str, ChannelHealth]:
    """Return what is remembered of the channels, by name."""
    found = (rows.read_health(row) for row in connection.execute(select(channels)).mappings())
    return {health.channel: health for health in found}


def due(
    connection: Connection, channel: str, now: datetime, limit: int, taken: Collection[int]
) -> list[Claim]:
    """Return deliveries of a channel that are due and not taken, in order.

    Of each thread only the earliest pending one: nothing overtakes within a thread.
    """
    ready = _first_pending(channel).where(deliveries.c.due_at <= now).limit(limit + len(taken))
    found = (row.seq for row in connection.execute(ready))
    free = _read_deliveries(connection, list(islice((seq for seq in found if seq not in taken), limit)))
    told = read_events(connection, {id for delivery in free for id in delivery.events})
    earlier = _earlier(connection, channel, {each.thread for each in free if each.thread not in each.events})
    return [
        Claim(
            delivery,
            tuple(told[id] for id in delivery.events if id in told),
            follows=any(seq < delivery.seq for seq, _ in earlier.get(delivery.thread, ())),
            previous=_receipt(earlier.get(delivery.thread, ()), delivery.seq),
        )
        for delivery in free
    ]


def next_due(connection: Connection, channel: str, taken: Collection[int]) -> datetime | None:
    """Return when the next delivery that is not taken is due, None if there is none."""
    found = connection.execute(_first_pending(channel).limit(1 + len(taken)))
    return next((row.due_at for row in found if row.seq not in taken), None)


# Literals: a planner that sees a parameter cannot know that a partial index will do.
_PENDING: ColumnElement[str] = literal_column(f"'{DeliveryState.PENDING}'")
_SENT: list[ColumnElement[str]] = [
    literal_column(f"'{state}'") for state in (DeliveryState.DELIVERED, DeliveryState.PARTIAL)
]


def _first_pending(channel: str) -> Select[tuple[int, datetime]]:
    """Select (seq, due_at) of the first pending delivery of each thread, in order."""
    earlier = deliveries.alias("earlier")
    overtakes = exists().where(
        earlier.c.channel == deliveries.c.channel,
        earlier.c.thread == deliveries.c.thread,
        earlier.c.seq < deliveries.c.seq,
        earlier.c.state == _PENDING,
    )
    return (
        select(deliveries.c.seq, deliveries.c.due_at)
        .where(deliveries.c.channel == channel, deliveries.c.state == _PENDING, ~overtakes)
        .order_by(deliveries.c.due_at, deliveries.c.seq)
    )


def _read_deliveries(connection: Connection, seqs: list[int]) -> list[Delivery]:
    """Return the deliveries in the order of the given numbers."""
    found: dict[int, Delivery] = {}
    for part in _parts(seqs):
        for row in connection.execute(select(deliveries).where(deliveries.c.seq.in_(part))).mappings():
            found[row["seq"]] = rows.read_delivery(row)
    return [found[seq] for seq in seqs if seq in found]


_Sent = list[tuple[int, dict[str, Any] | None]]


def _earlier(connection: Connection, channel: str, threads: Collection[str]) -> dict[str, _Sent]:
    """Return, by thread, the seq and receipt of what was delivered in it, the first one first."""
    found: dict[str, _Sent] = {}
    for part in _parts(threads):
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


def count_deliveries(connection: Connection, channel: str | None = None) -> dict[str, int]:
    """Return how many deliveries there are in each state."""
    query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    if channel is not None:
        query = query.where(deliveries.c.channel == channel)
    return {row[0]: row[1] for row in connection.execute(query)}


def count_waiting(connection: Connection, channel: str) -> int:
    """Return how many deliveries of a channel are pending."""
    query = select(func.count()).where(deliveries.c.channel == channel, deliveries.c.state == _PENDING)
    return connection.execute(query).scalar_one()


def count_unrouted(connection: Connection) -> int:
    """Return how many events no rule took."""
    return connection.execute(select(func.count()).where(~events.c.routed)).scalar_one()


def list_events(connection: Connection, wanted: Filter) -> list[tuple[int, bool, Event]]:
    """Return (seq, whether a rule took it, event), the newest first."""
    query = select(events).order_by(events.c.seq.desc()).limit(wanted.limit)
    for column, value in (
        (events.c.type, wanted.type),
        (events.c.cluster, wanted.cluster),
        (events.c.status, wanted.status),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.unrouted:
        query = query.where(~events.c.routed)
    if wanted.before is not None:
        query = query.where(events.c.seq < wanted.before)
    return [(row.seq, row.routed, Event.from_json(row.body)) for row in connection.execute(query)]


def seen_since(
    connection: Connection, at: datetime, after: tuple[datetime, int] | None, limit: int
) -> list[tuple[int, Event]]:
    """Return (seq, event) of what was seen of clusters at that time or later, the earliest first."""
    query = select(events).where(events.c.seen_at >= at, events.c.cluster.is_not(None))
    if after is not None:
        seen_at, seq = after
        query = query.where(events.c.seen_at >= seen_at, or_(events.c.seen_at > seen_at, events.c.seq > seq))
    query = query.order_by(events.c.seen_at, events.c.seq).limit(limit)
    return [(row.seq, Event.from_json(row.body)) for row in connection.execute(query)]


def list_alerts(connection: Connection, wanted: Filter) -> list[Alert]:
    """Return alerts, the latest to start first."""
    query = select(alerts.c.body).order_by(alerts.c.starts_at.desc(), alerts.c.id).limit(wanted.limit)
    for column, value in (
        (alerts.c.type, wanted.type),
        (alerts.c.cluster, wanted.cluster),
        (alerts.c.state, wanted.state),
    ):
        if value is not None:
            query = query.where(column == value)
    return [Alert.from_json(body) for body in connection.execute(query).scalars()]


def list_deliveries(connection: Connection, wanted: Filter) -> list[Delivery]:
    """Return deliveries, the newest first."""
    query = select(deliveries).order_by(deliveries.c.seq.desc()).limit(wanted.limit)
    if wanted.channel is not None:
        query = query.where(deliveries.c.channel == wanted.channel)
    if wanted.state is not None:
        query = query.where(deliveries.c.state == wanted.state)
    if wanted.before is not None:
        query = query.where(deliveries.c.seq < wanted.before)
    return [rows.read_delivery(row) for row in connection.execute(query).mappings()]


def find_deliveries(connection: Connection, prefix: str) -> list[Delivery]:
    """Return the deliveries whose id begins so: at most three, enough to tell that it is ambiguous."""
    # Not LIKE: SQLite's does not tell capitals from small letters.
    beginning = func.substr(deliveries.c.id, 1, len(prefix))
    query = select(deliveries).where(beginning == storable(prefix)).order_by(deliveries.c.seq).limit(3)
    return [rows.read_delivery(row) for row in connection.execute(query).mappings()]


def replayed(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return those of the delivery ids that have been replayed."""
    found: set[str] = set()
    for part in _parts(ids):
        query = select(deliveries.c.replay_of).where(deliveries.c.replay_of.in_(part))
        found.update(connection.execute(query).scalars())
    return found


def list_attempts(connection: Connection, delivery: str) -> list[Attempt]:
    """Return the attempts of a delivery, in order."""
    query = select(attempts).where(attempts.c.delivery == delivery).order_by(attempts.c.number)
    return [rows.read_attempt(row) for row in connection.execute(query).mappings()]


def list_deeds(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return what users did, the newest first."""
    query = select(journal).order_by(journal.c.seq.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def _parts(ids: Collection[T]) -> Iterable[list[T]]:
    everything = list(ids)
    for start in range(0, len(everything), _MANY):
        yield everything[start : start + _MANY]
