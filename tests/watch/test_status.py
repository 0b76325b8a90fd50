"""ping, nginx_status and cluster_status through the real client, and what becomes of their reports."""

from datetime import timedelta
from typing import Any

import pytest

from relay.http import Http
from relay.msr import Issue
from relay.watch.views import identity
from tests.support.clock import ManualClock

from .things import Serve, Watched, answer

STATUS = "/api/v0/meta/cluster_status"
NGINX = (
    "Active connections: {} \nserver accepts handled requests\n {} {} {} \n"
    "Reading: 0 Writing: 1 Waiting: 0 \n"
)


@pytest.fixture
async def watched(clock: ManualClock, http: Http, serve: Serve) -> Watched:
    return await Watched(clock, http, replicas=3).start(serve)


def nginx(active: int, accepts: int, handled: int, requests: int = 10**6):
    return answer(text=NGINX.format(active, accepts, handled, requests))


def issue(name: str | None = "i1", critical: bool = False, **more: Any) -> dict[str, Any]:
    made = {"type": "table_availability", "critical": critical, "description": "not ready", "info": {}}
    return made | ({"id": name} if name else {}) | more


def status(*issues: dict[str, Any], **more: Any):
    health = dict.fromkeys(("a", "b", "c"), "OK")
    return answer(document={"current_issues": list(issues), "replica_health": health} | more)


class TestPing:
    async def test_healthy_says_nothing(self, watched: Watched) -> None:
        (report,) = await watched.look(watched.watcher("ping"))
        assert (report.conditions, report.failures, report.sources) == ((), (), ("r1", "r2", "r3"))

    @pytest.mark.parametrize(
        ("given", "words", "failed"),
        [
            (answer(503, document={"Error": "storage", "Healthy": False}), "is unhealthy: storage", False),
            (answer(200, document={"Error": "", "Healthy": False}), "it does not say why", False),
            (answer(500, "Internal Server Error"), "answers with an error", True),
            (answer(200, "<html>"), "answers with an error", True),
        ],
    )
    async def test_a_bad_answer(self, watched: Watched, given, words: str, failed: bool) -> None:
        watched.answers["r2", "/_ping"] = given
        (report,) = await watched.look(watched.watcher("ping"))
        (condition,) = report.conditions
        assert words in condition.summary
        assert condition.source == "r2"
        assert condition.details["reachable"] is True
        assert bool(report.failures) is failed

    async def test_nothing_answers(self, watched: Watched) -> None:
        watched.replicas[1] = type(watched.replicas[1])("r2", "http://127.0.0.1:1")
        (report,) = await watched.look(watched.watcher("ping"))
        assert "cannot be reached" in report.conditions[0].summary
        assert report.conditions[0].details["reachable"] is False
        assert report.failures[0].dark

    async def test_it_fires_after_so_many_looks_and_resolves_at_once(self, watched: Watched) -> None:
        watcher = watched.watcher("ping", failures=3)
        watched.answers["r2", "/_ping"] = answer(500, "")
        await watched.look(watcher, 2)
        assert watched.taker.statuses("ping.failing") == []
        await watched.look(watcher)
        assert watched.taker.statuses("ping.failing") == [("r2", "firing")]
        watched.answers.clear()
        await watched.look(watcher)
        assert watched.taker.statuses("ping.failing") == [("r2", "firing"), ("r2", "resolved")]

    async def test_a_good_look_in_between_starts_the_count_anew(self, watched: Watched) -> None:
        watcher = watched.watcher("ping", failures=2)
        for given in (answer(500, ""), None, answer(500, ""), None):
            watched.answers = {("r1", "/_ping"): given} if given else {}
            await watched.look(watcher)
        assert watched.taker.events == []


class TestNginx:
    async def test_saturation_and_its_end(self, watched: Watched) -> None:
        watcher = watched.watcher("nginx_status", active=100)
        for active in (100, 101, 100):
            watched.answers["r1", "/nginx_status"] = nginx(active, 5, 5)
            await watched.look(watcher)
        assert watched.taker.statuses("nginx.saturated") == [("r1", "firing"), ("r1", "resolved")]

    @pytest.mark.parametrize("each_replica", [True, False])
    async def test_dropped_only_where_each_url_is_one_replica(
        self, watched: Watched, each_replica: bool
    ) -> None:
        watcher = watched.watcher("nginx_status", each_replica=each_replica)
        dropped = []
        for accepts, handled in ((100, 90), (110, 97), (120, 107), (3, 0), (5, 2)):
            watched.answers["r1", "/nginx_status"] = nginx(1, accepts, handled)
            (report,) = await watched.look(watcher)
            dropped.append([condition.details["dropped"] for condition in report.conditions])
        # The fourth has been restarted: its counters went down.
        assert dropped == ([[], [3], [], [], []] if each_replica else [[]] * 5)

    async def test_what_cannot_be_read_keeps_its_state(self, watched: Watched) -> None:
        watcher = watched.watcher("nginx_status", active=100)
        watched.answers["r1", "/nginx_status"] = nginx(101, 5, 5)
        await watched.look(watcher)
        watched.answers["r1", "/nginx_status"] = answer(500, "")
        await watched.look(watcher, 3)
        assert watched.taker.statuses("nginx.saturated") == [("r1", "firing")]
        assert len(watched.taker.failing()) == 1


class TestIdentity:
    def test_the_id_first(self) -> None:
        assert identity(Issue("x", "t", True, "text", {"id": "y"})) == ("id", "x")

    def test_then_the_ids_in_its_info(self) -> None:
        one = identity(Issue(None, "t", True, "text", {"table": {"id": "b"}, "server_ids": ["a", "b"]}))
        assert one == ("info", "t", "a", "b")
        assert one == identity(Issue(None, "t", False, "other", {"server_ids": ["b", "a"]}))

    def test_then_the_text_without_what_changes(self) -> None:
        first = "Table `a` misses\n 2 replicas. Not reachable: dtr_rethinkdb_f2277ad178f7"
        second = "Table `a` misses 13 replicas. Not   reachable: dtr_rethinkdb_0123456789ab"
        assert identity(Issue(None, "t", True, first)) == identity(Issue(None, "t", True, second))
        third = first.replace("`a`", "`b`")
        assert identity(Issue(None, "t", True, first)) != identity(Issue(None, "t", True, third))
        assert identity(Issue(None, "t", True, first)) != identity(Issue(None, "u", True, first))


class TestIssues:
    async def test_one_alert_whoever_shows_it_until_nobody_does(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        for shows in ("r1 r2 r3", "r2 r3", "r3", ""):
            for name in ("r1", "r2", "r3"):
                watched.answers[name, STATUS] = status(issue()) if name in shows else status()
            await watched.look(watcher)
        events = [event for event in watched.taker.events if event.type == "cluster.issue"]
        assert [event.status.value for event in events] == ["firing", "resolved"]
        assert events[0].details["seen_by"] == ["r1", "r2", "r3"]

    async def test_who_cannot_be_read_does_not_keep_it(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        watched.answers |= {(name, STATUS): status(issue()) for name in ("r1", "r2", "r3")}
        await watched.look(watcher)
        watched.answers["r1", STATUS] = answer(500, "")
        await watched.look(watcher)
        assert len(watched.taker.statuses("cluster.issue")) == 1
        watched.answers |= {(name, STATUS): status() for name in ("r2", "r3")}
        await watched.look(watcher)
        assert [status for _, status in watched.taker.statuses("cluster.issue")] == ["firing", "resolved"]

    @pytest.mark.parametrize(
        "blind",
        [
            answer(200, document={}),
            answer(200, document={"current_issues": []}),
            status(replica_readonly={"a": "maybe"}),
            answer(200, document={"current_issues": "?", "replica_health": {"a": "OK"}}),
            answer(200, "<html>"),
            answer(500, ""),
        ],
    )
    @pytest.mark.parametrize("names", ["r1 r2 r3", "r1"])
    async def test_what_can_be_read_in_part_or_not_ends_nothing(
        self, watched: Watched, blind, names: str
    ) -> None:
        watcher = watched.watcher("cluster_status")
        first = names.split()
        watched.answers |= {(name, STATUS): status(issue()) for name in ("r1", "r2", "r3")}
        await watched.look(watcher)
        rest = [name for name in ("r1", "r2", "r3") if name not in first]
        watched.answers |= {(name, STATUS): blind for name in first}
        watched.answers |= {(name, STATUS): status(issue()) for name in rest}
        await watched.look(watcher, 2)
        assert len(watched.taker.statuses("cluster.issue")) == 1
        assert watched.taker.statuses("replica.missing") == []

    async def test_half_a_view_beside_a_whole_one_ends_nothing(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        watched.answers |= {(name, STATUS): status() for name in ("r1", "r2")}
        watched.answers["r3", STATUS] = status(issue())
        await watched.look(watcher)
        watched.answers["r3", STATUS] = answer(document={"current_issues": 5, "replica_health": {"a": "OK"}})
        await watched.look(watcher)
        assert len(watched.taker.statuses("cluster.issue")) == 1
        watched.answers["r3", STATUS] = status()
        await watched.look(watcher)
        assert len(watched.taker.statuses("cluster.issue")) == 2

    async def test_turning_critical_is_the_same_alert_worse(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        for critical in (False, True, False):
            watched.answers |= {(n, STATUS): status(issue(critical=critical)) for n in ("r1", "r2", "r3")}
            await watched.look(watcher)
        seen = {event.id: event for event in watched.taker.events if event.type == "cluster.issue"}
        events = list(seen.values())
        assert [event.severity.value for event in events] == ["warning", "critical"]
        assert len({event.alert for event in events}) == 1

    async def test_one_who_calls_it_critical_is_enough(self, watched: Watched) -> None:
        watched.answers |= {(n, STATUS): status(issue(critical=n == "r2")) for n in ("r1", "r2", "r3")}
        await watched.look(watched.watcher("cluster_status"))
        assert [event.severity.value for event in watched.taker.events] == ["critical"]

    async def test_replicas_named_in_the_text(self, watched: Watched) -> None:
        text = "unreachable: dtr_rethinkdb_f2277ad178f7, dtr_rethinkdb_f2277ad178f7"
        watched.answers["r1", STATUS] = status(issue(description=text))
        await watched.look(watched.watcher("cluster_status"))
        assert watched.taker.events[0].subject.replicas == ("f2277ad178f7",)


class TestReplicas:
    async def test_unhealthy_by_one_view_is_unhealthy(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        watched.answers |= {(name, STATUS): status() for name in ("r1", "r2", "r3")}
        watched.answers["r3", STATUS] = status(replica_health={"a": "OK", "b": "storage down", "c": "OK"})
        await watched.look(watcher)
        (event,) = (event for event in watched.taker.events if event.type == "replica.unhealthy")
        assert event.subject.name == "b"
        assert (event.details["seen_by"], event.details["healthy"], event.details["replicas"]) == (
            ["r3"],
            2,
            3,
        )

    async def test_readonly_and_back(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        watched.imitation.set_readonly("r1", True)
        await watched.look(watcher)
        watched.imitation.set_readonly("r1", False)
        await watched.look(watcher)
        assert watched.taker.statuses("replica.readonly") == [("r1", "firing"), ("r1", "resolved")]

    async def test_stale_is_written_once(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status", stale="5m")
        await watched.look(watcher)
        watched.imitation.fail_replica("r2", "metadata")
        await watched.clock.advance(299)
        await watched.look(watcher)
        assert watched.taker.statuses("replica.stale") == []
        await watched.clock.advance(2)
        await watched.look(watcher)
        assert watched.taker.statuses("replica.stale") == [("r2", "firing")]
        before = watched.taker.writes
        await watched.look(watcher, 3, every=15)
        assert watched.taker.writes == before
        watched.imitation.recover("r2")
        await watched.look(watcher)
        assert watched.taker.statuses("replica.stale")[-1] == ("r2", "resolved")

    async def test_missing_is_known_across_restarts_and_forgotten_at_last(self, watched: Watched) -> None:
        watched.answers |= {(name, STATUS): status() for name in ("r1", "r2", "r3")}
        await watched.look(watched.watcher("cluster_status", forget="1h"))
        fewer = status(replica_health={"a": "OK", "b": "OK"})
        watched.answers |= {(name, STATUS): fewer for name in ("r1", "r2", "r3")}
        await watched.look(watched.watcher("cluster_status", forget="1h"))
        await watched.look(watched.watcher("cluster_status", forget="1h"), 2)
        assert watched.taker.statuses("replica.missing") == [("c", "firing")]
        await watched.clock.advance(timedelta(hours=1).total_seconds())
        await watched.look(watched.watcher("cluster_status", forget="1h"))
        assert watched.taker.statuses("replica.missing") == [("c", "firing"), ("c", "resolved")]

    async def test_missing_comes_back(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        for health in ({"a": "OK", "b": "OK"}, {"a": "OK"}, {"a": "OK", "b": "OK"}):
            watched.answers |= {(n, STATUS): status(replica_health=health) for n in ("r1", "r2", "r3")}
            await watched.look(watcher)
        assert watched.taker.statuses("replica.missing") == [("b", "firing"), ("b", "resolved")]

    async def test_a_refusal_is_told_at_once(self, watched: Watched) -> None:
        await watched.look(watched.watcher("cluster_status", msr=watched.msr("bot", "bot")))
        assert all("administrator" in cause for cause in watched.taker.failing())
        assert watched.taker.failing()
