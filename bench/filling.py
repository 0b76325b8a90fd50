"""A store as it is after a long time: so many events and deliveries, the latest of them within the hour."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from relay.model.delivery import Delivery, DeliveryState
from relay.model.event import Event, Status, Subject, SubjectKind
from relay.model.severity import Severity
from relay.store import Store, rows
from relay.store.database import connect, parse_url
from relay.store.schema import attempts, contents, deliveries, events

_BATCH = 20_000
_DAYS = timedelta(days=20)
_TYPES = {
    "trust.updated": (Severity.INFO, 95),
    "trust.deleted": (Severity.CRITICAL, 4),
    "msr.tag_push": (Severity.INFO, 1),
}
_CHANNELS = {"soc": 7, "mail": 2, "chat": 1}
_STATES = {DeliveryState.DELIVERED: 97, DeliveryState.SUPERSEDED: 2, DeliveryState.DEAD: 1}


def fill(url: str, count: int) -> None:
    """Fill an empty store."""
    Store(url).close()
    engine = connect(parse_url(url), writing=True)
    made = _made(count, datetime.now(UTC))
    while batch := list(islice(made, _BATCH)):
        with engine.begin() as connection:
            connection.execute(events.insert(), [rows.event_row(event, routed=True) for event, _ in batch])
            connection.execute(deliveries.insert(), [rows.delivery_row(delivery) for _, delivery in batch])
            connection.execute(contents.insert(), [{"event": e.id, "delivery": d.id} for e, d in batch])
            connection.execute(attempts.insert(), [_attempt(delivery) for _, delivery in batch])
    engine.dispose()


def _made(count: int, now: datetime) -> Iterator[tuple[Event, Delivery]]:
    source = random.Random(1)
    for number in range(count):
        # The last tenth is of the last hour.
        late = number >= count * 0.9
        span, part = (
            (timedelta(hours=1), (number / count - 0.9) * 10) if late else (_DAYS, number / count / 0.9)
        )
        at = now - span * (1 - part) - (timedelta(0) if late else timedelta(hours=1))
        kind = source.choices(list(_TYPES), [share for _, share in _TYPES.values()])[0]
        name = f"team{source.randrange(100)}/app{source.randrange(10_000)}"
        event = Event(
            id=f"evt_{source.getrandbits(128):032x}",
            type=kind,
            status=Status.EVENT,
            cluster=source.choice(("prod", "lab")),
            severity=_TYPES[kind][0],
            subject=Subject(SubjectKind.REPOSITORY, name, gun=f"msr.example.com/{name}"),
            summary=f"{kind} of {name}",
            happened_at=at,
            seen_at=at,
            details={"record_id": str(number), "version": number % 50, "sha256": "ab" * 32},
        )
        delivery = Delivery(
            id=f"dlv_{source.getrandbits(128):032x}",
            channel=source.choices(list(_CHANNELS), list(_CHANNELS.values()))[0],
            rule="all",
            thread=event.id,
            events=(event.id,),
            created_at=at,
            due_at=at,
            ready_at=at,
            state=source.choices(list(_STATES), list(_STATES.values()))[0],
            attempts=1,
            finished_at=at + timedelta(seconds=source.expovariate(2)),
        )
        yield event, delivery


def _attempt(delivery: Delivery) -> dict[str, Any]:
    return {
        "delivery": delivery.id,
        "number": 1,
        "at": delivery.due_at,
        "seconds": 0.1,
        "outcome": "rejected" if delivery.state is DeliveryState.DEAD else "delivered",
        "status": 200,
        "error": None,
        "answer": "ok",
        "targets": "[]",
        "body": "{}",
        "plain": False,
    }
