from datetime import timedelta

import pytest

from relay.engine.lifecycle import fingerprint
from relay.engine.policy import About, Damping, Policy
from relay.model.alert import AlertState
from relay.model.catalogue import CATALOGUE
from relay.model.event import Status
from relay.model.observation import Watch
from relay.model.severity import Severity
from tests.engine.things import Engine, at, condition, failure, issue, report, rule, told

FIRING = [("ping.failing", "firing")]
RESOLVED = [("ping.failing", "resolved")]


def damped(hold: float = 0, keep: float = 0) -> Policy:
    return Policy(damping={"ping.failing": Damping(timedelta(seconds=hold), timedelta(seconds=keep))})


def test_a_condition_fires_once_and_resolves_once() -> None:
    engine = Engine()
    assert told(engine.take(report(0, condition()))) == FIRING
    assert engine.take(report(10, condition())).empty
    assert told(engine.take(report(20))) == RESOLVED
    assert engine.take(report(30)).empty


def test_both_ends_of_a_life_have_one_id_and_the_next_life_another() -> None:
    engine = Engine()
    first = engine.take(report(0, condition())).events[0]
    end = engine.take(report(10)).events[0]
    second = engine.take(report(20, condition())).events[0]
    assert first.alert == end.alert != second.alert
    assert first.id != end.id
    assert (end.starts_at, end.ends_at, end.happened_at) == (at(0), at(10), at(10))


def test_a_free_text_is_no_part_of_the_identity() -> None:
    watch = Watch("prod", "ping")
    assert fingerprint(watch, condition()) == fingerprint(watch, condition(summary="another text"))
    assert fingerprint(watch, condition()) != fingerprint(Watch("lab", "ping"), condition())
    assert fingerprint(watch, condition("r1")) != fingerprint(watch, condition("r2"))


def test_for_waits_until_it_has_held_so_long() -> None:
    engine = Engine(policy=damped(hold=30))
    assert told(engine.take(report(0, condition()))) == []
    assert told(engine.take(report(29, condition()))) == []
    assert told(engine.take(report(30, condition()))) == FIRING


def test_a_type_has_a_for_of_its_own_where_the_user_says_nothing() -> None:
    hours = CATALOGUE["gc.held"].hold.total_seconds() / 3600
    held = condition(type="gc.held", source="")
    engine = Engine()
    for hour in (0, 1, hours - 0.01):
        assert told(engine.take(report(hour * 3600, held))) == []
    assert told(engine.take(report(hours * 3600, held))) == [("gc.held", "firing")]
    (alert,) = engine.world.alerts.values()
    assert (alert.starts_at, alert.fired_at) == (at(0), at(hours * 3600))


def test_what_the_user_says_comes_before_the_type() -> None:
    minute = Engine(policy=Policy(damping={"gc.held": Damping(timedelta(minutes=1))}))
    held = condition(type="gc.held", source="")
    assert told(minute.take(report(0, held))) == []
    assert told(minute.take(report(60, held))) == [("gc.held", "firing")]


def test_waiting_for_its_time_is_no_change() -> None:
    engine = Engine(policy=damped(hold=3600))
    for seconds in (0, 10):
        assert not engine.take(report(seconds, condition(looks=2))).empty
    assert engine.take(report(20, condition(looks=2))).empty
    assert told(engine.take(report(3600, condition(looks=2)))) == FIRING


def test_a_pending_alert_that_ceases_is_never_told() -> None:
    engine = Engine(policy=damped(hold=30))
    engine.take(report(0, condition()))
    gone = engine.take(report(10))
    assert not gone.events
    assert gone.alerts[0].state is AlertState.RESOLVED
    assert told(engine.take(report(40, condition()))) == []


def test_it_takes_several_looks_in_a_row() -> None:
    engine = Engine()
    three = condition(looks=3)
    assert told(engine.take(report(0, three))) == []
    assert told(engine.take(report(10, three))) == []
    assert told(engine.take(report(20, three))) == FIRING


def test_looks_that_are_not_in_a_row_do_not_add_up() -> None:
    engine = Engine()
    for seconds in range(0, 100, 20):
        assert told(engine.take(report(seconds, condition(looks=2)))) == []
        assert told(engine.take(report(seconds + 10))) == []


def test_keep_firing_for_rides_over_flaps() -> None:
    engine = Engine(policy=damped(keep=60))
    engine.take(report(0, condition()))
    assert told(engine.take(report(10))) == []
    assert told(engine.take(report(20, condition()))) == []
    assert told(engine.take(report(30))) == []
    ended = engine.take(report(90))
    assert told(ended) == RESOLVED
    assert ended.alerts[0].ends_at == at(30), "it ended when it was first seen gone"


class TestAFailedLookIsNotGoodNews:
    def test_a_source_that_cannot_be_read_resolves_nothing(self) -> None:
        engine = Engine()
        engine.take(report(0, condition("r1"), condition("r2"), watcher="nginx_status"))
        half = engine.take(report(10, watcher="nginx_status", failures=[failure("r1")]))
        assert [alert.source for alert in half.alerts if alert.type == "ping.failing"] == ["r2"]

    def test_what_any_source_may_show_needs_one_that_can_be_read(self) -> None:
        engine = Engine()
        engine.take(report(0, issue(), watcher="cluster_status"))
        both = [failure("r1"), failure("r2")]
        assert told(engine.take(report(10, watcher="cluster_status", failures=both))) == []
        one = engine.take(report(20, watcher="cluster_status", failures=both[:1]))
        assert ("cluster.issue", "resolved") in told(one)

    def test_a_look_in_the_middle_of_a_reading_resolves_nothing(self) -> None:
        engine = Engine()
        engine.take(report(0, condition()))
        assert engine.take(report(10, complete=False)).empty

    def test_what_a_look_cannot_judge_keeps_its_state(self) -> None:
        engine = Engine()
        engine.take(report(0, condition(), issue()))
        blind = report(10, undecided=["cluster.issue"])
        assert told(engine.take(blind)) == RESOLVED
        assert told(engine.take(report(20))) == [("cluster.issue", "resolved")]

    def test_what_waits_for_more_looks_waits_on_when_one_cannot_judge(self) -> None:
        engine = Engine()
        engine.take(report(0, condition(looks=2)))
        engine.take(report(10, undecided=["ping.failing"]))
        assert told(engine.take(report(20, condition(looks=2)))) == FIRING

    def test_another_watch_resolves_nothing(self) -> None:
        engine = Engine()
        engine.take(report(0, condition()))
        assert not engine.take(report(10, watcher="cluster_status")).alerts
        assert not engine.take(report(10, cluster="lab")).alerts


class TestSeverity:
    def test_a_worse_one_is_told_under_the_same_id(self) -> None:
        engine = Engine(rule(match={"severity": ">= critical"}))
        mild = engine.take(report(0, issue(), watcher="cluster_status"))
        assert told(mild) == []
        grave = engine.take(report(10, issue(critical=True), watcher="cluster_status"))
        assert told(grave) == [("cluster.issue", "firing")]
        assert grave.events[0].alert == mild.events[0].alert

    def test_a_better_one_is_not_told(self) -> None:
        engine = Engine()
        engine.take(report(0, issue(critical=True), watcher="cluster_status"))
        better = engine.take(report(10, issue(), watcher="cluster_status"))
        assert told(better) == []
        assert better.alerts[0].severity is Severity.WARNING

    def test_toggling_tells_each_severity_once(self) -> None:
        engine = Engine()
        seen = [
            event.id
            for seconds in range(6)
            for event in engine.take(
                report(seconds, issue(critical=bool(seconds % 2)), watcher="cluster_status")
            ).events
        ]
        assert len(set(seen)) == 2

    def test_the_user_has_the_last_word(self) -> None:
        engine = Engine(policy=Policy(severities={"cluster.issue": Severity.INFO}))
        event = engine.take(report(0, issue(critical=True), watcher="cluster_status")).events[0]
        assert event.severity is Severity.INFO


def test_labels_and_annotations_come_from_the_cluster() -> None:
    about = About({"team": "registry"}, {"runbook": "https://wiki.example.com/msr"})
    engine = Engine(policy=Policy(clusters={"prod": about}))
    event = engine.take(report(0, condition())).events[0]
    assert (event.labels, event.annotations) == (about.labels, about.annotations)


@pytest.mark.parametrize("text", ["nul \0", "lone \ud800"])
def test_text_that_no_database_takes_is_mended(text: str) -> None:
    engine = Engine()
    event = engine.take(report(0, condition(summary=text, details={"error": [text]}))).events[0]
    event.to_json().encode()
    assert "\0" not in event.summary + event.details["error"][0]


def test_the_same_condition_twice_in_a_report_is_one() -> None:
    engine = Engine()
    assert told(engine.take(report(0, condition(), condition()))) == FIRING
    assert len(engine.world.alerts) == 1
    assert engine.take(report(1)).events[0].status is Status.RESOLVED
