from dataclasses import replace
from datetime import timedelta

import pytest

from relay.engine.draft import Rules, World
from relay.engine.planning import close
from relay.engine.policy import Policy
from relay.engine.sight import Sight
from relay.model.alert import AlertState
from relay.model.delivery import DeliveryState
from relay.model.event import Subject, SubjectKind
from relay.model.observation import CursorMove, Report
from relay.model.severity import Severity
from tests.engine.things import Engine, at, condition, deletion, failure, issue, report, router, rule, told


class TestFacts:
    def test_a_fact_is_told_at_once_to_each_channel(self) -> None:
        engine = Engine(rule(channels=["a", "b"]))
        decided = engine.take(report(facts=[deletion()], watcher="changefeed"))
        assert told(decided) == [("trust.deleted", "event")] * 2
        assert {each.channel for each in decided.deliveries} == {"a", "b"}
        assert all(each.due_at == at(0) for each in decided.deliveries)

    def test_the_same_fact_again_is_known(self) -> None:
        engine = Engine()
        engine.take(report(facts=[deletion()]))
        assert engine.take(report(10, facts=[deletion()])).empty

    def test_a_fact_with_channels_of_its_own_goes_there_whatever_the_rules_say(self) -> None:
        engine = Engine(rule(channels=["a", "b"]))
        decided = engine.take(report(facts=[replace(deletion(), channels=("c", "gone"))]))
        assert [(each.channel, each.state) for each in decided.deliveries] == [
            ("c", DeliveryState.PENDING),
            ("gone", DeliveryState.HELD),
        ]
        assert not decided.unrouted
        assert engine.take(report(10, facts=[deletion()])).empty

    def test_another_record_with_a_used_id_is_another_fact(self) -> None:
        engine = Engine()
        engine.take(report(facts=[deletion("prod/app", "1")]))
        assert told(engine.take(report(10, facts=[deletion("prod/other", "1")])))

    def test_the_relay_that_sees_it_is_no_part_of_its_id(self) -> None:
        first = Engine().take(report(0, facts=[deletion()]))
        second = Engine().take(report(500, facts=[deletion()]))
        assert first.events[0].id == second.events[0].id
        assert first.deliveries[0].id == second.deliveries[0].id

    def test_two_clusters_are_two_facts(self) -> None:
        engine = Engine()
        engine.take(report(facts=[deletion()]))
        assert told(engine.take(report(facts=[deletion()], cluster="lab")))

    def test_what_no_rule_takes_is_kept_and_marked(self) -> None:
        engine = Engine(rule(match={"cluster": "lab"}))
        decided = engine.take(report(facts=[deletion()]))
        assert decided.unrouted == {decided.events[0].id}
        assert not decided.deliveries

    def test_after_never_delays_a_one_off_event(self) -> None:
        engine = Engine(rule(after="5m"))
        assert engine.take(report(facts=[deletion()])).deliveries[0].due_at == at(0)

    def test_the_cursor_goes_into_the_same_plan(self) -> None:
        move = CursorMove("prod/changefeed/all", None, "x")
        assert Engine().take(report(facts=[deletion()], cursor=move)).cursor == move


class TestResolve:
    def test_exactly_those_who_were_told_the_beginning_hear_of_the_end(self) -> None:
        engine = Engine(rule("one", ["a"]), rule("two", ["b"], on_resolve=False))
        assert {each.channel for each in engine.take(report(0, condition())).deliveries} == {"a", "b"}
        assert [each.channel for each in engine.take(report(10)).deliveries] == ["a"]

    def test_also_when_the_rules_have_changed_meanwhile(self) -> None:
        engine = Engine(rule("one", ["a"]))
        engine.take(report(0, condition()))
        engine.router = router(rule("other", ["b"]))
        (delivery,) = engine.take(report(10)).deliveries
        assert (delivery.channel, delivery.rule) == ("a", "one")

    def test_the_end_for_a_channel_that_is_gone_is_held_for_it(self) -> None:
        engine = Engine(rule("one", ["gone"]))
        engine.router = router(rule("one", ["gone"]), channels=["gone"])
        engine.take(report(0, condition()))
        engine.router = router(rule("other", ["b"]), channels=["b"])
        (delivery,) = engine.take(report(10)).deliveries
        assert (delivery.channel, delivery.state) == ("gone", DeliveryState.HELD)

    def test_an_end_that_nobody_wanted_is_not_unrouted(self) -> None:
        engine = Engine(rule(on_resolve=False))
        engine.take(report(0, condition()))
        assert not engine.take(report(10)).unrouted


class TestAfter:
    """``after`` tells an alert only if it still fires then."""

    def test_it_is_due_later(self) -> None:
        engine = Engine(rule(after="30s"))
        assert engine.take(report(0, condition())).deliveries[0].due_at == at(30)

    def test_what_is_over_is_said_so_that_nothing_of_it_is_told_later(self) -> None:
        engine = Engine(rule("slow", ["a"], after="30s"), rule("fast", ["b"]))
        alert = engine.take(report(0, condition())).alerts[0]
        over = engine.take(report(20))
        assert over.over == (alert.id,)
        # Who was told the beginning is known when it is sent: then the others are left out.
        assert {each.channel for each in over.deliveries} == {"a", "b"}


ALL_DARK = [failure("r1", dark=True, covered=True), failure("r2", dark=True, covered=True)]


def down(seconds: float) -> Report:
    """Nothing of the cluster answers a ping."""
    return report(seconds, condition("r1", looks=3), condition("r2", looks=3), failures=ALL_DARK)


class TestOneOutageIsOneMessage:
    def darkened(self) -> Engine:
        engine = Engine()
        assert told(engine.take(down(0))) == []
        assert told(engine.take(down(10))) == []
        return engine

    def test_the_cluster_is_told_and_its_replicas_are_held_back(self) -> None:
        decided = self.darkened().take(down(20))
        pending = [each for each in decided.deliveries if each.state is DeliveryState.PENDING]
        held = [each for each in decided.deliveries if each.state is DeliveryState.INHIBITED]
        types = {event.id: event.type for event in decided.events}
        assert [types[each.events[0]] for each in pending] == ["watch.failing"]
        assert [types[each.events[0]] for each in held] == ["ping.failing"] * 2
        assert next(e for e in decided.events if e.type == "watch.failing").severity == "critical"

    def test_what_still_fails_afterwards_is_let_go(self) -> None:
        engine = self.darkened()
        engine.take(down(20))
        half = engine.take(report(30, condition("r2", looks=3), failures=ALL_DARK[1:]))
        released = next(alert for alert in half.alerts if alert.source == "r2")
        assert half.released == (released.id,)
        assert not released.inhibited

    def test_another_watch_that_can_read_again_lets_nothing_go(self) -> None:
        engine = self.darkened()
        engine.take(report(15, watcher="changefeed", sources=["all"], failures=[failure("all", dark=True)]))
        engine.take(down(20))
        back = engine.take(report(25, watcher="changefeed", sources=["all"]))
        assert not back.released
        assert told(back) == []

    def test_trust_deletions_are_never_held_back(self) -> None:
        engine = self.darkened()
        engine.take(down(20))
        late = engine.take(report(21, watcher="changefeed", complete=False, facts=[deletion()], sources=[]))
        assert [each.state for each in late.deliveries] == [DeliveryState.PENDING]

    def test_an_alert_of_another_cluster_is_not_held_back(self) -> None:
        engine = self.darkened()
        engine.take(down(20))
        other = engine.take(report(21, condition("r9"), cluster="lab", sources=["r9"]))
        assert [each.state for each in other.deliveries] == [DeliveryState.PENDING]


class TestWatchFailing:
    def test_one_alert_lists_everything_that_cannot_be_read(self) -> None:
        engine = Engine()
        for seconds in (0, 10, 20):
            first = engine.take(report(seconds, watcher="nginx_status", failures=[failure("r1")]))
        assert told(first) == [("watch.failing", "firing")]
        for seconds in (21, 31, 41):
            second = engine.take(report(seconds, watcher="cluster_status", failures=[failure("r2")]))
        assert told(second) == []
        failing = second.alerts[-1].details["failing"]
        assert [(item["watcher"], item["source"]) for item in failing] == [
            ("cluster_status", "r2"),
            ("nginx_status", "r1"),
        ]
        assert told(engine.take(report(50, watcher="nginx_status"))) == []
        assert told(engine.take(report(51, watcher="cluster_status"))) == [("watch.failing", "resolved")]

    def test_what_trying_again_cannot_mend_is_told_at_once(self) -> None:
        refused = report(watcher="cluster_status", failures=[failure("r1", "password refused", at_once=True)])
        assert told(Engine().take(refused)) == [("watch.failing", "firing")]

    def test_a_replica_that_is_gone_is_told_by_its_ping_alone(self) -> None:
        engine = Engine()
        engine.take(report(0, watcher="changefeed", sources=["all"]))
        for seconds in range(0, 60, 10):
            gone = failure("r1", dark=True, covered=True)
            engine.take(report(seconds, condition("r1", looks=3), failures=[gone]))
            quiet = engine.take(
                report(seconds + 1, watcher="nginx_status", failures=[failure("r1", dark=True)])
            )
            assert told(quiet) == []
        assert {alert.type for alert in engine.world.alerts.values()} == {"ping.failing"}

    def test_a_restart_takes_up_where_it_was(self) -> None:
        engine = Engine()
        for seconds in (0, 10, 20):
            engine.take(report(seconds, watcher="nginx_status", failures=[failure("r1")]))
        self.restart(engine)
        assert told(engine.take(report(30, watcher="cluster_status"))) == []
        assert told(engine.take(report(40, watcher="nginx_status"))) == [("watch.failing", "resolved")]

    def test_a_restart_counts_on(self) -> None:
        engine = Engine()
        engine.take(report(0, watcher="cluster_status"))
        for seconds in (0, 10):
            engine.take(report(seconds, watcher="nginx_status", failures=[failure("r1")]))
        self.restart(engine)
        third = engine.take(report(20, watcher="nginx_status", failures=[failure("r1", dark=True)]))
        assert told(third) == [("watch.failing", "firing")]
        # What else could be read before is not forgotten: this is no dark cluster.
        assert third.alerts[0].details["whole"] is False

    def restart(self, engine: Engine) -> None:
        kept = engine.memos["sight/prod"]
        sight = Sight.read("prod", engine.policy.failures_of("prod"), kept)
        engine.world = World(engine.world.alerts, {"prod": sight})

    def test_what_is_remembered_is_written_only_when_it_changes(self) -> None:
        engine = Engine()
        assert engine.take(report(0)).memos
        assert not engine.take(report(10)).memos
        failing = report(20, watcher="nginx_status", failures=[failure("r1")])
        looks = [replace(failing, at=at(seconds)) for seconds in (20, 30, 40, 50, 60)]
        wrote = [bool(engine.take(each).memos) for each in looks]
        assert wrote == [True, True, True, False, False]

    @pytest.mark.parametrize(
        ("second", "said"),
        [
            ({"internal": True}, True),
            ({"silent": True}, True),  # A host that is down: often why the quorum is lost.
            ({}, False),
            (None, False),
        ],
    )
    def test_internal_errors_everywhere_are_what_no_quorum_looks_like(
        self, second: dict[str, bool] | None, said: bool
    ) -> None:
        engine = Engine(policy=Policy(failures={"prod": 2}))
        bad = {"dark": True, "covered": True}
        for seconds in (0, 10):
            failures = [failure("r1", internal=True, **bad)]
            failures += [] if second is None else [failure("r2", **second, **bad)]
            engine.take(report(seconds, failures=failures))
            feed = [failure("all", dark=True, internal=True)]
            last = engine.take(report(seconds, watcher="changefeed", sources=["all"], failures=feed))
            # nginx answers its own page, whatever has become of the MSR behind it.
            engine.take(report(seconds, watcher="nginx_status"))
        (alert,) = engine.world.alerts.values()
        assert (alert.details["whole"], alert.details["internal_errors"]) == (False, said)
        assert alert.severity is (Severity.CRITICAL if said else Severity.WARNING)
        assert told(last) == [("watch.failing", "firing")]

    def test_silence_everywhere_says_nothing_of_a_quorum(self) -> None:
        engine = Engine(policy=Policy(failures={"prod": 1}))
        gone = [failure(name, dark=True, covered=True, silent=True) for name in ("r1", "r2")]
        engine.take(report(0, failures=gone))
        (alert,) = engine.world.alerts.values()
        assert (alert.details["whole"], alert.details["internal_errors"]) == (True, False)

    def test_a_feed_that_fails_alone_says_nothing_of_a_quorum(self) -> None:
        engine = Engine(policy=Policy(failures={"prod": 1}))
        feed = [failure("all", dark=True, internal=True)]
        engine.take(report(0, watcher="changefeed", sources=["all"], failures=feed))
        (alert,) = engine.world.alerts.values()
        assert alert.details["internal_errors"] is False

    def test_internal_errors_are_known_after_a_restart(self) -> None:
        engine = Engine(policy=Policy(failures={"prod": 1}))
        bad = [failure(name, dark=True, covered=True, internal=True) for name in ("r1", "r2")]
        engine.take(report(0, failures=bad))
        self.restart(engine)
        assert engine.take(report(10, failures=bad[:2])).alerts[0].details["internal_errors"] is True

    def test_how_many_looks_it_takes_is_configured(self) -> None:
        engine = Engine(policy=Policy(failures={"prod": 1}))
        assert told(engine.take(report(0, watcher="nginx_status", failures=[failure("r1")])))


def test_what_is_no_longer_watched_ends_and_that_is_told() -> None:
    engine = Engine()
    engine.take(report(0, condition()))
    alerts = list(engine.world.alerts.values())
    decided, world = close(alerts, at(60), "no longer watched", engine.world, Rules(engine.router))
    assert told(decided) == [("ping.failing", "resolved")]
    assert decided.events[0].details["ended_because"] == "no longer watched"
    assert not world.alerts


def test_sight_forgets_what_is_no_longer_looked_at() -> None:
    sight = Sight("prod", 1).after(report(watcher="nginx_status", failures=[failure("r1")]))
    assert sight.condition() is not None
    assert sight.within({"nginx_status": ["r2"]}, 1).condition() is None


def test_an_issue_names_its_replicas() -> None:
    engine = Engine()
    subject = Subject(SubjectKind.ISSUE, "i", replicas=("f2277ad178f7",))
    seen = report(0, replace(issue(), subject=subject), watcher="cluster_status")
    assert engine.take(seen).events[0].subject.replicas == ("f2277ad178f7",)


def test_states_of_the_world() -> None:
    engine = Engine(policy=Policy(damping={}))
    engine.take(report(0, condition(looks=2)))
    assert [alert.state for alert in engine.world.alerts.values()] == [AlertState.PENDING]
    assert timedelta(0) == engine.policy.damp("ping.failing").hold
