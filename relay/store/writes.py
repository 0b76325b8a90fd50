"""Everything that is written: each function writes a run of items inside an open transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, exists, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from relay.model.alert import Alert, AlertState
from relay.model.delivery import Attempt, ChannelHealth, Delivery, DeliveryState
from relay.model.errors import StoreError
from relay.model.observation import CursorMove
from relay.model.plan import Plan
from relay.store import rows
from relay.store.schema import (
    ALIVE,
    alerts,
    attempts,
    channels,
    contents,
    cursors,
    deliveries,
    events,
    journal,
)

_MOST_PAGES = 1000


class CursorMovedError(StoreError):
    """Somebody else has moved the cursor: what was read belongs to an old position and is not kept."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """An attempt and what it made of its delivery; ``finished_at`` is None while it goes on."""

    delivery: Delivery
    attempt: Attempt
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a user did: who, when, what, to what, and a note."""

    at: datetime
    who: str
    action: str
    subject: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """What to prune: finished deliveries, events and resolved alerts before the given times."""

    deliveries: datetime
    events: datetime
    alerts: datetime
    most: int = 500


def commit_plans(connection: Connection, plans: Sequence[Plan]) -> list[None]:
    """Commit what intake decided. Raises CursorMovedError if a cursor is not where it was read."""
    for plan in plans:
        if plan.cursor is not None:
            _move(connection, plan.cursor)
        _insert_new(
            connection,
            events,
            [rows.event_row(event, routed=event.id not in plan.unrouted) for event in plan.events],
        )
        # What ends goes first: only one alert of a fingerprint may be open.
        changed = sorted(plan.alerts, key=lambda alert: alert.state is not AlertState.RESOLVED)
        if changed:
            save_alerts(connection, changed)
        for thread, channel in plan.superseded:
            connection.execute(_supersede(thread, channel), {"now": _latest(plan)})
        told = [row for each in plan.deliveries for row in rows.contents_rows(each)]
        _insert_new(connection, contents, told)
        _insert_new(connection, deliveries, [rows.delivery_row(each) for each in plan.deliveries])
        if plan.released:
            connection.execute(_release(plan.released))
    return [None] * len(plans)


def _move(connection: Connection, move: CursorMove) -> None:
    if move.before is None:
        moved = _insert_if_new(connection, cursors, {"scope": move.scope, "value": move.after})
    else:
        statement = (
            update(cursors)
            .where(cursors.c.scope == move.scope, cursors.c.value == move.before)
            .values(value=move.after)
        )
        moved = connection.execute(statement).rowcount == 1
    if not moved:
        raise CursorMovedError(f"store: the cursor of {move.scope} was moved by somebody else")


def _latest(plan: Plan) -> datetime:
    seen = [event.seen_at for event in plan.events]
    return max(seen + [alert.ends_at for alert in plan.alerts if alert.ends_at is not None])


def _supersede(thread: str, channel: str) -> Any:
    return (
        update(deliveries)
        .where(
            deliveries.c.thread == thread,
            deliveries.c.channel == channel,
            deliveries.c.state == DeliveryState.PENDING,
            deliveries.c.attempts == 0,
            deliveries.c.due_at > bindparam("now", type_=deliveries.c.due_at.type),
        )
        .values(
            state=DeliveryState.SUPERSEDED, finished_at=bindparam("now", type_=deliveries.c.finished_at.type)
        )
    )


def _release(threads: Iterable[str]) -> Any:
    return (
        update(deliveries)
        .where(deliveries.c.thread.in_(list(threads)), deliveries.c.state == DeliveryState.INHIBITED)
        .values(state=DeliveryState.PENDING, finished_at=None)
    )


def settle(connection: Connection, settlements: Sequence[Settlement]) -> list[None]:
    """Record attempts and what they made of their deliveries.

    The same attempt may come again, when nobody could tell whether it was made durable.
    """
    connection.execute(_SETTLE, [rows.settled_row(each.delivery, each.finished_at) for each in settlements])
    tried = [rows.attempt_row(each.attempt) for each in settlements]
    _upsert(connection, attempts, ["delivery", "number"], tried)
    return [None] * len(settlements)


_SETTLE = (
    update(deliveries)
    .where(deliveries.c.seq == bindparam("the_seq"))
    .values(
        {
            name: bindparam(name)
            for name in (
                "state",
                "due_at",
                "finished_at",
                "attempts",
                "settled",
                "delivered_to",
                "receipt",
                "last_error",
            )
        }
    )
)


def save_alerts(connection: Connection, found: Sequence[Alert]) -> list[None]:
    """Save alerts whose change is not told to anybody."""
    _upsert(connection, alerts, ["id"], [rows.alert_row(alert) for alert in found])
    return [None] * len(found)


def save_health(connection: Connection, healths: Sequence[ChannelHealth]) -> list[None]:
    """Save the channels' health."""
    _upsert(connection, channels, ["channel"], [rows.health_row(health) for health in healths])
    return [None] * len(healths)


def hasten(connection: Connection, runs: Sequence[tuple[str, datetime]]) -> list[None]:
    """Make due what a channel has tried in vain and would try again later."""
    for channel, now in runs:
        connection.execute(
            update(deliveries)
            .where(
                deliveries.c.channel == channel,
                deliveries.c.state == DeliveryState.PENDING,
                deliveries.c.attempts > 0,
                deliveries.c.due_at > now,
            )
            .values(due_at=now)
        )
    return [None] * len(runs)


_PROBE = "relay/probe"


def beat(connection: Connection, beats: Sequence[tuple[datetime, CursorMove | None]]) -> list[None]:
    """Write when the relay was last alive, and what that would wipe out. Raises CursorMovedError."""
    for at, move in beats:
        if move is not None:
            _move(connection, move)
        _upsert(connection, cursors, ["scope"], [{"scope": ALIVE, "value": at.isoformat()}])
    return [None] * len(beats)


def probe(connection: Connection, moments: Sequence[datetime]) -> list[None]:
    """Write something that nobody reads."""
    _upsert(connection, cursors, ["scope"], [{"scope": _PROBE, "value": moments[-1].isoformat()}])
    return [None] * len(moments)


def record(connection: Connection, deeds: Sequence[Deed]) -> list[None]:
    """Write down what users did."""
    connection.execute(insert(journal), [asdict(deed) for deed in deeds])
    return [None] * len(deeds)


def add_replays(connection: Connection, replays: Sequence[tuple[Delivery, Deed]]) -> list[None]:
    """Add deliveries that repeat earlier ones, and who asked for it; nothing for one that is there."""
    for delivery, deed in replays:
        if _insert_if_new(connection, deliveries, rows.delivery_row(delivery)):
            _insert_new(connection, contents, rows.contents_rows(delivery))
            record(connection, [deed])
    return [None] * len(replays)


def know_channels(connection: Connection, runs: Sequence[tuple[frozenset[str], datetime]]) -> list[int]:
    """Hold the pending deliveries of channels that are no longer configured; free those that are again."""
    held = []
    for names, now in runs:
        known = deliveries.c.channel.in_(list(names))
        connection.execute(
            update(deliveries)
            .where(deliveries.c.state == DeliveryState.HELD, known)
            .values(state=DeliveryState.PENDING, finished_at=None)
        )
        result = connection.execute(
            update(deliveries)
            .where(deliveries.c.state == DeliveryState.PENDING, ~known)
            .values(state=DeliveryState.HELD, finished_at=now)
        )
        held.append(result.rowcount)
    return held


def prune(connection: Connection, cuts: Sequence[Cut]) -> list[int]:
    """Remove a bounded number of old rows; return how many went.

    An event stays as long as any delivery that tells it, so that every delivery can be sent and replayed.
    What is held back by a larger alert stays as long as its own alert is open: it may yet be released.
    """
    gone = [
        _prune_deliveries(connection, cut) + _prune_events(connection, cut) + _prune_alerts(connection, cut)
        for cut in cuts
    ]
    if connection.dialect.name == "sqlite":
        _give_back_pages(connection)
    return gone


def _prune_deliveries(connection: Connection, cut: Cut) -> int:
    still_open = exists().where(alerts.c.id == deliveries.c.thread, alerts.c.state != AlertState.RESOLVED)
    query = (
        select(deliveries.c.id)
        .where(deliveries.c.finished_at < cut.deliveries)
        .where(or_(deliveries.c.state != DeliveryState.INHIBITED, ~still_open))
        .order_by(deliveries.c.finished_at)
        .limit(cut.most)
    )
    old = connection.execute(query).scalars().all()
    if old:
        connection.execute(delete(attempts).where(attempts.c.delivery.in_(old)))
        connection.execute(delete(contents).where(contents.c.delivery.in_(old)))
        connection.execute(delete(deliveries).where(deliveries.c.id.in_(old)))
    return len(old)


def _prune_events(connection: Connection, cut: Cut) -> int:
    needed = exists().where(contents.c.event == events.c.id)
    query = select(events.c.seq).where(events.c.seen_at < cut.events, ~needed).order_by(events.c.seen_at)
    old = connection.execute(query.limit(cut.most)).scalars().all()
    if old:
        connection.execute(delete(events).where(events.c.seq.in_(old)))
    return len(old)


def _prune_alerts(connection: Connection, cut: Cut) -> int:
    query = select(alerts.c.id).where(alerts.c.ends_at < cut.alerts).order_by(alerts.c.ends_at)
    old = connection.execute(query.limit(cut.most)).scalars().all()
    if old:
        connection.execute(delete(alerts).where(alerts.c.id.in_(old)))
    return len(old)


def _give_back_pages(connection: Connection) -> None:
    """Make the file smaller by the pages that are free, a bounded number of them."""
    free: int = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
    # One page at a time: the driver takes a single step of a statement that returns no rows.
    for _ in range(min(free, _MOST_PAGES)):
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)").close()


def _insert_new(connection: Connection, table: Table, new: list[dict[str, Any]]) -> None:
    """Insert the rows that are not there yet."""
    if new:
        connection.execute(_flavour(connection).insert(table).on_conflict_do_nothing(), new)


def _insert_if_new(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert one row if it is not there yet; tell whether it was new."""
    # SQLAlchemy counts the rows of an insert only when told to, and those of a list of rows never.
    statement = _flavour(connection).insert(table).values(row).on_conflict_do_nothing()
    done = connection.execute(statement, execution_options={"preserve_rowcount": True})
    return bool(done.rowcount == 1)


def _flavour(connection: Connection) -> ModuleType:
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def _upsert(connection: Connection, table: Table, key: list[str], new: list[dict[str, Any]]) -> None:
    """Insert the rows, in place of those that have the same key."""
    statement = _flavour(connection).insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.c if column.name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=others), new)
