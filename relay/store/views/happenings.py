"""Pages of events and alerts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    and_,
    cast,
    false,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects import postgresql

from relay.model.alert import Alert, AlertState
from relay.model.event import Event, Status
from relay.model.patterns import Patterns
from relay.model.severity import Severity
from relay.model.text import storable
from relay.store.schema import alerts, events
from relay.store.views.paging import (
    MOST_SCANNED,
    MOST_SEARCHED,
    Arm,
    Page,
    between,
    bounded,
    contains,
    is_glob,
    matches,
    page_by_seq,
)

Start = tuple[datetime, str]
"""When an alert started, and its id."""
_MANY_TYPES = 200
"""Types of one glob that are looked for: there are a few dozen."""


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are wanted; None: any.

    ``type`` is a type or a glob (``trust.*``), ``severity`` the least one, ``subject`` the whole name of one.
    ``search`` is contained in the summary, the subject, the type or the id. ``before`` is the ``next`` of the
    page before.
    """

    type: str | None = None
    cluster: str | None = None
    severity: Severity | None = None
    status: Status | None = None
    subject: str | None = None
    alert: str | None = None
    routed: bool | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None
    before: int | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Taken:
    """An event as it was taken: its number in that order, and whether a rule took it."""

    seq: int
    routed: bool
    event: Event


@dataclass(frozen=True, slots=True)
class AlertQuery:
    """Which alerts are wanted; None: any. ``open``: pending or firing. ``since`` is of their starts.

    The rest is as for events.
    """

    state: AlertState | None = None
    open: bool | None = None
    type: str | None = None
    cluster: str | None = None
    severity: Severity | None = None
    since: datetime | None = None
    until: datetime | None = None
    search: str | None = None
    before: Start | None = None
    limit: int = 50


def list_events(connection: Connection, wanted: EventQuery) -> Page[Taken, int]:
    """Return events, the latest taken first."""
    arms, others = _event_arms(connection, wanted)
    numbers, times = between(connection, events, events.c.seen_at, wanted.since, wanted.until)
    others += times
    search = storable(wanted.search or "")
    if search:
        others.append(_searched(connection, events.c.body, [events.c.id, events.c.type], search))
    return page_by_seq(
        connection,
        events,
        arms,
        others,
        lambda row: Taken(row["seq"], row["routed"], Event.from_json(row["body"])),
        within=numbers,
        before=wanted.before,
        limit=wanted.limit,
        most=MOST_SEARCHED if search else MOST_SCANNED,
    )


def one_event(connection: Connection, id: str) -> Taken | None:
    """Return an event by its whole id, None if there is none."""
    row = connection.execute(select(events).where(events.c.id == id)).one_or_none()
    return None if row is None else Taken(row.seq, row.routed, Event.from_json(row.body))


def one_alert(connection: Connection, id: str) -> Alert | None:
    """Return an alert by its whole id, None if there is none."""
    body = connection.execute(select(alerts.c.body).where(alerts.c.id == id)).scalar()
    return None if body is None else Alert.from_json(body)


def _event_arms(connection: Connection, wanted: EventQuery) -> tuple[list[Arm], list[ColumnElement[bool]]]:
    """Return what an index answers, the one that leads to the fewest rows, and what has to be looked at."""
    ways: list[list[Arm]] = []
    if wanted.alert is not None:
        ways.append([[events.c.alert == wanted.alert]])
    if wanted.type is not None:
        ways.append([[events.c.type == each] for each in _types(connection, wanted.type)])
    if wanted.routed is False:
        ways.append([[_UNROUTED]])
    if wanted.cluster is not None:
        ways.append([[events.c.cluster == wanted.cluster]])
    others: list[ColumnElement[bool]] = [or_(false(), *(and_(*arm) for arm in way)) for way in ways[1:]]
    if wanted.routed:
        others.append(events.c.routed)
    if wanted.severity is not None:
        others.append(events.c.severity.in_(_at_least(wanted.severity)))
    if wanted.status is not None:
        others.append(events.c.status == wanted.status)
    if wanted.subject is not None:
        others.append(events.c.subject == wanted.subject)
    return (ways[0] if ways else [[]]), others


_UNROUTED: ColumnElement[bool] = literal_column("NOT routed")
"""As the partial index says it."""


_OPEN: ColumnElement[bool] = alerts.c.state != literal_column(f"'{AlertState.RESOLVED}'")
"""As the partial index says it. There are never many."""


def _types(connection: Connection, pattern: str) -> list[str]:
    """Return the types of events that a glob matches, found by skipping through the index."""
    if not is_glob(pattern):
        return [pattern]
    found: list[str] = []
    next_type = select(func.min(events.c.type))
    one = connection.execute(next_type).scalar()
    while one is not None:
        found.append(one)
        one = connection.execute(next_type.where(events.c.type > one)).scalar()
    matching = Patterns([pattern])
    return [each for each in found if matching.match(each)][:_MANY_TYPES]


def list_alerts(connection: Connection, wanted: AlertQuery) -> Page[Alert, Start]:
    """Return alerts, the latest to start first."""
    limit = bounded(wanted.limit)
    driving, others = _alert_conditions(connection, wanted)
    if wanted.before is not None:
        at, id = wanted.before
        driving += [alerts.c.starts_at <= at, or_(alerts.c.starts_at < at, alerts.c.id > id)]
    # What is open is few among many: found by its index, then put in order.
    starts = func.coalesce(alerts.c.starts_at, 0) if wanted.open else alerts.c.starts_at
    order = (starts.desc(), alerts.c.id)
    most = MOST_SEARCHED if wanted.search else MOST_SCANNED
    last: Any = None
    if others:
        place = select(alerts.c.starts_at, alerts.c.id).where(*driving).order_by(*order)
        last = connection.execute(place.offset(most - 1).limit(1)).one_or_none()
    if last is not None:
        at, id = last
        others += [alerts.c.starts_at >= at, or_(alerts.c.starts_at > at, alerts.c.id <= id)]
    query = select(alerts.c.body).where(*driving, *others).order_by(*order).limit(limit + 1)
    found = [Alert.from_json(body) for body in connection.execute(query).scalars()]
    if len(found) > limit:
        return Page(tuple(found[:limit]), (found[limit - 1].starts_at, found[limit - 1].id))
    return Page(tuple(found), None if last is None else (last[0], last[1]), cut=last is not None)


def _alert_conditions(
    connection: Connection, wanted: AlertQuery
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    driving: list[ColumnElement[bool]] = []
    others: list[ColumnElement[bool]] = []
    if wanted.open:
        driving.append(_OPEN)
    elif wanted.open is False:
        others.append(alerts.c.state == AlertState.RESOLVED)
    if wanted.since is not None:
        driving.append(alerts.c.starts_at >= wanted.since)
    if wanted.until is not None:
        driving.append(alerts.c.starts_at < wanted.until)
    if wanted.state is not None:
        others.append(alerts.c.state == wanted.state)
    if wanted.type is not None:
        others.append(matches(alerts.c.type, wanted.type))
    if wanted.cluster is not None:
        others.append(alerts.c.cluster == wanted.cluster)
    if wanted.severity is not None:
        others.append(alerts.c.severity.in_(_at_least(wanted.severity)))
    if wanted.search:
        others.append(
            _searched(connection, alerts.c.body, [alerts.c.id, alerts.c.type], storable(wanted.search))
        )
    return driving, others


def _at_least(severity: Severity) -> list[Severity]:
    return [each for each in Severity if each >= severity]


def _searched(connection: Connection, body: Column[str], columns: Sequence[Column[str]], wanted: str) -> Any:
    """Return the condition that the summary or one of the columns contains what is searched for."""
    # What is contained in none of the body is not in the summary either: few are taken apart.
    anywhere = contains(connection, body, json.dumps(wanted, ensure_ascii=False)[1:-1])
    if connection.dialect.name == "postgresql":
        parsed = cast(body, postgresql.JSON)
        summary, subject = parsed["summary"].astext, parsed["subject"]["name"].astext
    else:
        summary, subject = func.json_extract(body, "$.summary"), func.json_extract(body, "$.subject.name")
    return and_(anywhere, or_(*(contains(connection, each, wanted) for each in (*columns, summary, subject))))
