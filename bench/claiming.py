"""Claiming and settling as a channel's loop does it, without what sends in between."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from relay.model.delivery import Attempt, DeliveryState, Outcome
from relay.store import Settlement, Store
from relay.store.queue import Claim

_BATCH = 64
_AT_ONCE = 16


async def claim_and_settle(store: Store, channels: Sequence[str], count: int) -> float:
    """Claim and settle so many due deliveries of each channel, all at the same time; return the rate.

    The rate is deliveries a second. Raises AssertionError if there are fewer.
    """
    began = time.perf_counter()
    await asyncio.gather(*(_drain(store, channel, count) for channel in channels))
    return len(channels) * count / (time.perf_counter() - began)


async def _drain(store: Store, channel: str, count: int) -> None:
    taken: set[int] = set()
    slots = asyncio.Semaphore(_AT_ONCE)

    async def settle(claim: Claim) -> None:
        try:
            await store.settle(_delivered(claim))
        finally:
            taken.discard(claim.delivery.seq)
            slots.release()

    async with asyncio.TaskGroup() as group:
        left = count
        while left:
            claims = await store.due(channel, datetime.now(UTC), min(_BATCH, left), frozenset(taken))
            assert claims, f"{channel}: {left} are missing"
            taken.update(claim.delivery.seq for claim in claims)
            left -= len(claims)
            for claim in claims:
                await slots.acquire()
                group.create_task(settle(claim))


def _delivered(claim: Claim) -> Settlement:
    now = datetime.now(UTC)
    delivery = replace(
        claim.delivery,
        state=DeliveryState.DELIVERED,
        attempts=claim.delivery.attempts + 1,
        finished_at=now,
    )
    return Settlement(delivery, taken_by_receiver(delivery.id, delivery.attempts, now))


def taken_by_receiver(delivery: str, number: int, at: datetime) -> Attempt:
    """Return an attempt of a delivery that the receiver took, with a body of an average size."""
    return Attempt(delivery, number, at, 0.01, Outcome.DELIVERED, 200, answer="ok", body="x" * 600)
