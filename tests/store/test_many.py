"""Many values and rows as one parameter, whatever is in them."""

from dataclasses import replace

import pytest

from relay.model.delivery import Attempt, Delivery, DeliveryState, Outcome
from relay.store import Settlement, Store
from relay.store.many import as_json
from tests.store.things import NOW, claims, delivery, due, later, plan_of

ODD = [
    "plain",
    "",
    "ä €  𝄞",
    "quote \" and \\ and '",
    "[1, null]",
    "a\nb\tc",
    "{}",
    "%s ? :x $1",
    "null",
    "1",
]


@pytest.mark.parametrize("text", ODD)
async def test_texts_come_back_as_they_were(store: Store, text: str) -> None:
    attempt = await _recorded(store, body=text, answer=text, error=text)
    assert (attempt.body, attempt.answer, attempt.error) == (text, text, text)


@pytest.mark.parametrize(
    ("text", "kept"), [("a\0b", "a\ufffdb"), ("a\ud800b", "a\ufffdb"), ("\udfff", "\ufffd")]
)
async def test_what_no_database_takes_is_replaced(store: Store, text: str, kept: str) -> None:
    attempt = await _recorded(store, body=text, error=text)
    assert (attempt.body, attempt.error) == (kept, kept)


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "C:\\udder"])
async def test_what_only_looks_like_an_escape_stays(store: Store, text: str) -> None:
    assert (await _recorded(store, body=text)).body == text


async def test_values_keep_their_kinds(store: Store) -> None:
    attempt = await _recorded(store, status=None, error=None, plain=True, seconds=0.1, number=2**31 - 1)
    assert (attempt.status, attempt.error, attempt.plain) == (None, None, True)
    assert (attempt.seconds, attempt.number, attempt.at) == (0.1, 2**31 - 1, NOW)


async def test_rows_are_settled_each_by_its_own_values(store: Store) -> None:
    await store.commit(plan_of(*(delivery(f"dlv_{number}") for number in range(300))))
    found = {claim.delivery.id: claim.delivery for claim in await claims(store, limit=300)}
    ended = [
        replace(
            each,
            state=DeliveryState.PENDING if number % 2 else DeliveryState.DELIVERED,
            finished_at=None if number % 2 else NOW,
            attempts=number,
            due_at=later(number),
            last_error=f"error {number}",
        )
        for number, each in enumerate(found.values())
    ]
    await store.settle(*(Settlement(each, _attempt(each)) for each in ended))
    for each in ended[:4]:
        (kept,) = await store.find_deliveries(each.id)
        assert kept == each
    assert len(await due(store, now=later(1000), limit=300)) == 150


async def test_what_is_settled_again_takes_the_place_of_the_first(store: Store) -> None:
    await _recorded(store, body="first", number=1)
    attempt = await _recorded(store, body="second", number=1)
    assert attempt.body == "second"


async def test_many_may_be_taken(store: Store) -> None:
    await store.commit(plan_of(*(delivery(f"dlv_{number}") for number in range(40_000 // 100))))
    numbers = [claim.delivery.seq for claim in await claims(store, limit=400)]
    found = await store.due("soc", NOW, 10, [*numbers[:-1], *range(10**6, 10**6 + 70_000)])
    assert [claim.delivery.seq for claim in found] == numbers[-1:]


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="object cannot be stored"):
        as_json([object()])


def _attempt(of: Delivery, **fields: object) -> Attempt:
    made = Attempt(of.id, of.attempts + 1, NOW, 0.5, Outcome.DELIVERED, 200)
    return replace(made, **fields)  # type: ignore[arg-type]


async def _recorded(store: Store, **fields: object) -> Attempt:
    """Settle a delivery with such an attempt; return that as it was stored."""
    await store.commit(plan_of(delivery("dlv_1")))
    (of,) = await store.find_deliveries("dlv_1")
    await store.settle(Settlement(replace(of, state=DeliveryState.PENDING), _attempt(of, **fields)))
    return (await store.list_attempts("dlv_1"))[-1]
