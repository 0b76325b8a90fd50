"""Alertmanager's posts: which alerts fire and which have ended, through the engine that tells it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from relay.engine.policy import About, Damping, Policy
from relay.hooks import UnreadableError, read
from relay.hooks.alertmanager import MOST
from relay.model.alert import Alert, AlertState
from relay.model.catalogue import CATALOGUE
from relay.model.observation import Report
from relay.model.plan import Plan
from relay.model.severity import Severity
from tests.engine.things import Engine, told
from tests.hooks.posts import ALERTS, NOW, SECRET, alert, body, group

TYPE = "alertmanager.alert"


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def posted(*alerts: Any, at: float = 0, **more: Any) -> Report:
    return read(ALERTS, body(group(*alerts, **more)), later(at))


def only(decided: Plan) -> Alert:
    (found,) = decided.alerts
    CATALOGUE[found.type].details.model_validate(found.details)
    return found


class TestLifetime:
    def test_it_fires_once_and_resolves(self) -> None:
        engine = Engine()
        assert told(engine.take(posted(alert()))) == [(TYPE, "firing")]
        assert told(engine.take(posted(alert(), at=60))) == []
        assert told(engine.take(posted(alert(status="resolved"), at=120))) == [(TYPE, "resolved")]
        assert told(engine.take(posted(alert(status="resolved"), at=180))) == []
        assert engine.world.alerts == {}

    def test_what_a_post_does_not_hold_has_not_ended(self) -> None:
        engine = Engine()
        engine.take(posted(alert("A"), alert("B")))
        assert told(engine.take(posted(alert("C"), at=60))) == [(TYPE, "firing")]
        assert told(engine.take(posted(alert("A", "resolved"), alert("D"), at=120))) == [
            (TYPE, "firing"),
            (TYPE, "resolved"),
        ]
        assert {each.details["name"] for each in engine.world.alerts.values()} == {"B", "C", "D"}

    def test_a_post_without_alerts_ends_none(self) -> None:
        engine = Engine()
        engine.take(posted(alert()))
        assert told(engine.take(posted(at=60))) == []
        assert len(engine.world.alerts) == 1

    def test_an_end_that_had_no_beginning_is_no_news(self) -> None:
        decided = Engine().take(posted(alert(status="resolved")))
        assert (decided.events, decided.alerts, decided.deliveries) == ((), (), ())

    def test_two_hooks_do_not_end_each_others(self) -> None:
        engine = Engine()
        engine.take(posted(alert()))
        other = type(ALERTS)("other", ALERTS.kind, "prod", ALERTS.secret)
        assert told(engine.take(read(other, body(group(alert(status="resolved"))), later(9)))) == []

    def test_it_says_nothing_of_what_the_relay_can_read_itself(self) -> None:
        engine = Engine()
        engine.take(posted(alert()))
        assert engine.world.sights["prod"].condition() is None
        assert not engine.world.sights["prod"].reads("hooks/prod-alerts")

    def test_it_is_damped_though_nobody_looks_again(self) -> None:
        engine = Engine(policy=Policy(damping={TYPE: Damping(hold=timedelta(seconds=60))}))
        assert told(engine.take(posted(alert()))) == []
        assert told(engine.pass_time(later(59))) == []
        assert told(engine.pass_time(later(60))) == [(TYPE, "firing")]

    def test_what_got_worse_is_told_again(self) -> None:
        engine = Engine()
        mild = alert(labels={"alertname": "DiskFull", "severity": "warning"})
        engine.take(posted(mild))
        assert told(engine.take(posted(alert(), at=60))) == [(TYPE, "firing")]


class TestWhatItSays:
    def test_of_one_alert(self) -> None:
        found = only(Engine().take(posted(alert())))
        assert found.summary == "DiskFull: The disk of msr-2 is 92 % full"
        assert (found.subject.name, found.severity) == ("msr-2:9100", Severity.CRITICAL)
        assert found.state is AlertState.FIRING
        details = dict(found.details)
        assert details.pop("labels")["alertname"] == "DiskFull"
        assert set(details.pop("notes")) == {"summary", "description"}
        assert details == {
            "hook": "prod-alerts", "name": "DiskFull", "fingerprint": "f8f5diskfull",
            "description": "Full in 4 hours.", "began_at": "2026-11-23T20:50:00.123000Z",
            "generator_url": "https://prometheus.example.com/graph?g0.expr=disk_free",
            "alertmanager_url": "https://alertmanager.example.com", "receiver": "msr-relay",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("labels", "notes", "summary", "subject"),
        [
            ({"alertname": "Up"}, {}, "Up", "Up"),
            ({"alertname": "Up", "pod": "api-0"}, {}, "Up on api-0", "api-0"),
            ({"alertname": "Up", "job": "msr"}, {"message": "gone"}, "Up: gone", "msr"),
            ({"alertname": "Up"}, {"summary": "UP is down"}, "UP is down", "Up"),
            ({"instance": "a"}, {"description": "bad\x1b[0m\nworse"}, "bad\ufffd[0m worse", "a"),
        ],
    )
    def test_in_words(
        self, labels: dict[str, str], notes: dict[str, str], summary: str, subject: str
    ) -> None:
        found = only(Engine().take(posted(alert(labels=labels, annotations=notes))))
        assert (found.summary, found.subject.name) == (summary, subject)

    @pytest.mark.parametrize(
        ("label", "severity"),
        [
            ("critical", Severity.CRITICAL), ("page", Severity.CRITICAL), ("ERROR", Severity.ERROR),
            ("warn", Severity.WARNING), ("none", Severity.INFO), ("purple", Severity.WARNING),
            (None, Severity.WARNING),
        ],
    )  # fmt: skip
    def test_how_bad(self, label: str | None, severity: Severity) -> None:
        labels = {"alertname": "Up"} | ({} if label is None else {"severity": label})
        assert only(Engine().take(posted(alert(labels=labels)))).severity is severity

    def test_whoever_posts_cannot_change_the_labels_of_the_cluster(self) -> None:
        about = About({"team": "platform"}, {"runbook_url": "https://wiki.example.com/msr", "site": "fra"})
        labels = {"alertname": "Up", "team": "nobody", "tier": "gold"}
        notes = {"runbook_url": "https://wiki.example.com/up", "site": "ams"}
        engine = Engine(policy=Policy(clusters={"prod": about}))
        found = only(engine.take(posted(alert(labels=labels, annotations=notes))))
        assert found.labels == {"alertname": "Up", "team": "platform", "tier": "gold"}
        assert found.annotations == {"runbook_url": "https://wiki.example.com/up", "site": "ams"}

    def test_a_runbook_that_is_no_link_does_not_hide_the_clusters(self) -> None:
        about = About({}, {"runbook_url": "https://wiki.example.com/msr"})
        engine = Engine(policy=Policy(clusters={"prod": about}))
        found = only(engine.take(posted(alert(annotations={"runbook_url": "javascript:alert(1)"}))))
        assert found.annotations["runbook_url"] == "https://wiki.example.com/msr"

    def test_without_a_fingerprint_the_labels_are_its_identity(self) -> None:
        engine = Engine()
        bare = alert(fingerprint=None)
        engine.take(posted(bare))
        reordered = bare | {"labels": dict(reversed(bare["labels"].items()))}
        assert told(engine.take(posted(reordered | {"status": "resolved"}, at=60))) == [(TYPE, "resolved")]


class TestTrouble:
    @pytest.mark.parametrize("alerts", [None, {}, "x", 5])
    def test_a_post_without_a_list_of_alerts(self, alerts: Any) -> None:
        with pytest.raises(UnreadableError, match='no list of "alerts"'):
            read(ALERTS, body({"version": "4", "alerts": alerts}), NOW)

    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            (5, "is no object"),
            (alert(status="odd"), "firing or resolved"),
            (alert(labels={"a": 5}), "objects of texts"),
            (alert(labels=None), "objects of texts"),
            (alert(annotations=[]), "objects of texts"),
        ],
    )
    def test_one_that_cannot_be_understood_is_told_and_the_others_are_taken(self, bad: Any, why: str) -> None:
        decided = Engine().take(posted(alert("A"), bad, alert("B")))
        assert sorted(told(decided)) == [
            (TYPE, "firing"),
            (TYPE, "firing"),
            ("hook.unreadable", "event"),
        ]
        (event,) = [each for each in decided.events if each.type == "hook.unreadable"]
        assert why in event.summary

    def test_so_is_that_alerts_were_left_out(self) -> None:
        decided = Engine().take(posted(alert(), truncatedAlerts=7))
        (event,) = [each for each in decided.events if each.type == "hook.unreadable"]
        assert "left 7 alerts out" in event.summary

    def test_so_is_that_there_were_too_many(self) -> None:
        many = [alert(f"A{number}", labels={"alertname": f"A{number}"}) for number in range(MOST + 5)]
        assert read(ALERTS, body(group(*many[:MOST])), NOW).facts == ()
        report = read(ALERTS, body(group(5, *many)), NOW)
        assert len(report.sources) == len(report.conditions) == MOST - 1
        (fact,) = report.facts
        assert f"it has {MOST + 6} alerts, of which the first {MOST} are taken" in fact.summary
        assert "group_by" in fact.summary

    def test_it_is_told_once_an_hour(self) -> None:
        engine = Engine()
        assert told(engine.take(posted(5))) == [("hook.unreadable", "event")]
        assert told(engine.take(posted(6, at=3000))) == []
        assert told(engine.take(posted(5, at=3600))) == [("hook.unreadable", "event")]

    def test_the_secret_is_not_shown(self) -> None:
        decided = Engine().take(posted({"status": SECRET}))
        assert SECRET not in decided.events[0].to_json()
        assert "***" in decided.events[0].details["excerpt"]
