"""What the relay writes by itself: each function writes a run of items inside an open transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    literal_column,
    select,
    update,
)

from relay.model.alert import Alert, AlertState
from relay.model.delivery import Attempt, ChannelHealth, Delivery, DeliveryState, Reason
from relay.model.evidence import Draft
from relay.model.observation import CursorMove
from relay.model.plan import Plan, Rewrite
from relay.store import evidence, rows
from relay.store.errors import CursorMovedError
from relay.store.inserting import insert_if_new, insert_new, upsert
from relay.store.many import update_rows, upsert_rows
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
)
from relay.store.trust import commit_trust

_UNDER_WAY = timedelta(seconds=5)
"""What is due so soon may be sent before the end is committed: then its end has to be told too."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """An attempt, what it made of its delivery, and what is to be told later because of it."""

    delivery: Delivery
    attempt: Attempt
    follow_ups: tuple[Delivery, ...] = ()


def commit_plans(connection: Connection, plans: Sequence[Plan]) -> list[None]:
    """Commit what intake decided. Raises CursorMovedError if a cursor is not where it was read.

    A plan's evidence is appended as it is, whether or not its events are there: whoever made the plan knows
    what is new.
    """
    proofs: list[Draft] = []
    for plan in plans:
        if plan.cursor is not None:
            _move(connection, plan.cursor)
        proofs += plan.evidence
        insert_new(
            connection,
            events,
            [rows.event_row(event, routed=event.id not in plan.unrouted) for event in plan.events],
        )
        # What ends goes first: only one alert of a fingerprint may be open.
        changed = sorted(plan.alerts, key=lambda alert: alert.state is not AlertState.RESOLVED)
        if changed:
            save_alerts(connection, changed)
        for part in parts(plan.over):
            connection.execute(_supersede(part, _latest(plan)))
        add_deliveries(connection, plan.deliveries)
        if plan.groups:
            upsert(connection, groups, ["id"], [rows.group_row(group) for group in plan.groups])
        if plan.memos:
            kept = [{"scope": scope, "value": value} for scope, value in plan.memos.items()]
            upsert(connection, cursors, ["scope"], kept)
        for part in parts(plan.released):
            connection.execute(_release(part, _latest(plan)))
        commit_trust(connection, plan)
    evidence.append(connection, proofs)
    return [None] * len(plans)


def add_deliveries(connection: Connection, new: Sequence[Delivery]) -> None:
    """Add those deliveries that are not there yet, in order."""
    told = [row for each in new for row in rows.contents_rows(each)]
    insert_new(connection, contents, told)
    insert_new(connection, deliveries, [rows.delivery_row(each) for each in new])


def _move(connection: Connection, move: CursorMove) -> None:
    if move.before is None:
        moved = insert_if_new(connection, cursors, {"scope": move.scope, "value": move.after})
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
    return plan.at or max(event.seen_at for event in plan.events)


def _supersede(over: Sequence[str], now: datetime) -> Any:
    """What was to be told of these alerts later, if nobody can have seen it, is not told any more.

    What is gathered stays: that the alert began and ended is told with its group.
    """
    return (
        update(deliveries)
        .where(
            deliveries.c.thread.in_(over),
            deliveries.c.finished_at.is_(None),
            deliveries.c.attempts == 0,
            deliveries.c.due_at > now + _UNDER_WAY,
            # What was due at once is told whatever the clock does: if it goes back, all is in the future.
            deliveries.c.due_at > deliveries.c.created_at,
        )
        .values(state=DeliveryState.SUPERSEDED, finished_at=now, note="it was over before it was due")
    )


def _release(released: Sequence[str], now: datetime) -> Any:
    """Look again at what was inhibited of these alerts."""
    about = (
        select(contents.c.delivery)
        .join(events, events.c.id == contents.c.event)
        .where(events.c.alert.in_(released))
    )
    return (
        update(deliveries)
        .where(
            deliveries.c.id.in_(about),
            deliveries.c.finished_at.is_(None),
            _is_in(DeliveryState.INHIBITED),
        )
        .values(due_at=now)
    )


def _is_in(state: DeliveryState) -> ColumnElement[bool]:
    """The same as to compare, but without the index of states: that has all that was ever in it."""
    return func.coalesce(deliveries.c.state, "") == state


def rewrite(connection: Connection, rewrites: Sequence[Rewrite]) -> list[None]:
    """Write what became of waiting deliveries: all of one rewrite, unless any of them is finished already."""
    for each in rewrites:
        seqs = [delivery.seq for delivery in each.changed]
        open_ones = 0
        for part in parts(seqs):
            query = select(func.count()).where(deliveries.c.seq.in_(part), deliveries.c.finished_at.is_(None))
            open_ones += connection.execute(query).scalar_one()
        if open_ones != len(seqs):
            # Somebody else has changed it meanwhile: whoever wanted this looks again.
            continue
        if each.changed:
            update_rows(connection, deliveries, "seq", [rows.reviewed_row(one) for one in each.changed])
            retold = [delivery for delivery in each.changed if delivery.reason is Reason.REPEAT]
            for delivery in retold:
                connection.execute(delete(contents).where(contents.c.delivery == delivery.id))
            insert_new(connection, contents, [row for one in retold for row in rows.contents_rows(one)])
        add_deliveries(connection, each.added)
    return [None] * len(rewrites)


def settle(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Record attempts and what they made of their deliveries.

    The same attempt may come again, when nobody could tell whether it was made durable.
    """
    update_rows(connection, deliveries, "seq", [rows.settled_row(each.delivery) for each in settlements])
    tried = [rows.attempt_row(each.attempt) for each in settlements]
    upsert_rows(connection, attempts, ("delivery", "number"), tried)
    for follow_up in (each for settlement in settlements for each in settlement.follow_ups):
        _forget_earlier_repeats(connection, follow_up)
        add_deliveries(connection, [follow_up])


def _forget_earlier_repeats(connection: Connection, follow_up: Delivery) -> None:
    """Of each thread one repeat waits: it counts from the last message."""
    connection.execute(
        update(deliveries)
        .where(
            deliveries.c.thread == follow_up.thread,
            deliveries.c.channel == follow_up.channel,
            deliveries.c.finished_at.is_(None),
            deliveries.c.reason == Reason.REPEAT,
            deliveries.c.attempts == 0,
            deliveries.c.id != follow_up.id,
        )
        .values(
            state=DeliveryState.SUPERSEDED, finished_at=follow_up.created_at, note="a later message was sent"
        )
    )


def save_alerts(connection: Connection, found: Sequence[Alert]) -> list[None]:
    """Save alerts whose change is not told to anybody."""
    upsert(connection, alerts, ["id"], [rows.alert_row(alert) for alert in found])
    return [None] * len(found)


def save_health(connection: Connection, healths: Sequence[ChannelHealth]) -> list[None]:
    """Save the channels' health."""
    upsert(connection, channels, ["channel"], [rows.health_row(health) for health in healths])
    return [None] * len(healths)


def hasten(connection: Connection, runs: Sequence[tuple[str, datetime]]) -> list[None]:
    """Make due what a channel has tried in vain and would try again later."""
    for channel, now in runs:
        connection.execute(
            update(deliveries)
            .where(
                deliveries.c.channel == channel,
                # As the index says it that has what was tried, with its next column: that is little, and
                # what waits may be millions.
                deliveries.c.thread >= literal_column("''"),
                deliveries.c.finished_at.is_(None),
                deliveries.c.state == literal_column(f"'{DeliveryState.PENDING}'"),
                deliveries.c.attempts > literal_column("0"),
                # And not as the index of all that is due could use it.
                func.coalesce(deliveries.c.due_at, literal_column("0")) > now,
            )
            .values(due_at=now)
        )
    return [None] * len(runs)


def look_again(connection: Connection, runs: Sequence[tuple[DeliveryState, datetime]]) -> list[None]:
    """Make due what is held back in a state: what holds it back may have changed."""
    for state, now in runs:
        connection.execute(
            update(deliveries)
            .where(
                # As the index says it that has what is held back: not by that of what is due in each channel.
                deliveries.c.finished_at.is_(None),
                deliveries.c.state != literal_column(f"'{DeliveryState.PENDING}'"),
                deliveries.c.state == state,
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
        upsert(connection, cursors, ["scope"], [{"scope": ALIVE, "value": at.isoformat()}])
    return [None] * len(beats)


def probe(connection: Connection, moments: Sequence[datetime]) -> list[None]:
    """Write something that nobody reads."""
    upsert(connection, cursors, ["scope"], [{"scope": _PROBE, "value": moments[-1].isoformat()}])
    return [None] * len(moments)


def keep_first(connection: Connection, offered: Sequence[tuple[str, str]]) -> list[str]:
    """Keep each value under its scope, unless one is there already; return those that are there then."""
    kept = []
    for scope, value in offered:
        insert_if_new(connection, cursors, {"scope": scope, "value": value})
        kept.append(connection.execute(select(cursors.c.value).where(cursors.c.scope == scope)).scalar_one())
    return kept


def know_channels(connection: Connection, runs: Sequence[tuple[frozenset[str], datetime]]) -> list[int]:
    """Hold the pending deliveries of channels that are no longer configured; free those that are again."""
    held = []
    for names, now in runs:
        for name in sorted(names):
            connection.execute(
                update(deliveries)
                .where(deliveries.c.channel == name, deliveries.c.state == DeliveryState.HELD)
                .values(state=DeliveryState.PENDING, finished_at=None)
            )
        held.append(0)
        for name in _waited_for(connection):
            if name not in names:
                result = connection.execute(
                    update(deliveries)
                    .where(
                        deliveries.c.channel == name,
                        deliveries.c.finished_at.is_(None),
                        # As the index of what waits says it, with its next column: the index of channels has
                        # all that was ever sent.
                        deliveries.c.due_at > literal_column("-1"),
                    )
                    .values(state=DeliveryState.HELD, finished_at=now)
                )
                held[-1] += result.rowcount
    return held


def _waited_for(connection: Connection) -> list[str]:
    """Return the channels for which something waits, by looking up the next one as often as there are any."""
    found: list[str] = []
    query = select(deliveries.c.channel).where(deliveries.c.finished_at.is_(None))
    query = query.order_by(deliveries.c.channel).limit(1)
    name = connection.execute(query).scalar()
    while name is not None:
        found.append(name)
        name = connection.execute(query.where(deliveries.c.channel > name)).scalar()
    return found
