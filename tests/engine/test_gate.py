import random
from datetime import timedelta

import pytest

from relay.engine.gate import Patience, disable, judge, opens_at, probing
from relay.engine.limits import Window
from relay.engine.verdict import Result, next_state, overall
from relay.model.delivery import (
    ChannelHealth,
    ChannelState,
    Delivery,
    DeliveryState,
    Outcome,
    Sent,
    TargetOutcome,
)
from tests.engine.things import at

PATIENCE = Patience()
FINE = ChannelHealth("a")


def fail(health: ChannelHealth, seconds: float, retry_after: float | None = None) -> ChannelHealth:
    return judge(health, Outcome.RETRY, "503", at(seconds), retry_after, PATIENCE)


class TestGate:
    def test_one_failure_closes_nothing(self) -> None:
        health = fail(FINE, 0)
        assert health.state is ChannelState.WORKING
        assert opens_at(health, at(0)) == at(0)

    def test_a_burst_that_fails_in_one_blink_is_no_outage_yet(self) -> None:
        health = FINE
        for _ in range(PATIENCE.failures - 1):
            health = fail(health, 0)
        assert health.state is ChannelState.WORKING
        assert fail(health, 0).state is ChannelState.FAILING

    def test_two_failures_apart_open_the_circuit(self) -> None:
        health = fail(fail(FINE, 0), 5)
        assert (health.state, health.since) == (ChannelState.FAILING, at(5))
        assert probing(health)
        assert opens_at(health, at(5)) == at(20)

    def test_probes_become_rarer_up_to_a_bound(self) -> None:
        health, now, waits = fail(fail(FINE, 0), 5), 5.0, []
        for _ in range(8):
            probe = opens_at(health, at(now))
            assert probe is not None
            waits.append((probe - at(now)).total_seconds())
            now += waits[-1]
            health = fail(health, now)
        assert waits == [15, 15, 30, 60, 120, 240, 300, 300]

    def test_success_closes_the_circuit(self) -> None:
        health = judge(fail(fail(FINE, 0), 5), Outcome.DELIVERED, "", at(20), None, PATIENCE)
        assert health == FINE

    def test_a_rejected_message_shows_that_the_channel_works(self) -> None:
        assert judge(fail(FINE, 0), Outcome.REJECTED, "400", at(1), None, PATIENCE) == FINE

    def test_retry_after_is_obeyed_in_full_by_the_whole_channel(self) -> None:
        assert opens_at(fail(FINE, 0, retry_after=3600), at(0)) == at(3600)
        assert opens_at(fail(fail(FINE, 0), 5, retry_after=3600), at(5)) == at(3605)

    def test_refused_credentials_hold_at_once_and_are_probed_rarely(self) -> None:
        health = judge(FINE, Outcome.REFUSED, "401", at(0), None, PATIENCE)
        assert (health.state, opens_at(health, at(0))) == (ChannelState.HELD, at(60))
        again = judge(health, Outcome.REFUSED, "401", at(60), None, PATIENCE)
        assert (again.since, opens_at(again, at(60))) == (at(0), at(120))

    def test_attempts_that_were_under_way_together_count_as_one(self) -> None:
        health = FINE
        for _ in range(16):
            health = judge(health, Outcome.REFUSED, "401", at(0), None, PATIENCE)
        assert opens_at(health, at(0)) == at(60)

    def test_what_was_under_way_does_not_cancel_a_retry_after(self) -> None:
        asked = fail(FINE, 0, retry_after=60)
        health = judge(asked, Outcome.DELIVERED, "", at(0.1), None, PATIENCE)
        assert (health.failures, opens_at(health, at(0.1))) == (0, at(60))

    def test_gone_disables(self) -> None:
        health = judge(FINE, Outcome.GONE, "410", at(0), None, PATIENCE)
        assert health.state is ChannelState.DISABLED
        assert opens_at(health, at(10**6)) is None

    def test_an_attempt_under_way_does_not_enable_what_a_user_has_disabled(self) -> None:
        disabled = disable(FINE, at(0), "alice", "noise")
        assert judge(disabled, Outcome.DELIVERED, "", at(1), None, PATIENCE) == disabled
        assert disabled.by == "alice"


DELIVERY = Delivery("dlv_1", "a", "r", "t", ("e",), at(0), at(0))
SCHEDULE = (timedelta(seconds=5), timedelta(minutes=5))
MIDDLE = random.Random()


def after(
    outcome: Outcome,
    delivery: Delivery = DELIVERY,
    health: ChannelHealth = FINE,
    seconds: float = 0,
    targets: tuple[TargetOutcome, ...] = (),
    retry_after: float | None = None,
) -> Delivery:
    result = Result(outcome, Sent(targets=targets), "why", retry_after)
    return next_state(delivery, result, health, SCHEDULE, 0.0, at(seconds), MIDDLE)


class TestVerdict:
    def test_delivered(self) -> None:
        assert after(Outcome.DELIVERED).state is DeliveryState.DELIVERED

    def test_only_the_message_itself_makes_a_delivery_dead(self) -> None:
        assert after(Outcome.REJECTED).state is DeliveryState.DEAD
        for outcome in (Outcome.RETRY, Outcome.REFUSED, Outcome.GONE):
            assert after(outcome).state is DeliveryState.PENDING

    def test_the_schedule_counts_attempts(self) -> None:
        first = after(Outcome.RETRY)
        assert (first.attempts, first.due_at) == (1, at(5))
        assert after(Outcome.RETRY, first, seconds=5).due_at == at(305)

    def test_retry_after_is_the_least(self) -> None:
        assert after(Outcome.RETRY, retry_after=100).due_at == at(100)
        assert after(Outcome.RETRY, retry_after=1).due_at == at(5)

    def test_trouble_of_the_channel_is_the_gates_business_and_never_deadly(self) -> None:
        down = ChannelHealth("a", ChannelState.FAILING, at(0), 9, "503", at(70))
        tired = Delivery("dlv_1", "a", "r", "t", ("e",), at(-(10**6)), at(0), attempts=99)
        kept = after(Outcome.RETRY, tired, down)
        assert (kept.state, kept.due_at) == (DeliveryState.PENDING, at(70))

    def test_what_fails_for_ever_while_the_channel_works_is_the_message(self) -> None:
        tired = Delivery("dlv_1", "a", "r", "t", ("e",), at(-400), at(0), attempts=2)
        assert after(Outcome.RETRY, tired).state is DeliveryState.DEAD

    def test_jitter_stays_within_its_bounds(self) -> None:
        source = random.Random(7)
        result = Result(Outcome.RETRY)
        waits = [
            (next_state(DELIVERY, result, FINE, SCHEDULE, 0.1, at(0), source).due_at - at(0)).total_seconds()
            for _ in range(200)
        ]
        assert 4.5 <= min(waits) < max(waits) <= 5.5

    def test_a_target_that_has_it_does_not_get_it_twice(self) -> None:
        one = TargetOutcome("x@example.com", Outcome.DELIVERED)
        two = TargetOutcome("y@example.com", Outcome.RETRY, 451)
        half = after(overall([one, two]), targets=(one, two))
        assert (half.state, half.settled) == (DeliveryState.PENDING, ("x@example.com",))
        rest = (TargetOutcome("y@example.com", Outcome.REJECTED, 550),)
        done = after(overall(rest), half, targets=rest)
        assert done.state is DeliveryState.PARTIAL
        assert done.delivered_to == ("x@example.com",)

    @pytest.mark.parametrize(
        ("outcomes", "expected"),
        [
            (["delivered", "delivered"], "delivered"),
            (["delivered", "rejected"], "delivered"),
            (["rejected", "rejected"], "rejected"),
            (["delivered", "retry", "rejected"], "retry"),
            (["retry", "refused"], "refused"),
            (["gone", "refused"], "gone"),
            ([], "delivered"),
        ],
    )
    def test_overall(self, outcomes: list[str], expected: str) -> None:
        targets = [TargetOutcome(str(n), Outcome(outcome)) for n, outcome in enumerate(outcomes)]
        assert overall(targets) is Outcome(expected)


class TestWindow:
    def test_never_more_than_so_many_in_any_stretch(self) -> None:
        window, now, sent = Window(3, 10.0), 0.0, []
        for _ in range(20):
            now += window.wait(now)
            window.take(now)
            sent.append(now)
            now += 0.5
        for first in sent:
            assert sum(first <= moment < first + 10.0 for moment in sent) <= 3
        assert sent[-1] < 70, "it does not wait longer than it must"
