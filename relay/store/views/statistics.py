"""How much was told lately, how fast, and how much waits: for charts, at a bounded cost."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, case, func, select, type_coerce

from relay.model.delivery import HELD_BACK, DeliveryState
from relay.model.evidence import microseconds
from relay.store.schema import deliveries
from relay.store.views.outbox import COUNTED, Count, count_states

_SAMPLE = 20_000
"""Deliveries that are looked at for one chart: of more, some that chance chooses."""
_MOST = 2_000_000
"""Finished deliveries that are counted for one chart, the latest ones."""
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Upper bounds, in seconds, of the classes by which quantiles are estimated."""
_SECOND = 1_000_000
_SENT = (DeliveryState.DELIVERED, DeliveryState.PARTIAL)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Slot:
    """What finished within a slot of time, which begins ``at``.

    ``finished`` has how many deliveries by state, ``failed`` how many of their attempts were in vain. Of
    those that were sent, ``mean``, ``p50``, ``p95`` and ``most`` are seconds from when they could first have
    gone out until they had; None if there are none. ``p50`` and ``p95`` are rounded up to one of BOUNDS.
    """

    at: datetime
    finished: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0
    mean: float | None = None
    p50: float | None = None
    p95: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Statistics:
    """What finished in slots of time, the earliest first: of all channels together, and of each.

    ``one_of``: 1 if everything was looked at, else one of about so many deliveries was, and counts are
    estimates. ``since`` is from when on everything is in it: earlier slots are empty if more finished than is
    counted.
    """

    every: timedelta
    since: datetime
    one_of: int
    total: tuple[Slot, ...]
    channels: Mapping[str, tuple[Slot, ...]]


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a channel.

    ``ready`` could have gone out by now, ``oldest`` is since when the first of it could have; ``later`` is to
    be told later. ``held_back`` counts the rest by state. Of more than is counted, that which came first.
    """

    ready: Count
    later: Count
    oldest: datetime | None
    held_back: Mapping[str, Count]


@dataclass(slots=True)
class _Sum:
    """What is added up for one slot of one channel."""

    finished: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    classes: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    micros: int = 0
    most: int = 0


def statistics(connection: Connection, now: datetime, every: timedelta, slots: int) -> Statistics:
    """Return what finished in so many slots, the last of which holds ``now``."""
    width = every // timedelta(microseconds=1)
    first = microseconds(now) // width - slots + 1
    finished = type_coerce(deliveries.c.finished_at, BigInteger)
    # Not finished at any time before: a query that says so uses the partial index.
    span = [deliveries.c.finished_at.is_not(None), finished >= first * width]
    span.append(finished < (first + slots) * width)
    latest = select(finished.label("at")).where(*span).order_by(finished.desc()).limit(_MOST).subquery()
    count, least = connection.execute(select(func.count(), func.min(latest.c.at))).one()
    since = first * width
    if count == _MOST:
        since = (least // width + 1) * width
        span.append(finished >= since)
    one_of = max(1, -(-count // _SAMPLE))
    sums: dict[tuple[str | None, int], _Sum] = {}
    for row in connection.execute(_grouped(finished, width, [*span, *_some(one_of)])):
        for channel in (None, row.channel):
            _add(sums.setdefault((channel, row.slot - first), _Sum()), row, one_of)
    names = sorted({channel for channel, _ in sums if channel is not None})

    def line(channel: str | None) -> tuple[Slot, ...]:
        return tuple(_slot(_moment((first + n) * width), sums.get((channel, n))) for n in range(slots))

    return Statistics(every, _moment(since), one_of, line(None), {name: line(name) for name in names})


def _grouped(finished: ColumnElement[int], width: int, conditions: Sequence[ColumnElement[bool]]) -> Any:
    took = finished - type_coerce(func.coalesce(deliveries.c.ready_at, deliveries.c.created_at), BigInteger)
    bounds = [(took <= int(bound * _SECOND), n) for n, bound in enumerate(BOUNDS)]
    by = (
        deliveries.c.channel.label("channel"),
        deliveries.c.state.label("state"),
        (finished // width).label("slot"),
        case(*bounds, else_=len(BOUNDS)).label("class_"),
    )
    inner = (
        select(*by, deliveries.c.attempts.label("attempts"), took.label("took")).where(*conditions).subquery()
    )
    columns = [inner.c.channel, inner.c.state, inner.c.slot, inner.c.class_]
    return select(
        *columns,
        func.count().label("number"),
        func.sum(inner.c.attempts).label("attempts"),
        func.sum(inner.c.took).label("took"),
        func.max(inner.c.took).label("most"),
    ).group_by(*columns)


def _some(one_of: int) -> list[ColumnElement[bool]]:
    """Return the condition for about one of so many rows, which is the same at every time.

    Not every n-th: each event may make as many deliveries. Their numbers are scattered (Knuth's
    multiplicative hashing), and some of the range is taken. The index has the numbers, so that the others
    are not even read.
    """
    if one_of == 1:
        return []
    range_ = 1 << 32
    return [(deliveries.c.seq % (1 << 20)) * 2654435761 % range_ < range_ // one_of]


def _add(total: _Sum, row: Any, one_of: int) -> None:
    number = row.number * one_of
    total.finished[row.state] = total.finished.get(row.state, 0) + number
    sent = row.state in _SENT
    # The last attempt of what was sent was not in vain.
    total.failed += (int(row.attempts) - (row.number if sent else 0)) * one_of
    if sent:
        total.classes[row.class_] += number
        total.micros += int(row.took) * one_of
        total.most = max(total.most, int(row.most))


def _slot(at: datetime, total: _Sum | None) -> Slot:
    if total is None:
        return Slot(at)
    sent, most = sum(total.classes), total.most / _SECOND
    if not sent:
        return Slot(at, total.finished, total.failed)
    return Slot(
        at,
        total.finished,
        total.failed,
        max(0.0, total.micros / sent / _SECOND),
        _quantile(total.classes, 0.5, most),
        _quantile(total.classes, 0.95, most),
        most,
    )


def _quantile(classes: Sequence[int], share: float, most: float) -> float:
    left = share * sum(classes)
    for number, bound in zip(classes, BOUNDS, strict=False):
        left -= number
        if left <= 0:
            return min(bound, most)
    return most


def backlogs(
    connection: Connection, channels: Collection[str], now: datetime, most: int = COUNTED
) -> dict[str, Backlog]:
    """Return what waits in each of these channels."""
    return {channel: _backlog(connection, channel, now, most) for channel in channels}


def _backlog(connection: Connection, channel: str, now: datetime, most: int) -> Backlog:
    mine = deliveries.c.channel == channel
    waits = (
        select(func.coalesce(deliveries.c.ready_at, deliveries.c.due_at).label("ready_at"))
        .where(mine, deliveries.c.state == DeliveryState.PENDING)
        .order_by(deliveries.c.seq)
        .limit(most + 1)
        .subquery()
    )
    ready = waits.c.ready_at <= now
    every, by_now, oldest = connection.execute(
        select(
            func.count(),
            func.count(case((ready, 1))),
            func.min(case((ready, waits.c.ready_at))),
        )
    ).one()
    more = every > most
    return Backlog(
        Count(min(by_now, most), more),
        Count(every - by_now, more),
        oldest,
        count_states(connection, channel, most, sorted(HELD_BACK)),
    )


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
