"""The quorum by what replicas say: the arithmetic, who counts, and what is claimed of it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.msr import ClusterStatus
from relay.watch.quorum import Tally, at_stake, tally
from relay.watch.roll import Roll
from relay.watch.views import unhealthy

NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=5)
OLD = NOW - timedelta(minutes=6)
IDS = ("a", "b", "c", "d", "e")


def view(health: dict[str, str], reported: dict[str, datetime] | None = None) -> ClusterStatus:
    return ClusterStatus((), True, health, reported or {}, {}, "", ())


def healthy(*ids: str, **bad: str) -> ClusterStatus:
    return view(dict.fromkeys(ids, "OK") | bad)


def count(*views: ClusterStatus, absent: str = "") -> Tally:
    named = {f"r{number}": each for number, each in enumerate(views, 1)}
    present = {replica for each in views for replica in each.replica_health}
    return tally(named, Roll(present, dict.fromkeys(absent, NOW)), NOW, LIMIT)


def types(found: Tally) -> list[str]:
    return [each.type for each in at_stake(found, "prod", ["r1"], [])]


@pytest.mark.parametrize(
    ("replicas", "lost", "said"),
    [
        (1, 0, []),
        (1, 1, ["quorum.lost"]),
        (2, 0, []),  # A second loss breaks it, but none has happened yet.
        (2, 1, ["quorum.lost"]),
        (3, 0, []),
        (3, 1, ["quorum.at_risk"]),
        (3, 2, ["quorum.lost"]),
        (4, 1, ["quorum.at_risk"]),
        (4, 2, ["quorum.lost"]),
        (5, 1, []),
        (5, 2, ["quorum.at_risk"]),
        (5, 3, ["quorum.lost"]),
        (5, 5, ["quorum.lost"]),
    ],
)
def test_one_more_loss_or_one_too_many(replicas: int, lost: int, said: list[str]) -> None:
    ids = IDS[:replicas]
    found = count(view({name: "down" if name in ids[:lost] else "OK" for name in ids}))
    assert types(found) == said
    assert (found.replicas, found.healthy, found.needed) == (replicas, replicas - lost, replicas // 2 + 1)


@given(st.dictionaries(st.sampled_from(IDS), st.sampled_from(["well", "bad", "missing", "old"]), min_size=1))
def test_the_arithmetic(states: dict[str, str]) -> None:
    here = [name for name, state in states.items() if state != "missing"]
    answer = view(
        {name: "down" if states[name] == "bad" else "OK" for name in here},
        {name: OLD if states[name] == "old" else NOW for name in here},
    )
    gone = {name: NOW for name, state in states.items() if state == "missing"}
    found = tally({"r1": answer}, Roll(here, gone), NOW, LIMIT)
    all_late = bool(here) and all(states[name] == "old" for name in here)
    lost = [name for name, state in states.items() if state != "well" and not (state == "old" and all_late)]
    assert found.replicas == len(states)
    assert found.lost == tuple(sorted(lost))
    assert found.healthy == len(states) - len(lost)
    assert found.spare == found.healthy - found.needed
    # A majority, and only just: so many and no fewer are more than half.
    assert 2 * found.needed > found.replicas >= 2 * (found.needed - 1)
    said = types(found)
    assert ("quorum.lost" in said) == (2 * found.healthy <= found.replicas)
    assert ("quorum.at_risk" in said) == (
        bool(lost) and 2 * found.healthy > found.replicas >= 2 * (found.healthy - 1)
    )
    assert len(said) <= 1


class TestWhoCounts:
    def test_one_view_that_calls_it_bad_is_enough(self) -> None:
        found = count(healthy("a", "b", "c"), healthy("a", "b", c="down"))
        assert (found.unhealthy, found.healthy) == (("c",), 2)

    def test_a_view_that_does_not_mention_it_says_nothing_of_it(self) -> None:
        found = count(healthy("a", "b"), healthy("a", "b", "c"))
        assert (found.healthy, found.replicas) == (3, 3)

    def test_the_missing_count_until_they_are_forgotten(self) -> None:
        found = count(healthy("a", "b"), absent="c")
        assert (found.missing, found.healthy, found.replicas) == (("c",), 2, 3)
        assert types(found) == ["quorum.at_risk"]

    def test_bad_and_late_is_one_loss(self) -> None:
        answer = view({"a": "OK", "b": "OK", "c": "down"}, {"a": NOW, "b": NOW, "c": OLD})
        found = count(answer)
        assert (found.unhealthy, found.stale, found.healthy) == (("c",), ("c",), 2)

    def test_the_newest_report_by_any_view_counts(self) -> None:
        fresh, old = view({"a": "OK"}, {"a": NOW}), view({"a": "OK"}, {"a": OLD})
        assert count(old, fresh).stale == ()

    @pytest.mark.parametrize("ids", ["a", "abc"])
    def test_all_late_at_once_is_a_clock_not_a_loss(self, ids: str) -> None:
        found = count(view(dict.fromkeys(ids, "OK"), dict.fromkeys(ids, OLD)))
        assert (found.stale, types(found)) == ((), [])

    def test_unhealthy_tells_the_same_numbers(self) -> None:
        views = {"r1": healthy("a", "b", c="down")}
        found = tally(views, Roll(("a", "b", "c"), {"d": NOW}), NOW, LIMIT)
        (condition,) = unhealthy(views, found.healthy, found.replicas)
        (stake,) = at_stake(found, "prod", ["r1"], [])
        for name in ("healthy", "replicas"):
            assert condition.details[name] == stake.details[name]
        assert (stake.details["healthy"], stake.details["replicas"]) == (2, 4)


class TestWhatIsClaimed:
    def test_who_is_lost_and_how_far_it_is(self) -> None:
        found = count(healthy("a", "b", "c", d="down"), absent="e")
        (condition,) = at_stake(found, "prod", ["r1", "r2"], [])
        assert (
            condition.summary == "One more lost replica breaks the quorum of cluster prod: 3 of 5 are healthy"
        )
        assert condition.subject.replicas == ("d", "e")
        assert (condition.subject.name, condition.identity, condition.source) == ("prod", (), "")
        assert condition.details == {
            "replicas": 5,
            "healthy": 3,
            "needed": 3,
            "spare": 0,
            "unhealthy": ["d"],
            "missing": ["e"],
            "stale": [],
            "seen_by": ["r1", "r2"],
            "unread": [],
        }

    def test_by_whom_where_not_all_could_be_read(self) -> None:
        found = count(healthy("a", b="down", c="down"))
        (condition,) = at_stake(found, "prod", ["r1"], ["r2", "r3"])
        words = "Cluster prod has no quorum by what r1 says: 1 of 3 is healthy"
        assert condition.summary == words
        assert condition.details["unread"] == ["r2", "r3"]

    def test_a_summary_stays_short(self) -> None:
        found = count(healthy("a", b="down", c="down"))
        (condition,) = at_stake(found, "prod", [f"r{n}" for n in range(50)], ["x"])
        assert "by what r0, r1, r2 and 47 more say:" in condition.summary

    def test_replicas_that_were_perhaps_removed_prove_no_loss(self) -> None:
        (condition,) = at_stake(count(healthy("a"), absent="bc"), "prod", ["r1"], [])
        assert condition.type == "quorum.lost"
        assert condition.summary.startswith("Cluster prod may have lost its quorum: 1 of 3 ")
        (condition,) = at_stake(count(healthy("a", b="down"), absent="c"), "prod", ["r1"], [])
        assert condition.summary.startswith("Cluster prod has no quorum: 1 of 3 ")
