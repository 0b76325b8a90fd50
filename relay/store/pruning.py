"""What is removed after a while."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, exists, or_, select

from relay.model.alert import AlertState
from relay.model.delivery import DeliveryState, Reason
from relay.store.schema import (
    acknowledgements,
    alerts,
    attempts,
    contents,
    deliveries,
    events,
    groups,
    requests,
    silences,
)

_PAGES = 2
"""So many times as many pages as rows are given back at once."""
_PASSED = 10
"""So many times as many events as are removed at once are looked at for that."""
_SENT = (DeliveryState.DELIVERED, DeliveryState.PARTIAL)


@dataclass(frozen=True, slots=True)
class Cut:
    """What to prune: finished deliveries, events, resolved alerts, keys of writes, before the given times."""

    deliveries: datetime
    events: datetime
    alerts: datetime
    requests: datetime
    most: int = 100


Place = tuple[datetime, int]
"""When an event was seen, and its ``seq``."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows went, and behind which event it is to be looked next: None if there
    is none that is old."""

    gone: int
    place: Place | None


def prune(connection: Connection, cuts: Sequence[tuple[Cut, Place | None]]) -> list[Pruned]:
    """Remove a bounded number of old rows, of the events only such as come behind a place.

    An event stays as long as any delivery that tells it, so that every delivery can be sent and replayed.
    What was told of an alert that is still open stays too: its end goes to those who know of its beginning.
    """
    pruned = [_prune(connection, cut, place) for cut, place in cuts]
    if connection.dialect.name == "sqlite":
        _give_back_pages(connection, sum(_PAGES * cut.most for cut, _ in cuts))
    return pruned


def _prune(connection: Connection, cut: Cut, place: Place | None) -> Pruned:
    gone = _prune_deliveries(connection, cut)
    events_gone, place = _prune_events(connection, cut, place)
    gone += events_gone + _prune_alerts(connection, cut)
    gone += _prune_what_people_said(connection, cut) + _prune_requests(connection, cut)
    return Pruned(gone, place)


def _prune_deliveries(connection: Connection, cut: Cut) -> int:
    still_open = exists().where(
        # A repeat is not needed for that, and there are many of what fires for long.
        deliveries.c.state.in_(_SENT),
        deliveries.c.reason != Reason.REPEAT,
        contents.c.delivery == deliveries.c.id,
        contents.c.event == events.c.id,
        events.c.alert == alerts.c.id,
        alerts.c.state != AlertState.RESOLVED,
    )
    query = (
        select(deliveries.c.id)
        .where(deliveries.c.finished_at < cut.deliveries)
        .where(~still_open)
        .order_by(deliveries.c.finished_at)
        .limit(cut.most)
    )
    old = connection.execute(query).scalars().all()
    if old:
        connection.execute(delete(attempts).where(attempts.c.delivery.in_(old)))
        connection.execute(delete(contents).where(contents.c.delivery.in_(old)))
        connection.execute(delete(deliveries).where(deliveries.c.id.in_(old)))
    return len(old)


def _prune_requests(connection: Connection, cut: Cut) -> int:
    old = select(requests.c.key).where(requests.c.at < cut.requests).order_by(requests.c.at).limit(cut.most)
    return connection.execute(delete(requests).where(requests.c.key.in_(old))).rowcount


def _prune_what_people_said(connection: Connection, cut: Cut) -> int:
    """Remove old groups, silences that ended long ago, and acknowledgements of what is no longer kept."""
    needed = or_(
        exists().where(alerts.c.id == acknowledgements.c.thread),
        exists().where(events.c.id == acknowledgements.c.thread),
    )
    gone = 0
    for key, condition in (
        (groups.c.id, groups.c.due_at < cut.deliveries),
        (silences.c.id, silences.c.ends_at < cut.alerts),
        (acknowledgements.c.thread, and_(acknowledgements.c.at < cut.alerts, ~needed)),
    ):
        old = connection.execute(select(key).where(condition).limit(cut.most)).scalars().all()
        if old:
            connection.execute(delete(key.table).where(key.in_(old)))
        gone += len(old)
    return gone


def _prune_events(connection: Connection, cut: Cut, place: Place | None) -> tuple[int, Place | None]:
    """Remove events behind a place that no delivery needs; return how many went, and the place reached.

    What is needed is passed, a bounded number: of what waits for long there may be millions.
    """
    old = select(events.c.seen_at, events.c.seq).where(events.c.seen_at < cut.events)
    old = old.order_by(events.c.seen_at, events.c.seq)
    if place is not None:
        at, seq = place
        old = old.where(events.c.seen_at >= at, or_(events.c.seen_at > at, events.c.seq > seq))
    last = connection.execute(old.offset(_PASSED * cut.most - 1).limit(1)).first()
    if last is not None:
        at, seq = last
        old = old.where(events.c.seen_at <= at, or_(events.c.seen_at < at, events.c.seq <= seq))
    needed = exists().where(contents.c.event == events.c.id)
    found = connection.execute(old.where(~needed).limit(cut.most)).all()
    if found:
        connection.execute(delete(events).where(events.c.seq.in_([row.seq for row in found])))
    if len(found) == cut.most:
        last = found[-1]
    return len(found), None if last is None else (last.seen_at, last.seq)


def _prune_alerts(connection: Connection, cut: Cut) -> int:
    query = select(alerts.c.id).where(alerts.c.ends_at < cut.alerts).order_by(alerts.c.ends_at)
    old = connection.execute(query.limit(cut.most)).scalars().all()
    if old:
        connection.execute(delete(alerts).where(alerts.c.id.in_(old)))
    return len(old)


def _give_back_pages(connection: Connection, most: int) -> None:
    """Make the file smaller by the pages that are free, a bounded number of them."""
    free: int = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
    # One page at a time: the driver takes a single step of a statement that returns no rows.
    for _ in range(min(free, most)):
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)").close()
