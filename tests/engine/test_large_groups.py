"""A group of any size: how it is told in few messages, and that each member is listed or counted once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from relay.engine.review import LISTED, Sizes, review
from relay.engine.scene import Scene
from relay.model.delivery import Delivery, DeliveryState, Reason
from relay.model.event import Event, Status, Subject, SubjectKind
from relay.model.severity import Severity
from relay.store import Claim, Waiting
from tests.engine.things import at

SIZES = Sizes(1000, lambda _event: 100)
"""Ten events fit into a part."""
SCENE = Scene({})


def _event(number: int) -> Event:
    return Event(
        id=f"evt_{number}",
        type="trust.updated",
        status=Status.EVENT,
        cluster="prod",
        severity=Severity.INFO,
        subject=Subject(SubjectKind.REPOSITORY, f"a/b{number}"),
        summary="it was updated",
        happened_at=at(0),
        seen_at=at(0),
    )


EVENTS = {f"evt_{number}": _event(number) for number in range(2 * LISTED + 600)}


def _gathered(numbers: range) -> list[Delivery]:
    return [
        Delivery(
            id=f"dlv_{number}",
            channel="a",
            rule="r",
            thread="grp_1",
            events=(f"evt_{number}",),
            created_at=at(0),
            due_at=at(1),
            seq=number + 1,
            gathered=True,
            group={"cluster": "prod"},
        )
        for number in numbers
    ]


def _look(waiting: Sequence[Delivery], seconds: float) -> tuple[list[Delivery], list[Delivery]]:
    """Look at what waits; return what still waits then, and what was put together just now."""
    told = {id: EVENTS[id] for each in waiting for id in each.events}
    first = min(waiting, key=lambda each: (each.due_at, each.seq))
    claim = Claim(first, tuple(told[id] for id in first.events), waiting=Waiting(tuple(waiting), told))
    rewrite = review(claim, SCENE, at(seconds), SIZES)
    if rewrite is None:
        return list(waiting), []
    changed = {each.seq: each for each in rewrite.changed}
    left = [changed.get(each.seq, each) for each in waiting]
    added = [replace(each, seq=10_000 + place) for place, each in enumerate(rewrite.added)]
    return [each for each in left if each.state is DeliveryState.PENDING], added


def _told(messages: Sequence[Delivery]) -> int:
    return sum(len(each.events) + each.more for each in messages)


def test_a_large_group_lists_only_so_many_however_many_parts_it_takes() -> None:
    left, made = _look(_gathered(range(len(EVENTS))), 2)
    assert left == []
    assert (len(made), _told(made)) == (LISTED // 10, len(EVENTS))
    assert [each.more for each in made] == [0] * (len(made) - 1) + [len(EVENTS) - LISTED]


def test_what_could_not_be_looked_at_at_once_joins_the_parts_of_which_none_was_sent() -> None:
    """Only so many deliveries are looked at together; those that are due first."""
    _, first = _look(_gathered(range(LISTED)), 2)
    _, second = _look(_gathered(range(LISTED, 2 * LISTED)), 2.1)
    second = [replace(each, seq=each.seq + 10_000) for each in second]
    left, made = _look([*first, *second], 2.2)
    assert left == []
    assert (len(made), _told(made)) == (LISTED // 10, 2 * LISTED)
    assert _look(made, 2.3) == (made, [])


def test_a_message_of_which_a_part_was_sent_stays_as_it_is() -> None:
    _, made = _look(_gathered(range(100)), 2)
    assert [each.parts for each in made] == [10] * 10
    unsent = [each for each in made if each.part > 1]
    later = [replace(each, due_at=at(60)) for each in _gathered(range(100, 130))]
    left, joined = _look([*unsent[1:], *later], 61)
    assert {each.part for each in left} >= set(range(4, 11))
    assert all(each.reason is Reason.GROUP for each in joined)
    assert _told(joined) + _told(left) == _told(unsent[1:]) + len(later)


def test_parts_wait_for_nothing_that_is_not_due() -> None:
    _, made = _look(_gathered(range(100)), 2)
    later = [replace(each, due_at=at(2) + timedelta(minutes=5)) for each in _gathered(range(100, 130))]
    assert _look([*made, *later], 3) == ([*made, *later], [])
