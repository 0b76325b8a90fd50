"""Everything that is read but the queue: each function reads on an open connection."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, literal_column, or_, select

from relay.model.alert import Alert, AlertState
from relay.model.delivery import Attempt, ChannelHealth, Delivery
from relay.model.event import Event
from relay.model.plan import Group
from relay.model.silence import Acknowledgement, Silence
from relay.model.text import storable
from relay.store import rows
from relay.store.many import among
from relay.store.parts import parts
from relay.store.schema import (
    ALIVE,
    alerts,
    attempts,
    channels,
    contents,
    cursors,
    deliveries,
    events,
    groups,
    journal,
    trust_waiting,
)
from relay.store.schema import acknowledgements as acknowledgements_table
from relay.store.schema import silences as silences_table


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
    """Return those of the ids that are in the store, told or waiting to be examined."""
    found: set[str] = set()
    for part in parts(ids):
        told = select(events.c.id).where(events.c.id.in_(part))
        waiting = select(trust_waiting.c.id).where(trust_waiting.c.id.in_(part))
        found.update(connection.execute(told.union_all(waiting)).scalars())
    return found


def read_events(connection: Connection, ids: Collection[str]) -> dict[str, Event]:
    """Return the events by their ids; those that are gone are left out."""
    if not ids:
        return {}
    query = _events(connection.dialect.name)
    return {row.id: _event(row.body) for row in connection.execute(query, {"ids": list(ids)}).all()}


@lru_cache
def _events(dialect: str) -> Select[tuple[str, str]]:
    return select(events.c.id, events.c.body).where(among(events.c.id, "ids", dialect))


@lru_cache(maxsize=512)
def _event(body: str) -> Event:
    """Return the event of a body: one that goes to several channels is read for each of them."""
    return Event.from_json(body)


def open_alerts(connection: Connection) -> list[Alert]:
    """Return the alerts that are pending or firing."""
    # As the partial index says it: what has resolved is kept for months.
    query = select(alerts.c.body).where(alerts.c.state != literal_column(f"'{AlertState.RESOLVED}'"))
    return [Alert.from_json(body) for body in connection.execute(query).scalars()]


def open_groups(connection: Connection, since: datetime) -> list[Group]:
    """Return the groups that were told, or are to be told, at that time or later."""
    query = select(groups).where(groups.c.due_at >= since).order_by(groups.c.due_at)
    return [Group(**row) for row in connection.execute(query).mappings()]


def silences(connection: Connection, since: datetime) -> list[Silence]:
    """Return the silences that end at that time or later, the first to end first."""
    query = (
        select(silences_table.c.body)
        .where(silences_table.c.ends_at >= since)
        .order_by(silences_table.c.ends_at, silences_table.c.id)
    )
    return [rows.read_silence(body) for body in connection.execute(query).scalars()]


def acknowledgements(connection: Connection) -> list[Acknowledgement]:
    """Return all acknowledgements that are kept, the newest first."""
    query = select(acknowledgements_table.c.body).order_by(acknowledgements_table.c.at.desc())
    return [rows.read_acknowledgement(body) for body in connection.execute(query).scalars()]


def acknowledgement(connection: Connection, thread: str) -> Acknowledgement | None:
    """Return the acknowledgement of an alert or event, whether or not it still holds."""
    query = select(acknowledgements_table.c.body).where(acknowledgements_table.c.thread == storable(thread))
    body = connection.execute(query).scalar()
    return None if body is None else rows.read_acknowledgement(body)


def _begins(connection: Connection, table: Table, prefix: str) -> ColumnElement[bool]:
    """Return what is true of the row whose id this is, else of those whose id begins so.

    A whole id is found by its index; for the beginning of one every id is looked at.
    """
    wanted = storable(prefix)
    if connection.execute(select(table.c.id).where(table.c.id == wanted)).first() is not None:
        return table.c.id == wanted
    # Not LIKE: SQLite's does not tell capitals from small letters.
    return func.substr(table.c.id, 1, len(prefix)) == wanted


def find_alerts(connection: Connection, prefix: str) -> list[Alert]:
    """Return the alerts whose id begins so: at most three, enough to tell that it is ambiguous."""
    query = select(alerts.c.body).where(_begins(connection, alerts, prefix)).order_by(alerts.c.id).limit(3)
    return [Alert.from_json(body) for body in connection.execute(query).scalars()]


def find_events(connection: Connection, prefix: str) -> list[Event]:
    """Return the events whose id begins so: at most three, enough to tell that it is ambiguous."""
    query = select(events.c.body).where(_begins(connection, events, prefix)).order_by(events.c.seq).limit(3)
    return [Event.from_json(body) for body in connection.execute(query).scalars()]


def recent_alerts(connection: Connection, since: datetime) -> list[Alert]:
    """Return the alerts that ended at or after a time, in the order of their ends."""
    query = (
        select(alerts.c.body)
        .where(alerts.c.state == AlertState.RESOLVED, alerts.c.ends_at >= since)
        .order_by(alerts.c.ends_at, alerts.c.starts_at)
    )
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


def count_deliveries(connection: Connection, channel: str | None = None) -> dict[str, int]:
    """Return how many deliveries there are in each state."""
    query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    if channel is not None:
        query = query.where(deliveries.c.channel == channel)
    return {row[0]: row[1] for row in connection.execute(query)}


def count_unrouted(connection: Connection) -> int:
    """Return how many events no rule took."""
    return connection.execute(select(func.count()).where(~events.c.routed)).scalar_one()


def newest_event(connection: Connection) -> int:
    """Return the ``seq`` of the newest event, 0 if there is none."""
    return connection.execute(select(func.max(events.c.seq))).scalar() or 0


def events_after(connection: Connection, seq: int, limit: int) -> list[tuple[int, Event]]:
    """Return (seq, event) of what was taken after a place, in that order."""
    query = select(events.c.seq, events.c.body).where(events.c.seq > seq).order_by(events.c.seq).limit(limit)
    return [(row.seq, Event.from_json(row.body)) for row in connection.execute(query)]


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


def deliveries_about(connection: Connection, alert: str, limit: int) -> list[Delivery]:
    """Return the deliveries that tell of an alert, alone or with others, the newest first."""
    told = (
        select(contents.c.delivery)
        .join(events, events.c.id == contents.c.event)
        .where(events.c.alert == alert)
    )
    query = select(deliveries).where(deliveries.c.id.in_(told)).order_by(deliveries.c.seq.desc()).limit(limit)
    return [rows.read_delivery(row) for row in connection.execute(query).mappings()]


def open_in_thread(connection: Connection, channel: str, thread: str) -> list[Delivery]:
    """Return the unfinished deliveries of a thread in a channel, in order, a bounded number of them."""
    query = (
        select(deliveries)
        .where(
            deliveries.c.channel == channel,
            deliveries.c.thread == thread,
            deliveries.c.finished_at.is_(None),
        )
        .order_by(deliveries.c.seq)
        .limit(1000)
    )
    return [rows.read_delivery(row) for row in connection.execute(query).mappings()]


def find_deliveries(connection: Connection, prefix: str) -> list[Delivery]:
    """Return the deliveries whose id begins so: at most three, enough to tell that it is ambiguous."""
    query = select(deliveries).where(_begins(connection, deliveries, prefix))
    query = query.order_by(deliveries.c.seq).limit(3)
    return [rows.read_delivery(row) for row in connection.execute(query).mappings()]


def list_attempts(connection: Connection, delivery: str) -> list[Attempt]:
    """Return the attempts of a delivery, in order."""
    query = select(attempts).where(attempts.c.delivery == delivery).order_by(attempts.c.number)
    return [rows.read_attempt(row) for row in connection.execute(query).mappings()]


def list_deeds(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Return what users did, the newest first."""
    query = select(journal).order_by(journal.c.seq.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]
