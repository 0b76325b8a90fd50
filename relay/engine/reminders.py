"""Repeats: what still fires is told again. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from relay.engine.holding import RECHECK, finish, held_back, put_off
from relay.engine.scene import Scene
from relay.model.alert import Alert, AlertState
from relay.model.delivery import Delivery, DeliveryState, Reason
from relay.model.event import Status
from relay.model.ids import stable_id
from relay.model.plan import Rewrite
from relay.store import Claim


def follow_ups(sent: Delivery, scene: Scene, now: datetime) -> tuple[Delivery, ...]:
    """Return what repeats a finished delivery later, while alerts that it tells still fire."""
    rule = scene.rules.get(sent.rule)
    if rule is None or rule.repeat is None or sent.finished_at is None:
        return ()
    return tuple(
        Delivery(
            id=stable_id("dlv", sent.id, Reason.REPEAT, thread),
            channel=sent.channel,
            rule=sent.rule,
            thread=thread,
            events=events,
            created_at=now,
            due_at=now + rule.repeat,
            template=sent.template,
            reason=Reason.REPEAT,
            group=sent.group if sent.thread == thread else None,
        )
        for thread, events in _to_repeat(sent, scene)
    )


def _to_repeat(sent: Delivery, scene: Scene) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield thread and events of each repeat."""
    if sent.group is not None:
        firing = _of_group(sent, scene)
        if firing:
            yield sent.thread, tuple(alert.last_event or "" for alert in firing)
        return
    told = set(sent.events)
    for alert in scene.alerts.values():
        if alert.state is AlertState.FIRING and (alert.id == sent.thread or alert.last_event in told):
            yield alert.id, (alert.last_event or "",)


def _of_group(row: Delivery, scene: Scene) -> list[Alert]:
    """Return the alerts that a channel was told of in a group and that still fire."""
    return [
        alert
        for alert in scene.alerts.values()
        if alert.state is AlertState.FIRING
        and any(told.group == row.thread and told.channel == row.channel for told in alert.told)
    ]


def refresh(claim: Claim, scene: Scene, now: datetime) -> Rewrite | None:
    """Bring a repeat up to date: what it tells is what still fires, and is not held back."""
    row = claim.delivery
    waiting = claim.waiting
    if waiting is not None and any(
        other.seq > row.seq and other.due_at <= now for other in waiting.deliveries
    ):
        return Rewrite((finish(row, DeliveryState.SUPERSEDED, "there is newer to tell", now),))
    known = scene.alerts.get(row.thread)
    firing = _of_group(row, scene) if row.group is not None else [known] if known is not None else []
    if not firing:
        return Rewrite((finish(row, DeliveryState.SUPERSEDED, "nothing of it fires any more", now),))
    holds = {alert.id: held_back(row, alert.event(Status.FIRING, now), scene, now) for alert in firing}
    told = tuple(alert.last_event or "" for alert in firing if holds[alert.id] is None)
    if not told:
        hold = min(filter(None, holds.values()), key=lambda each: each.until or now + RECHECK)
        return Rewrite((put_off(row, hold, now),))
    if told == row.events:
        return None
    return Rewrite((replace(row, events=told, state=DeliveryState.PENDING),))
