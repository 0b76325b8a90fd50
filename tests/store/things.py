"""Plain values to put into a store."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.model.alert import Alert, AlertState
from relay.model.delivery import Attempt, Delivery, DeliveryState, Outcome
from relay.model.event import Event, Status, Subject, SubjectKind
from relay.model.plan import Plan
from relay.model.severity import Severity
from relay.store import Claim, Filter, Settlement, Store

NOW = datetime(2026, 11, 23, 21, 0, 0, 123456, tzinfo=UTC)
HELL = "a\0b \ud800 \U0001f525 c"
CLEAN = "a\ufffdb \ufffd \U0001f525 c"


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def event(name: str, **fields: Any) -> Event:
    given: dict[str, Any] = {
        "type": "trust.deleted",
        "status": Status.EVENT,
        "cluster": "prod",
        "severity": Severity.CRITICAL,
        "subject": Subject(SubjectKind.REPOSITORY, "prod/app"),
        "summary": "Trust data of prod/app was deleted",
        "happened_at": NOW,
        "seen_at": NOW,
    }
    return Event(id=name, **(given | fields))


def alert(name: str, state: AlertState = AlertState.FIRING, **fields: Any) -> Alert:
    given: dict[str, Any] = {
        "fingerprint": f"fingerprint of {name}",
        "type": "cluster.issue",
        "cluster": "prod",
        "watcher": "cluster_status",
        "source": "",
        "severity": Severity.WARNING,
        "subject": Subject(SubjectKind.ISSUE, "table_availability"),
        "summary": "An issue",
        "starts_at": NOW,
    }
    return Alert(id=name, state=state, **(given | fields))


def delivery(name: str, *events: str, **fields: Any) -> Delivery:
    told = events or (name,)
    given: dict[str, Any] = {
        "channel": "soc",
        "rule": "all",
        "thread": told[0],
        "created_at": NOW,
        "due_at": NOW,
    }
    return Delivery(id=name, events=told, **(given | fields))


def plan_of(*deliveries: Delivery, **fields: Any) -> Plan:
    """A plan of these deliveries and of the events that they tell."""
    told = dict.fromkeys(id for each in deliveries for id in each.events)
    return Plan(events=tuple(event(id) for id in told), deliveries=deliveries, **fields)


async def claims(store: Store, channel: str = "soc", taken: Iterable[int] = (), **given: Any) -> list[Claim]:
    now, limit = given.get("now", NOW), given.get("limit", 100)
    return await store.due(channel, now, limit, set(taken))


async def due(store: Store, channel: str = "soc", taken: Iterable[int] = (), **given: Any) -> list[str]:
    return [claim.delivery.id for claim in await claims(store, channel, taken, **given)]


async def one(store: Store, name: str) -> Delivery:
    found = [each for each in await store.find_deliveries(name) if each.id == name]
    assert len(found) == 1
    return found[0]


def settled(
    claimed: Delivery,
    state: DeliveryState = DeliveryState.DELIVERED,
    at: datetime = NOW,
    follow_ups: tuple[Delivery, ...] = (),
    **changes: Any,
) -> Settlement:
    """What the engine writes after an attempt."""
    number = claimed.attempts + 1
    outcome = Outcome.DELIVERED if state is DeliveryState.DELIVERED else Outcome.RETRY
    finished_at = None if state is DeliveryState.PENDING else at
    return Settlement(
        replace(claimed, state=state, attempts=number, finished_at=finished_at, **changes),
        Attempt(claimed.id, number, at, 0.25, outcome),
        follow_ups,
    )


async def states(store: Store) -> dict[str, str]:
    """What became of every delivery, by id."""
    return {each.id: str(each.state) for each in await store.list_deliveries(Filter(limit=10_000))}
