"""What is slow for a replica is learnt from itself."""

from hypothesis import given
from hypothesis import strategies as st

from relay.watch.latency import LEARNT, Latencies, Latency, Limits

LIMITS = Limits(5, 0.5)


def learnt(seconds: float = 0.2, times: int = LEARNT) -> Latency:
    latency = Latency()
    for _ in range(times):
        latency.take(seconds, LIMITS)
    return latency


def take(latency: Latency, *seconds: float) -> list[bool]:
    said = []
    for each in seconds:
        latency.take(each, LIMITS)
        said.append(latency.slow is not None)
    return said


def test_nothing_is_slow_before_it_is_known_what_is_usual() -> None:
    latency = learnt(times=LEARNT - 4)
    assert take(latency, 9, 9, 9, 9, 9) == [False] * 4 + [True]


def test_the_third_of_five_slow_ones_makes_it_slow() -> None:
    assert take(learnt(), 3, 3, 3, 3) == [False, False, True, True]


def test_single_slow_ones_are_none_and_spoil_nothing() -> None:
    latency = learnt()
    assert take(latency, *(9, 0.2, 0.2, 9, 0.2, 0.2, 0.2) * 20) == [False] * 140
    assert latency.baseline < 0.21


def test_slow_is_more_than_the_factor_and_more_than_the_least() -> None:
    assert not any(take(learnt(0.2), *[1.0] * 10))
    assert any(take(learnt(0.2), *[1.01] * 3))
    assert not any(take(learnt(0.01), *[0.5] * 10))
    assert any(take(learnt(0.01), *[0.51] * 3))


def test_what_is_bad_does_not_become_what_is_usual() -> None:
    latency = learnt()
    take(latency, 3, 3, 3)
    before = latency.baseline
    take(latency, *[3.0] * 1000)
    assert latency.baseline == before
    assert latency.slow == 3


def test_it_ends_half_way_back() -> None:
    latency = learnt(0.2)
    take(latency, 3, 3, 3)
    # The limit is five times the baseline; half way back is three times.
    half = (LIMITS.of(latency.baseline) + latency.baseline) / 2
    assert all(take(latency, *[half * 1.01] * 10))
    assert take(latency, *[half * 0.99] * 3) == [True, True, False]


def test_what_is_usual_follows_slowly() -> None:
    latency = learnt(0.2, 1000)
    take(latency, *[0.4] * 2000)
    assert 0.39 < latency.baseline <= 0.4


def test_it_is_known_again_after_a_restart_and_so_is_what_is_slow() -> None:
    before = Latencies(["r1", "r2", "r3"])
    for _ in range(LEARNT):
        before.of("r1").take(0.2, LIMITS)
        before.of("r2").take(0.2, LIMITS)
    take(before.of("r2"), 3, 3, 3)
    after = Latencies.read(before.write(), ["r1", "r2", "r4"])
    assert after.slow == {"r2"}
    assert (after.of("r1").baseline, after.of("r1").answers) == (0.2, LEARNT)
    assert after.of("r4").answers == 0
    # One good answer is no end of it, five are.
    assert take(after.of("r2"), *[0.2] * 5) == [True] * 4 + [False]
    assert take(after.of("r1"), *[3.0] * 5) == [False] * 4 + [True]


def test_nothing_is_known_at_first() -> None:
    assert Latencies.read(None, ["r1"]).write() == Latencies(["r1"]).write()


@given(st.lists(st.floats(0, 60), min_size=1, max_size=300))
def test_the_baseline_stays_within_what_was_seen(answers: list[float]) -> None:
    latency = Latency()
    for seconds in answers:
        latency.take(seconds, LIMITS)
        assert min(answers) - 1e-9 <= latency.baseline <= max(answers) + 1e-9
    if latency.slow is not None:
        assert len(answers) > LEARNT
        assert latency.slow > LIMITS.of(latency.baseline)
