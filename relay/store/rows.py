"""Between rows and the model's types."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import RowMapping

from relay.model.alert import Alert
from relay.model.delivery import (
    Attempt,
    ChannelHealth,
    ChannelState,
    Delivery,
    DeliveryState,
    Outcome,
    Reason,
    TargetOutcome,
)
from relay.model.event import Event
from relay.model.plan import Group
from relay.model.silence import Acknowledgement, Silence
from relay.model.text import storable_tree

T = TypeVar("T")


def event_row(event: Event, *, routed: bool) -> dict[str, Any]:
    """Return an event as a row."""
    return {
        "id": event.id,
        "type": event.type,
        "status": event.status,
        "cluster": event.cluster,
        "severity": event.severity,
        "subject": event.subject.name,
        "alert": event.alert,
        "seen_at": event.seen_at,
        "routed": routed,
        "body": _body(_EVENT, event),
    }


def alert_row(alert: Alert) -> dict[str, Any]:
    """Return an alert as a row."""
    return {
        "id": alert.id,
        "fingerprint": alert.fingerprint,
        "type": alert.type,
        "cluster": alert.cluster,
        "state": alert.state,
        "severity": alert.severity,
        "starts_at": alert.starts_at,
        "ends_at": alert.ends_at,
        "body": _body(_ALERT, alert),
    }


def delivery_row(delivery: Delivery) -> dict[str, Any]:
    """Return a new delivery as a row; the database gives it its ``seq``."""
    return {
        "id": delivery.id,
        "channel": delivery.channel,
        "rule": delivery.rule,
        "thread": delivery.thread,
        "events": json.dumps(delivery.events),
        "state": delivery.state,
        "template": delivery.template,
        "created_at": delivery.created_at,
        "due_at": delivery.due_at,
        "finished_at": _finished_at(delivery),
        "attempts": delivery.attempts,
        "settled": _dump(delivery.settled),
        "delivered_to": _dump(delivery.delivered_to),
        "receipt": _dump(None if delivery.receipt is None else dict(delivery.receipt)),
        "replay_of": delivery.replay_of,
        "last_error": delivery.last_error,
        "ready_at": delivery.waiting_since,
        "reason": delivery.reason,
        "gathered": delivery.gathered,
        "group_key": _dump(None if delivery.group is None else dict(delivery.group)),
        "more": delivery.more,
        "part": delivery.part,
        "parts": delivery.parts,
        "merged_into": delivery.merged_into,
        "note": delivery.note,
    }


def _finished_at(delivery: Delivery) -> datetime | None:
    """What is pending is not finished, what is held for a channel that is gone is: whatever made it."""
    if delivery.state is DeliveryState.PENDING:
        return None
    if delivery.state is DeliveryState.HELD:
        return delivery.finished_at or delivery.created_at
    return delivery.finished_at


def reviewed_row(delivery: Delivery) -> dict[str, Any]:
    """Return what looking at a waiting delivery may change of it, for an update by ``seq``."""
    row = delivery_row(delivery)
    kept = ("state", "due_at", "finished_at", "ready_at", "events", "merged_into", "note")
    return {"seq": delivery.seq, **{name: row[name] for name in kept}}


def settled_row(delivery: Delivery) -> dict[str, Any]:
    """Return what an attempt changes of a delivery, for an update by ``seq``."""
    return {
        "seq": delivery.seq,
        "state": delivery.state,
        "due_at": delivery.due_at,
        "finished_at": delivery.finished_at,
        "attempts": delivery.attempts,
        "settled": _dump(delivery.settled),
        "delivered_to": _dump(delivery.delivered_to),
        "receipt": _dump(None if delivery.receipt is None else dict(delivery.receipt)),
        "last_error": delivery.last_error,
    }


def read_delivery(row: RowMapping) -> Delivery:
    """Return the delivery of a row that has all columns in the table's order."""
    (
        seq, id, channel, rule, thread, told, state, template, created_at, due_at, finished_at, attempts,
        settled, delivered_to, receipt, replay_of, last_error, ready_at, reason, gathered, group, more, part,
        parts, merged_into, note,
    ) = tuple[Any, ...](row.values())  # fmt: skip
    return Delivery(
        id=id,
        channel=channel,
        rule=rule,
        thread=thread,
        events=_texts(told),
        created_at=created_at,
        due_at=due_at,
        state=DeliveryState(state),
        template=template,
        attempts=attempts,
        settled=_texts(settled),
        delivered_to=_texts(delivered_to),
        receipt=load(receipt),
        replay_of=replay_of,
        last_error=last_error,
        seq=seq,
        ready_at=ready_at,
        finished_at=finished_at,
        reason=Reason(reason),
        gathered=gathered,
        group=load(group),
        more=more,
        part=part,
        parts=parts,
        merged_into=merged_into,
        note=note,
    )


def _texts(found: str) -> tuple[str, ...]:
    return () if found == "[]" else tuple(json.loads(found))


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt as a row."""
    return {
        "delivery": attempt.delivery,
        "number": attempt.number,
        "at": attempt.at,
        "seconds": attempt.seconds,
        "outcome": attempt.outcome,
        "status": attempt.status,
        "error": attempt.error,
        "answer": attempt.answer,
        "targets": _dump([[t.target, t.outcome, t.status, t.error] for t in attempt.targets]),
        "body": attempt.body,
        "plain": attempt.plain,
    }


def read_attempt(row: RowMapping) -> Attempt:
    """Return the attempt of a row."""
    fields = dict(row)
    fields["outcome"] = Outcome(row["outcome"])
    fields["targets"] = tuple(
        TargetOutcome(target, Outcome(outcome), status, error)
        for target, outcome, status, error in json.loads(row["targets"])
    )
    return Attempt(**fields)


def health_row(health: ChannelHealth) -> dict[str, Any]:
    """Return a channel's health as a row."""
    return {
        "channel": health.channel,
        "state": health.state,
        "since": health.since,
        "failures": health.failures,
        "reason": health.reason,
        "probe_at": health.probe_at,
        "by": health.by,
    }


def read_health(row: RowMapping) -> ChannelHealth:
    """Return the channel's health of a row."""
    return ChannelHealth(**{**row, "state": ChannelState(row["state"])})


def group_row(group: Group) -> dict[str, Any]:
    """Return a group as a row."""
    return {"id": group.id, "key": group.key, "opened_at": group.opened_at, "due_at": group.due_at}


def silence_row(silence: Silence) -> dict[str, Any]:
    """Return a silence as a row."""
    return {
        "id": silence.id,
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "body": _body(_SILENCE, silence),
    }


def read_silence(body: str) -> Silence:
    """Return the silence of a row's body."""
    found = _SILENCE.validate_json(body)
    # JSON has lists only; what was written equals what is read.
    return replace(found, intervals=tuple(found.intervals))


def acknowledgement_row(found: Acknowledgement) -> dict[str, Any]:
    """Return an acknowledgement as a row."""
    return {"thread": found.thread, "at": found.at, "body": _body(_ACKNOWLEDGEMENT, found)}


def read_acknowledgement(body: str) -> Acknowledgement:
    """Return the acknowledgement of a row's body."""
    return _ACKNOWLEDGEMENT.validate_json(body)


def contents_rows(delivery: Delivery) -> list[dict[str, Any]]:
    """Return which events a delivery tells, as rows."""
    return [{"event": event, "delivery": delivery.id} for event in delivery.events]


def load(text: str | None) -> Any:
    """Return what ``_dump`` wrote."""
    return None if text is None else json.loads(text)


def _dump(value: Any) -> str | None:
    if value == ():
        return "[]"
    # As ASCII: what is not storable would hide behind an escape, and come out again.
    return None if value is None else json.dumps(storable_tree(value))


_EVENT, _ALERT = TypeAdapter(Event), TypeAdapter(Alert)
_SILENCE, _ACKNOWLEDGEMENT = TypeAdapter(Silence), TypeAdapter(Acknowledgement)


def _body(adapter: TypeAdapter[T], thing: T) -> str:
    """Return a thing as JSON. Nearly all text is storable, so only what proves not to be is gone through."""
    try:
        body = adapter.dump_json(thing).decode()
    except PydanticSerializationError:
        body = None
    if body is None or "\\u0000" in body:
        return to_json(storable_tree(adapter.dump_python(thing))).decode()
    return body
