"""What only the relay can see, through the real client: quorum, disagreement, old news, locks, latency."""

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from relay.demo.feed import go_time
from relay.http import Http
from tests.support.clock import ManualClock

from .test_status import STATUS, issue, status
from .things import CrashError, Serve, Watched, answer

NAMES = ("r1", "r2", "r3")
DOWN = answer(500, "Internal Server Error")


@pytest.fixture
async def watched(clock: ManualClock, http: Http, serve: Serve) -> Watched:
    return await Watched(clock, http, replicas=3).start(serve)


def say(watched: Watched, given: Any, *names: str) -> None:
    """From now on these replicas, or all, give this answer about the cluster."""
    watched.answers |= {(name, STATUS): given for name in names or NAMES}


class TestQuorum:
    async def test_at_risk_and_back(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        await watched.look(watcher)
        watched.imitation.fail_replica("r2", "storage")
        await watched.look(watcher, 2)
        watched.imitation.recover("r2")
        await watched.look(watcher)
        assert watched.taker.statuses("quorum.at_risk") == [("prod", "firing"), ("prod", "resolved")]
        event = next(event for event in watched.taker.events if event.type == "quorum.at_risk")
        assert event.severity.value == "error"
        assert event.subject.replicas == ("r2",)
        assert event.details["seen_by"] == list(NAMES)

    async def test_a_cluster_without_quorum_cannot_be_read_so_nothing_ends(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        watched.imitation.fail_replica("r2", "storage")
        await watched.look(watcher)
        watched.imitation.fail_replica("r3", "storage")
        await watched.look(watcher, 5)
        assert watched.taker.statuses("quorum.at_risk") == [("prod", "firing")]
        (alert,) = (a for a in watched.taker.engine.world.alerts.values() if a.type == "watch.failing")
        assert (alert.details["whole"], alert.details["internal_errors"]) == (True, True)

    async def test_lost_by_what_one_says(self, watched: Watched) -> None:
        say(watched, DOWN, "r2", "r3")
        say(watched, status(replica_health={"a": "OK", "b": "down", "c": "down"}), "r1")
        await watched.look(watched.watcher("cluster_status"))
        (event,) = (event for event in watched.taker.events if event.type == "quorum.lost")
        assert "by what r1 says: 1 of 3" in event.summary
        assert (event.severity.value, event.details["unread"]) == ("critical", ["r2", "r3"])
        unhealthy = [event for event in watched.taker.events if event.type == "replica.unhealthy"]
        assert {(each.details["healthy"], each.details["replicas"]) for each in unhealthy} == {(1, 3)}

    async def test_the_missing_count_until_they_are_forgotten(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status", forget="1h")
        for health in ({"a": "OK", "b": "OK", "c": "OK"}, {"a": "OK", "b": "OK"}):
            say(watched, status(replica_health=health))
            await watched.look(watcher)
        assert watched.taker.statuses("quorum.at_risk") == [("prod", "firing")]
        await watched.clock.advance(3600)
        await watched.look(watcher)
        assert watched.taker.statuses("quorum.at_risk") == [("prod", "firing"), ("prod", "resolved")]

    async def test_what_is_read_in_part_is_no_loss(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        say(watched, status())
        await watched.look(watcher)
        say(watched, answer(document={"current_issues": [], "replica_health": {"a": "OK", "b": 1, "c": 1}}))
        await watched.look(watcher, 3)
        assert [event.type for event in watched.taker.events if event.type.startswith("quorum")] == []

    async def test_a_wrong_clock_is_no_lost_quorum(self, watched: Watched) -> None:
        at = go_time(watched.clock.now() - timedelta(minutes=6))
        say(watched, status(replica_timestamp=dict.fromkeys("abc", at)))
        await watched.look(watched.watcher("cluster_status"))
        assert {event.type for event in watched.taker.events} == {"replica.stale"}


class TestSplitBrain:
    async def test_what_lasts_is_told_and_what_does_not_is_not(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status", failures=3, each_replica=True)
        told = []
        for shows in (True, True, False, True, True, True):
            say(watched, status())
            say(watched, status(issue()) if shows else status(), "r2")
            await watched.look(watcher)
            told.append(len(watched.taker.statuses("cluster.split_brain")))
        assert told == [0, 0, 0, 0, 0, 1]
        (event,) = (event for event in watched.taker.events if event.type == "cluster.split_brain")
        assert event.severity.value == "critical"
        (found,) = event.details["contradictions"]
        assert [each["says"] for each in found["says"]] == ["not shown", "shown", "not shown"]

    async def test_who_cannot_be_read_has_not_come_to_agree(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status", failures=1, each_replica=True)
        say(watched, status())
        say(watched, status(issue()), "r2")
        await watched.look(watcher)
        say(watched, DOWN, "r2")
        await watched.look(watcher, 5)
        assert watched.taker.statuses("cluster.split_brain") == [("prod", "firing")]
        say(watched, status(), "r2")
        await watched.look(watcher)
        assert watched.taker.statuses("cluster.split_brain")[1:] == [("prod", "resolved")]

    async def test_behind_a_load_balancer_there_is_nothing_to_compare(self, watched: Watched) -> None:
        say(watched, status())
        say(watched, status(issue(), replica_health={"a": "OK", "z": "down"}), "r2")
        await watched.look(watched.watcher("cluster_status", failures=1), 3)
        assert watched.taker.statuses("cluster.split_brain") == []


class TestOldNews:
    def dated(self, watched: Watched, seconds: float) -> Any:
        at = go_time(watched.clock.now() - timedelta(seconds=seconds))
        return status(replica_timestamp=dict.fromkeys("abc", at))

    async def test_one_behind_the_others_is_told_and_written_once(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status", each_replica=True, stale="5m")
        say(watched, self.dated(watched, 0), "r2")
        writes = []
        for seconds in (299, 2, 15, 15):
            await watched.clock.advance(seconds)
            say(watched, self.dated(watched, 0), "r1", "r3")
            await watched.look(watcher)
            writes.append(watched.taker.writes)
            told = watched.taker.statuses("replica.view_stale")
            assert told == ([] if seconds == 299 else [("r2", "firing")])
        assert writes[1] == writes[2] == writes[3]
        # Nobody is left to compare with: that is no end of it.
        say(watched, DOWN, "r1", "r3")
        await watched.look(watcher)
        assert watched.taker.statuses("replica.view_stale") == [("r2", "firing")]
        say(watched, self.dated(watched, 0))
        await watched.look(watcher)
        assert watched.taker.statuses("replica.view_stale")[1:] == [("r2", "resolved")]

    async def test_behind_a_load_balancer_there_is_nothing_to_compare(self, watched: Watched) -> None:
        say(watched, self.dated(watched, 0))
        say(watched, self.dated(watched, 3600), "r2")
        await watched.look(watched.watcher("cluster_status"))
        assert watched.taker.statuses("replica.view_stale") == []


class TestGarbageCollection:
    async def test_a_lock_held_for_hours_also_across_restarts(self, watched: Watched) -> None:
        say(watched, status(gc_lock_holder="b"))
        await watched.look(watched.watcher("cluster_status"))
        await watched.clock.advance(3600 * 6 - 1)
        writes = watched.taker.writes
        await watched.look(watched.watcher("cluster_status"), 2)
        assert watched.taker.writes == writes, "waiting is no change"
        assert watched.taker.statuses("gc.held") == []
        await watched.clock.advance(1)
        await watched.look(watched.watcher("cluster_status"))
        assert watched.taker.statuses("gc.held") == [("b", "firing")]
        say(watched, status())
        await watched.look(watched.watcher("cluster_status"))
        assert watched.taker.statuses("gc.held")[1:] == [("b", "resolved")]

    async def test_another_holder_is_another_collection(self, watched: Watched) -> None:
        watcher = watched.watcher("cluster_status")
        for holder in "aabbcc":
            say(watched, status(gc_lock_holder=holder))
            await watched.look(watcher)
            await watched.clock.advance(3600 * 2)
        assert watched.taker.statuses("gc.held") == []


class TestSlowPing:
    """One replica, whose answers take as long as the test wants."""

    @pytest.fixture
    async def watched(self, clock: ManualClock, http: Http, serve: Serve) -> Watched:
        return await Watched(clock, http).start(serve)

    def take(self, watched: Watched, seconds: float, **document: Any) -> None:
        def slowly() -> web.Response:
            watched.clock.spend(seconds)
            healthy = {"Error": "", "Healthy": True}
            return web.json_response(healthy | document)

        watched.answers["r1", "/_ping"] = slowly

    async def test_slow_against_itself_and_back(self, watched: Watched) -> None:
        watcher = watched.watcher("ping")
        self.take(watched, 0.2)
        await watched.look(watcher, 60)
        self.take(watched, 2.0)
        await watched.look(watcher, 2)
        assert watched.taker.statuses("ping.slow") == []
        await watched.look(watcher)
        assert watched.taker.statuses("ping.slow") == [("r1", "firing")]
        (event,) = watched.taker.events
        assert event.summary == "Replica r1 answers slowly: 2.0 s instead of the usual 200 ms"
        details = {key: event.details[key] for key in ("seconds", "baseline_seconds", "factor")}
        assert details == {"seconds": 2.0, "baseline_seconds": 0.2, "factor": 10.0}
        self.take(watched, 0.2)
        await watched.look(watcher, 3)
        assert watched.taker.statuses("ping.slow")[1:] == [("r1", "resolved")]

    async def test_a_restart_forgets_neither_what_is_usual_nor_what_is_slow(self, watched: Watched) -> None:
        self.take(watched, 0.2)
        await watched.look(watched.watcher("ping"), 60)
        self.take(watched, 2.0)
        await watched.look(watched.watcher("ping"), 5)
        assert watched.taker.statuses("ping.slow") == [("r1", "firing")]
        await watched.look(watched.watcher("ping"), 1)
        assert watched.taker.statuses("ping.slow") == [("r1", "firing")]
        self.take(watched, 0.2)
        await watched.look(watched.watcher("ping"), 4)
        assert watched.taker.statuses("ping.slow") == [("r1", "firing")]
        await watched.look(watched.watcher("ping"), 5)
        assert watched.taker.statuses("ping.slow")[1:] == [("r1", "resolved")]

    async def test_what_is_usual_is_written_seldom(self, watched: Watched) -> None:
        watcher = watched.watcher("ping")
        self.take(watched, 0.2)
        reports = await watched.look(watcher, 180)
        assert [number for number, each in enumerate(reports, 1) if each.cursor] == [60, 120, 180]

    async def test_what_was_not_committed_is_written_at_the_next_look(self, watched: Watched) -> None:
        watcher = watched.watcher("ping")
        self.take(watched, 0.2)
        await watched.look(watcher, 60)
        self.take(watched, 2.0)
        await watched.look(watcher, 2)
        watched.taker.die_at = 0
        with pytest.raises(CrashError):
            await watched.look(watcher)
        (report,) = await watched.look(watcher)
        assert report.cursor is not None
        (report,) = await watched.look(watcher)
        assert report.cursor is None

    async def test_answers_that_fail_take_no_part(self, watched: Watched) -> None:
        watcher = watched.watcher("ping")
        self.take(watched, 0.2)
        await watched.look(watcher, 60)
        self.take(watched, 9.0, Error="storage", Healthy=False)
        await watched.look(watcher, 10)
        watched.answers["r1", "/_ping"] = DOWN
        await watched.look(watcher, 10)
        self.take(watched, 0.2)
        await watched.look(watcher, 10)
        assert watched.taker.statuses("ping.slow") == []

    async def test_who_fails_while_it_is_slow_is_still_slow(self, watched: Watched) -> None:
        watcher = watched.watcher("ping")
        self.take(watched, 0.2)
        await watched.look(watcher, 60)
        self.take(watched, 2.0)
        await watched.look(watcher, 5)
        self.take(watched, 0.1, Error="storage", Healthy=False)
        await watched.look(watcher, 10)
        assert watched.taker.statuses("ping.slow") == [("r1", "firing")]

    async def test_what_is_slow_can_be_set(self, watched: Watched) -> None:
        watcher = watched.watcher("ping", slow_factor=2, slow_least="1s")
        self.take(watched, 0.6)
        await watched.look(watcher, 60)
        self.take(watched, 1.1)
        await watched.look(watcher, 5)
        assert watched.taker.statuses("ping.slow") == []
        self.take(watched, 1.4)
        await watched.look(watcher, 5)
        assert watched.taker.statuses("ping.slow") == [("r1", "firing")]
