"""Events and alerts: what happened, and what is wrong."""

from http import HTTPStatus
from typing import Any, Final

from pydantic import Field

from relay.model.access import Scope
from relay.model.alert import AlertState
from relay.model.errors import NotFoundError
from relay.model.event import Status
from relay.model.severity import Severity
from relay.server.api.documents import AlertDocument, DeliveryDocument, EventDocument
from relay.server.api.operation import CUT, Call, Document, Nothing, Operation, Paged, Time
from relay.server.api.paging import cursor, seq_of, start_of
from relay.store import AlertQuery, DeliveryQuery, EventQuery

TAG: Final = "events and alerts"
_TIMELINE: Final = 200
_TOLD: Final = 200


class Events(Paged):
    """Which events are wanted."""

    type: str | None = Field(None, max_length=200, description="a type, or a glob such as `trust.*`")
    cluster: str | None = Field(None, max_length=200, description="the name of a cluster")
    severity: Severity | None = Field(None, description="at least this one")
    status: Status | None = Field(None, description="`event` for one-offs, `firing`, `resolved`")
    subject: str | None = Field(None, max_length=500, description="the whole name: a repository, a replica")
    alert: str | None = Field(None, max_length=100, description="the id of the alert that they tell of")
    routed: bool | None = Field(None, description="whether a rule took it")
    since: Time | None = Field(None, description="seen at or after this time")
    until: Time | None = Field(None, description="seen before this time")
    search: str | None = Field(
        None, min_length=1, max_length=200, description="contained in summary, subject, type or id"
    )


class TakenEvent(EventDocument):
    """An event, and whether a rule took it."""

    routed: bool


class EventPage(Document):
    """A page of events, the latest taken first."""

    items: list[TakenEvent]
    next: str | None
    cut: bool = Field(description=CUT)


class EventInFull(TakenEvent):
    """An event, and the deliveries that tell of it."""

    deliveries: list[DeliveryDocument]


class Alerts(Paged):
    """Which alerts are wanted."""

    state: AlertState | None = Field(None, description="`pending`, `firing` or `resolved`")
    open: bool | None = Field(None, description="true: pending or firing; false: resolved")
    type: str | None = Field(None, max_length=200, description="a type, or a glob such as `trust.*`")
    cluster: str | None = Field(None, max_length=200, description="the name of a cluster")
    severity: Severity | None = Field(None, description="at least this one")
    since: Time | None = Field(None, description="started at or after this time")
    until: Time | None = Field(None, description="started before this time")
    search: str | None = Field(
        None, min_length=1, max_length=200, description="contained in summary, subject, type or id"
    )


class AlertPage(Document):
    """A page of alerts, the latest start first."""

    items: list[AlertDocument]
    next: str | None
    cut: bool = Field(description=CUT)


class AlertInFull(AlertDocument):
    """An alert, its events, and the deliveries that tell of it."""

    events: list[EventDocument]
    deliveries: list[DeliveryDocument]


async def list_events(call: Call[Events, None]) -> EventPage:
    """List what happened.

    The latest come first, in the order in which the relay took them.
    """
    said = call.query.model_dump(exclude={"cursor"})
    page = await call.service.operator.store.views.events(
        EventQuery(**said, before=seq_of(call.query.cursor))
    )
    items = [_taken(each.event, routed=each.routed) for each in page.rows]
    return EventPage(items=items, next=cursor(page.next), cut=page.cut)


def _taken(event: Any, *, routed: bool) -> TakenEvent:
    known = EventDocument.model_validate(event)
    return TakenEvent(**dict(known), routed=routed)


async def show_event(call: Call[Nothing, None]) -> EventInFull:
    """Show one event with the deliveries that tell of it."""
    id, views = call.path["event"], call.service.operator.store.views
    found = await views.event(id)
    if found is None:
        raise NotFoundError(f"there is no event {id}: it may be no longer kept")
    told = (await views.deliveries(DeliveryQuery(event=id, limit=_TOLD))).rows
    known = EventDocument.model_validate(found.event)
    deliveries = [DeliveryDocument.of(each, {id: found.event}) for each in told]
    return EventInFull(**dict(known), routed=found.routed, deliveries=deliveries)


async def list_alerts(call: Call[Alerts, None]) -> AlertPage:
    """List alerts, the latest start first."""
    said = call.query.model_dump(exclude={"cursor"})
    operator, scene = call.service.operator, call.service.running().scene
    page = await operator.store.views.alerts(AlertQuery(**said, before=start_of(call.query.cursor)))
    now = operator.clock.now()
    items = [AlertDocument.of(each, scene, now) for each in page.rows]
    return AlertPage(items=items, next=cursor(page.next), cut=page.cut)


async def show_alert(call: Call[Nothing, None]) -> AlertInFull:
    """Show one alert with its events and the deliveries that tell of it."""
    operator = call.service.operator
    alert = await operator.find_alert(call.path["alert"])
    views = operator.store.views
    page = await views.events(EventQuery(alert=alert.id, limit=_TIMELINE))
    events = [each.event for each in page.rows]
    told = (await views.deliveries(DeliveryQuery(alert=alert.id, limit=_TOLD))).rows
    known = {each.id: each for each in events}
    document = AlertDocument.of(alert, call.service.running().scene, operator.clock.now())
    return AlertInFull(
        **dict(document),
        events=[EventDocument.model_validate(each) for each in events],
        deliveries=[DeliveryDocument.of(each, known) for each in told],
    )


_GONE: Final = (HTTPStatus.NOT_FOUND,)

OPERATIONS: Final = (
    Operation("GET", "/events", list_events, EventPage, Scope.READ, TAG, query=Events),
    Operation(
        "GET", "/events/{event}", show_event, EventInFull, Scope.READ, TAG,
        refusals=_GONE, path_texts={"event": "the event's id"},
    ),
    Operation("GET", "/alerts", list_alerts, AlertPage, Scope.READ, TAG, query=Alerts),
    Operation(
        "GET", "/alerts/{alert}", show_alert, AlertInFull, Scope.READ, TAG,
        refusals=(*_GONE, HTTPStatus.CONFLICT),
        path_texts={"alert": "the alert's id, or how it begins; or that of an event that tells of it"},
    ),
)  # fmt: skip
"""What can be asked of events and alerts."""
