"""What becomes of a delivery after an attempt. Pure; the randomness of the jitter is handed in."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from relay.model.delivery import (
    ChannelHealth,
    ChannelState,
    Delivery,
    DeliveryState,
    Outcome,
    Sent,
    TargetOutcome,
)


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended, whatever way the channel said it.

    ``local`` tells that it ended here, before the receiver was asked: that says nothing about the channel.
    """

    outcome: Outcome
    sent: Sent = field(default_factory=Sent)
    error: str | None = None
    retry_after: float | None = None
    local: bool = False


def overall(targets: Sequence[TargetOutcome]) -> Outcome:
    """Return how an attempt ended whose targets ended so: the worst that can still be mended decides."""
    outcomes = {target.outcome for target in targets}
    for outcome in (Outcome.GONE, Outcome.REFUSED, Outcome.RETRY, Outcome.DELIVERED):
        if outcome in outcomes:
            return outcome
    return Outcome.REJECTED if outcomes else Outcome.DELIVERED


def next_state(
    delivery: Delivery,
    result: Result,
    health: ChannelHealth,
    schedule: Sequence[timedelta],
    jitter: float,
    now: datetime,
    source: random.Random,
) -> Delivery:
    """Return the delivery after an attempt; ``health`` is the channel's after the same attempt.

    Trouble of the channel never makes a delivery dead, however long it lasts. A delivery that keeps
    failing while its channel works is given up after the whole schedule: then it is the message.
    """
    attempts = delivery.attempts + 1
    delivered_to = _delivered_to(delivery, result)
    settled = _settled(delivery, result)
    state, due_at = DeliveryState.PENDING, delivery.due_at
    if result.outcome is Outcome.DELIVERED:
        state = DeliveryState.PARTIAL if set(settled) - set(delivered_to) else DeliveryState.DELIVERED
    elif result.outcome is Outcome.REJECTED:
        state = DeliveryState.PARTIAL if delivered_to else DeliveryState.DEAD
    elif health.state is not ChannelState.WORKING:
        # The gate decides when the channel is tried again, and one delivery is as good as another for that.
        due_at = max(health.probe_at or now, now)
    elif attempts > len(schedule) and now - delivery.created_at > sum(schedule, timedelta(0)):
        state = DeliveryState.PARTIAL if delivered_to else DeliveryState.DEAD
    else:
        step = schedule[min(attempts, len(schedule)) - 1] if schedule else timedelta(minutes=1)
        wait = step * (1 + source.uniform(-jitter, jitter))
        due_at = now + max(wait, timedelta(seconds=result.retry_after or 0))
    return replace(
        delivery,
        state=state,
        due_at=due_at,
        finished_at=None if state is DeliveryState.PENDING else now,
        attempts=attempts,
        settled=settled,
        delivered_to=delivered_to,
        receipt=result.sent.receipt or delivery.receipt,
        last_error=result.error,
    )


def _settled(delivery: Delivery, result: Result) -> tuple[str, ...]:
    done = (t.target for t in result.sent.targets if t.outcome in (Outcome.DELIVERED, Outcome.REJECTED))
    return tuple(dict.fromkeys((*delivery.settled, *done)))


def _delivered_to(delivery: Delivery, result: Result) -> tuple[str, ...]:
    done = (t.target for t in result.sent.targets if t.outcome is Outcome.DELIVERED)
    return tuple(dict.fromkeys((*delivery.delivered_to, *done)))
