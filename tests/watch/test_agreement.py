"""Whether replicas agree: contradictions and old news between views."""

from datetime import UTC, datetime, timedelta

from relay.msr import ClusterStatus, Issue
from relay.watch.agreement import OLD, SPLIT, contradictions, old, split, undecided

NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=5)
LATE = NOW - LIMIT - timedelta(seconds=1)


def view(
    health: dict[str, str] | None = None,
    issues: str = "",
    reported: dict[str, datetime] | None = None,
    quirks: tuple[str, ...] = (),
) -> ClusterStatus:
    shown = tuple(Issue(each, "memory_error", True, "") for each in issues)
    given = {"a": "OK", "b": "OK"} if health is None else health
    return ClusterStatus(shown, not quirks, given, reported or {}, {}, "", quirks)


def found(**views: ClusterStatus) -> list[tuple[str, str, dict[str, str]]]:
    return [
        (each.kind, each.about, {say.replica: say.says for say in each.says})
        for each in contradictions(views)
    ]


class TestContradictions:
    def test_agreement_is_none(self) -> None:
        assert found(r1=view(issues="x"), r2=view(issues="x")) == []
        assert found(r1=view(issues="x")) == []
        assert found() == []

    def test_one_calls_it_healthy_and_another_does_not(self) -> None:
        views = found(r1=view(), r2=view({"a": "OK", "b": "down"}), r3=view({"a": "OK"}))
        assert views[0] == ("health", "b", {"r1": "OK", "r2": "down"})

    def test_two_words_for_unhealthy_are_one_opinion(self) -> None:
        assert found(r1=view({"a": "down"}), r2=view({"a": "storage"})) == []

    def test_one_mentions_a_replica_that_another_does_not(self) -> None:
        seen = {"r1": "mentioned", "r2": "not mentioned"}
        assert found(r1=view(), r2=view({"a": "OK"})) == [("mention", "b", seen)]

    def test_mentioned_anywhere_is_mentioned(self) -> None:
        assert found(r1=view(), r2=view({"a": "OK"}, reported={"b": NOW})) == []

    def test_one_shows_an_issue_that_another_does_not(self) -> None:
        seen = {"r1": "shown", "r2": "not shown", "r3": "shown"}
        views = found(r1=view(issues="x"), r2=view(), r3=view(issues="x"))
        assert views == [("issue", "memory_error x", seen)]

    def test_issues_without_an_id_cannot_be_compared(self) -> None:
        nameless = ClusterStatus((Issue(None, "t", True, "text"),), True, {"a": "OK"}, {}, {}, "", ())
        assert found(r1=nameless, r2=view({"a": "OK"})) == []

    def test_what_can_be_read_only_in_part_does_not_lack_anything(self) -> None:
        part = view({"a": "down"}, quirks=("current_issues: not a list",))
        # What it does say counts; what it does not say may be what could not be read.
        assert found(r1=view(issues="x"), r2=part) == [("health", "a", {"r1": "OK", "r2": "down"})]


class TestSplit:
    def test_one_condition_and_whom_it_is_about(self) -> None:
        views = {"r1": view(issues="x"), "r2": view({"a": "down"})}
        (condition,) = split(views, "prod", 3)
        assert condition.summary == "Replicas disagree about cluster prod: it may be split"
        assert (condition.identity, condition.looks, condition.source) == ((), 3, "")
        assert condition.subject.replicas == ("a", "b")
        assert [each["kind"] for each in condition.details["contradictions"]] == [
            "health",
            "mention",
            "issue",
        ]
        assert condition.details["more"] == 0

    def test_its_list_is_bounded(self) -> None:
        many = {f"replica{number}": "OK" for number in range(50)}
        (condition,) = split({"r1": view(many), "r2": view({"a": "OK"})}, "prod", 1)
        assert (len(condition.details["contradictions"]), condition.details["more"]) == (20, 31)

    def test_agreement_is_none(self) -> None:
        assert list(split({"r1": view(), "r2": view()}, "prod", 1)) == []
        assert list(split({}, "prod", 1)) == []


class TestOldNews:
    def test_too_far_behind_any_other(self) -> None:
        views = {
            "r1": view(reported={"a": NOW, "b": LATE}),
            "r2": view(reported={"a": LATE, "b": LATE}),
            "r3": view(reported={"a": NOW - LIMIT}),
        }
        (condition,) = old(views, LIMIT)
        assert (condition.subject.name, condition.identity, condition.source) == ("r2", ("r2",), "r2")
        assert condition.details["newest_by"] == "r1"
        assert condition.details["behind_seconds"] == 301

    def test_nothing_to_compare_with(self) -> None:
        late = view(reported={"a": LATE})
        assert list(old({"r2": late}, LIMIT)) == []
        assert list(old({"r1": view(), "r2": late}, LIMIT)) == []
        assert list(old({}, LIMIT)) == []

    def test_what_can_be_read_only_in_part_may_be_newer(self) -> None:
        part = view(reported={"a": LATE}, quirks=("replica_timestamp[b]: not a time",))
        assert list(old({"r1": view(reported={"a": NOW}), "r2": part}, LIMIT)) == []


class TestUndecided:
    def test_who_is_not_read_may_still_disagree(self) -> None:
        dated = view(reported={"a": NOW})
        assert undecided({"r1": dated, "r2": dated, "r3": dated}, 3) == set()
        assert undecided({"r1": dated, "r2": dated}, 3) == {SPLIT}
        assert undecided({"r1": dated}, 3) == {SPLIT, OLD}
        assert undecided({"r1": dated, "r2": view(), "r3": view()}, 3) == {OLD}

    def test_one_replica_has_nobody_to_disagree_with(self) -> None:
        assert undecided({"r1": view()}, 1) == set()
