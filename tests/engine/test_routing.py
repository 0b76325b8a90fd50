from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.engine.routing import OWN_RULE
from relay.engine.rules import default_rules
from relay.model.event import Event, Subject, SubjectKind
from relay.model.samples import sample
from relay.model.severity import Severity
from tests.engine.things import router, rule


def goes(event: Event, *rules: Any) -> list[tuple[str, str]]:
    return [(route.rule, route.channel) for route in router(*rules).route(event)]


DELETED = sample("trust.deleted")
ISSUE = sample("cluster.issue")


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({}, True),
        ({"type": "trust.deleted"}, True),
        ({"type": ["cluster.*", "trust.*"]}, True),
        ({"type": "cluster.*"}, False),
        ({"type": "!trust.updated"}, True),
        ({"cluster": "prod"}, True),
        ({"cluster": "lab*"}, False),
        ({"repository": "prod/*"}, True),
        ({"repository": ["prod/**", "!prod/app"]}, False),
        ({"repository": "msr.example.com/prod/app"}, False),
        ({"severity": ">= warning"}, True),
        ({"severity": "info"}, False),
        ({"labels": {"team": "a*"}}, True),
        ({"labels": {"team": "b"}}, False),
        ({"labels": {"stage": "prod"}}, False),
        ({"replica": "*"}, False),
    ],
)
def test_matchers(match: dict[str, Any], expected: bool) -> None:
    event = replace(DELETED, labels={"team": "alpha"})
    assert bool(goes(event, rule(match=match))) is expected


def test_a_repository_matcher_takes_nothing_else() -> None:
    assert goes(ISSUE, rule(match={"repository": "**"})) == []


def test_a_replica_matcher_knows_the_replicas_of_an_issue() -> None:
    issue = replace(
        ISSUE, subject=Subject(SubjectKind.ISSUE, "table_availability", replicas=("f227", "0a1b"))
    )
    assert goes(issue, rule(match={"replica": "0a*"}))
    assert not goes(issue, rule(match={"replica": "ffff"}))


def test_a_deletion_without_a_name_matches_every_rule_about_some_repository() -> None:
    nameless = replace(DELETED, subject=Subject(SubjectKind.REPOSITORY, "", gun=""))
    assert goes(nameless, rule(match={"repository": ["prod/**", "!prod/scratch-*"]}))
    assert not goes(nameless, rule(match={"repository": "prod/**", "cluster": "lab"}))


def test_all_rules_are_tried_and_a_channel_gets_an_event_once() -> None:
    rules = (rule("one", ["a", "b"]), rule("two", ["b", "c"]))
    assert goes(DELETED, *rules) == [("one", "a"), ("one", "b"), ("two", "c")]


def test_stop_ends_the_search_only_for_what_matches() -> None:
    rules = (rule("one", ["a"], match={"type": "trust.*"}, stop=True), rule("two", ["b"]))
    assert goes(DELETED, *rules) == [("one", "a")]
    assert goes(ISSUE, *rules) == [("two", "b")]


def test_when_is_asked_last() -> None:
    assert goes(DELETED, rule(when="namespace == 'prod' and severity >= 'error'"))
    assert not goes(DELETED, rule(when="cluster == 'lab'"))


def test_a_route_carries_what_its_rule_says() -> None:
    wanted = rule("one", ["a"], template="mine", after="30s", on_resolve=False)
    (route,) = router(wanted).route(ISSUE)
    assert (route.template, route.after, route.on_resolve) == ("mine", timedelta(seconds=30), False)


def test_without_rules_warnings_go_everywhere_and_news_do_not() -> None:
    rules = default_rules(["a", "b"])
    assert goes(DELETED, *rules) == [("default", "a"), ("default", "b")]
    assert goes(replace(DELETED, severity=Severity.INFO), *rules) == []
    assert default_rules([]) == []


class TestTheRelaysOwnNews:
    """They go to every other channel, unless a rule says by type where they go."""

    failing = replace(sample("channel.failing"), details={"channel": "b"})

    def test_every_other_channel(self) -> None:
        assert goes(self.failing, rule(match={"type": "trust.*"})) == [(OWN_RULE, "a"), (OWN_RULE, "c")]

    @pytest.mark.parametrize("match", [{}, {"type": "*"}, {"type": "**"}, {"severity": ">= info"}])
    def test_a_rule_for_everything_says_nothing_about_them(self, match: dict[str, Any]) -> None:
        assert {channel for _, channel in goes(self.failing, rule(match=match))} == {"a", "c"}

    def test_a_rule_that_names_the_type_decides(self) -> None:
        mine = rule("mine", ["c"], match={"type": "channel.*"})
        assert goes(self.failing, mine) == [("mine", "c")]

    def test_never_to_the_channel_in_trouble(self) -> None:
        assert goes(self.failing, rule("mine", ["b", "c"], match={"type": "channel.*"})) == [("mine", "c")]

    def test_a_template_concerns_everybody(self) -> None:
        assert len(goes(sample("template.failing"), rule(match={"type": "trust.*"}))) == 3


class TestExplain:
    def test_every_rule_says_why_not(self) -> None:
        rules = (
            rule("lab", ["a"], match={"cluster": "lab", "severity": "info"}),
            rule("mine", ["a", "b"], stop=True),
            rule("late", ["c"]),
        )
        lab, mine, late = router(*rules).explain(DELETED)
        assert lab.misses == ("cluster is prod", "severity is critical")
        assert (mine.misses, mine.channels) == ((), ("a", "b"))
        assert (late.misses, late.reached, late.channels) == ((), False, ())

    def test_it_agrees_with_routing(self) -> None:
        rules = (
            rule("one", ["a"], match={"type": "cluster.*"}),
            rule("two", ["b", "a"]),
            rule("three", ["b"]),
        )
        for event in (DELETED, ISSUE):
            explained = [
                (each.rule, name) for each in router(*rules).explain(event) for name in each.channels
            ]
            assert explained == goes(event, *rules)
