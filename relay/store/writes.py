"""Everything that is written: each function writes a run of items inside an open transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from relay.model.alert import Alert
from relay.model.delivery import Attempt, ChannelHealth, Delivery, DeliveryState
from relay.model.errors import StoreError
from relay.model.observation import CursorMove
from relay.model.plan import Plan
from relay.store import rows
from relay.store.schema import alerts, attempts, channels, cursors, deliveries, events, journal


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
        for alert in plan.alerts:
            _upsert(connection, alerts, "id", rows.alert_row(alert))
        _insert_new(connection, deliveries, [rows.delivery_row(each) for each in plan.deliveries])
        for thread, channel in plan.superseded:
            connection.execute(_supersede(thread, channel), {"now": _latest(plan)})
        if plan.released:
            connection.execute(_release(plan.released))
    return [None] * len(plans)


def _move(connection: Connection, move: CursorMove) -> None:
    if move.before is None:
        moved = _insert_new(connection, cursors, [{"scope": move.scope, "value": move.after}])
    else:
        statement = (
            update(cursors)
            .where(cursors.c.scope == move.scope, cursors.c.value == move.before)
            .values(value=move.after)
        )
        moved = connection.execute(statement).rowcount
    if moved != 1:
        raise CursorMovedError(f"store: the cursor of {move.scope} was moved by somebody else")


def _latest(plan: Plan) -> datetime:
    return max(event.seen_at for event in plan.events)


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
    """Record attempts and what they made of their deliveries."""
    connection.execute(_SETTLE, [rows.settled_row(each.delivery, each.finished_at) for each in settlements])
    connection.execute(insert(attempts), [rows.attempt_row(each.attempt) for each in settlements])
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
    for alert in found:
        _upsert(connection, alerts, "id", rows.alert_row(alert))
    return [None] * len(found)


def save_health(connection: Connection, healths: Sequence[ChannelHealth]) -> list[None]:
    """Save the channels' health."""
    for health in healths:
        _upsert(connection, channels, "channel", rows.health_row(health))
    return [None] * len(healths)


def beat(connection: Connection, moments: Sequence[datetime]) -> list[None]:
    """Write when the relay was last alive."""
    _upsert(connection, cursors, "scope", {"scope": "relay/alive", "value": moments[-1].isoformat()})
    return [None] * len(moments)


def record(connection: Connection, deeds: Sequence[Deed]) -> list[None]:
    """Write down what users did."""
    connection.execute(
        insert(journal),
        [asdict(deed) for deed in deeds],
    )
    return [None] * len(deeds)


def add_replays(connection: Connection, replays: Sequence[tuple[Delivery, Deed]]) -> list[None]:
    """Add deliveries that repeat earlier ones, and who asked for it."""
    _insert_new(connection, deliveries, [rows.delivery_row(delivery) for delivery, _ in replays])
    record(connection, [deed for _, deed in replays])
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

    An event stays as long as any delivery of its time does, so that a delivery can always be replayed.
    """
    return [_prune_deliveries(connection, cut) + _prune_events(connection, cut) for cut in cuts]


def _prune_deliveries(connection: Connection, cut: Cut) -> int:
    old = [
        row.id
        for row in connection.execute(
            select(deliveries.c.id).where(deliveries.c.finished_at < cut.deliveries).limit(cut.most)
        )
    ]
    if old:
        connection.execute(delete(attempts).where(attempts.c.delivery.in_(old)))
        connection.execute(delete(deliveries).where(deliveries.c.id.in_(old)))
    return len(old)


def _prune_events(connection: Connection, cut: Cut) -> int:
    eldest = connection.execute(select(func.min(deliveries.c.created_at))).scalar()
    before = cut.events if eldest is None else min(cut.events, eldest)
    old = [
        row.seq
        for row in connection.execute(select(events.c.seq).where(events.c.seen_at < before).limit(cut.most))
    ]
    connection.execute(delete(events).where(events.c.seq.in_(old)))
    over = select(alerts.c.id).where(alerts.c.ends_at < cut.alerts).limit(cut.most)
    ended = [row.id for row in connection.execute(over)]
    connection.execute(delete(alerts).where(alerts.c.id.in_(ended)))
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1000)").close()
    return len(old) + len(ended)


def _insert_new(connection: Connection, table: Table, new: list[dict[str, Any]]) -> int:
    """Insert the rows that are not there yet; return how many were new."""
    if not new:
        return 0
    flavour = postgresql if connection.dialect.name == "postgresql" else sqlite
    return connection.execute(flavour.insert(table).on_conflict_do_nothing(), new).rowcount


def _upsert(connection: Connection, table: Table, key: str, row: dict[str, Any]) -> None:
    flavour = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = flavour.insert(table).values(row)
    others = {name: statement.excluded[name] for name in row if name != key}
    connection.execute(statement.on_conflict_do_update(index_elements=[key], set_=others))
