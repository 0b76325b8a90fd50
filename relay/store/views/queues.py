"""How much waits in the outbox, channel by channel."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, case, func, literal_column, select

from relay.model.delivery import HELD_BACK, DeliveryState
from relay.store.schema import Instant, deliveries

_UNFINISHED = (DeliveryState.PENDING, *sorted(HELD_BACK))


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one channel: how many deliveries in each state that is not finished.

    ``ready`` are those that could have gone out by now, and wait for their receiver or their turn;
    ``ready_since`` is when the first of them could first have gone out, None if there is none.
    """

    states: Mapping[DeliveryState, int] = field(default_factory=dict)
    ready: int = 0
    ready_since: datetime | None = None


def queues(connection: Connection, now: datetime) -> dict[str, Queue]:
    """Return what waits, by channel; channels for which nothing waits are left out.

    It reads what is not finished, in the order of its index, and nothing else.
    """
    since = func.coalesce(deliveries.c.ready_at, deliveries.c.due_at, type_=Instant)
    ready = (deliveries.c.state == literal_column(f"'{DeliveryState.PENDING}'")) & (since <= now)
    query = (
        select(
            deliveries.c.channel,
            # Side by side: grouped by state as well, SQLite would sort, or read all that was ever sent.
            *(
                func.sum(case((deliveries.c.state == literal_column(f"'{state}'"), 1), else_=0))
                for state in _UNFINISHED
            ),
            func.sum(case((ready, 1), else_=0)),
            func.min(case((ready, since), else_=None), type_=Instant),
        )
        .where(deliveries.c.finished_at.is_(None))
        .group_by(deliveries.c.channel)
    )
    return {
        channel: Queue(dict(zip(_UNFINISHED, map(int, counts), strict=True)), int(waiting), first)
        for channel, *counts, waiting, first in connection.execute(query)
    }
