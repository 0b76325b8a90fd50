"""The log's lines about what was decided, one each, with the ids by which to follow it."""

import logging
from collections.abc import Collection, Mapping
from typing import Final

import structlog

from relay.model.alert import AlertState
from relay.model.delivery import HELD_BACK, Delivery, DeliveryState
from relay.model.plan import Plan, Rewrite
from relay.model.telemetry import Attempted
from relay.store import Claim, Waiting

_log = structlog.get_logger("relay.decisions")

_LISTED: Final = 20
"""So many ids one line lists at the most."""
_BORN_APART: Final = HELD_BACK | {DeliveryState.HELD, DeliveryState.GROUPED}
"""States in which a delivery may begin that is not to be sent as it is."""


def log_plan(plan: Plan) -> None:
    """Log what a committed plan decided: events and where they go; at debug level what is only pending."""
    log = _log.bind()
    if not log.is_enabled_for(logging.INFO):
        return
    ways: dict[str, list[Delivery]] = {}
    for delivery in plan.deliveries:
        for id in delivery.events:
            ways.setdefault(id, []).append(delivery)
    for event in plan.events:
        made = ways.get(event.id, [])
        log.info(
            event.summary,
            event_id=event.id,
            **({} if event.alert is None else {"alert": event.alert}),
            type=event.type,
            cluster=event.cluster,
            status=event.status.value,
            severity=event.severity.value,
            routed=event.id not in plan.unrouted,
            rules=sorted({each.rule for each in made}),
            channels=sorted({each.channel for each in made}),
            deliveries=[each.id for each in made[:_LISTED]],
        )
    for alert in plan.alerts:
        if alert.state is AlertState.PENDING:
            _log.debug("alert pending", alert=alert.id, type=alert.type, cluster=alert.cluster)
    for event in plan.waiting:
        _log.debug("event waits to be examined", event_id=event.id, type=event.type, cluster=event.cluster)
    for delivery in plan.deliveries:
        if delivery.state in _BORN_APART:
            _log_state(delivery)


def as_they_were(claims: Collection[Claim], backlog: Waiting | None = None) -> dict[str, Delivery]:
    """Return by id the deliveries that were looked at together."""
    waiting = [each.waiting for each in claims if each.waiting is not None]
    found = {claim.delivery.id: claim.delivery for claim in claims}
    for each in [*waiting, *([] if backlog is None else [backlog])]:
        found.update({delivery.id: delivery for delivery in each.deliveries})
    return found


def log_rewrite(before: Mapping[str, Delivery], rewrite: Rewrite) -> None:
    """Log what became of waiting deliveries; ``before`` has them by id as they were, where that is known.

    One that stays as it was, to be looked at again later, is not told anew.
    """
    for delivery in rewrite.changed:
        was = before.get(delivery.id)
        if was is None or was.state is not delivery.state:
            _log_state(delivery)
    for delivery in rewrite.added:
        _log.info(
            "delivery made of others",
            delivery=delivery.id,
            channel=delivery.channel,
            rule=delivery.rule,
            reason=delivery.reason.value,
            state=delivery.state.value,
            thread=delivery.thread,
            events=len(delivery.events) + delivery.more,
        )


def log_attempt(attempted: Attempted) -> None:
    """Log how an attempt ended and what became of its delivery: a warning where it went wrong."""
    delivery = attempted.delivery
    pending = delivery.state is DeliveryState.PENDING
    log = _log.info if attempted.error is None else _log.warning
    log(
        "delivery will be tried again" if pending else f"delivery {delivery.state.value}",
        delivery=delivery.id,
        channel=delivery.channel,
        rule=delivery.rule,
        thread=delivery.thread,
        events=list(delivery.events[:_LISTED]),
        attempt=delivery.attempts,
        seconds=round(attempted.seconds, 3),
        error=attempted.error,
        **({"again_at": delivery.due_at.isoformat()} if pending else {}),
    )


def _log_state(delivery: Delivery) -> None:
    # What it is told with, or what came instead, has a line of its own.
    log = _log.debug if delivery.state is DeliveryState.GROUPED else _log.info
    log(
        f"delivery {delivery.state.value}",
        delivery=delivery.id,
        channel=delivery.channel,
        rule=delivery.rule,
        thread=delivery.thread,
        events=list(delivery.events[:_LISTED]),
        why=delivery.note,
        **({} if delivery.merged_into is None else {"into": delivery.merged_into}),
    )
