"""What the index leaves out takes nothing: with it, events go exactly where they would go without."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.engine.index import Index
from relay.engine.matching import Matcher
from relay.engine.routing import OWN_RULE
from relay.engine.rules import Match, Rule
from relay.engine.scene import Silences
from relay.model.catalogue import CATALOGUE
from relay.model.event import Event, Subject, SubjectKind
from relay.model.patterns import Patterns, fixed_start
from relay.model.samples import sample
from relay.model.severity import Severity
from relay.model.silence import Silence
from relay.settings.checks import covers
from tests.engine.things import at, router, rule

TYPES = (
    "trust.deleted",
    "trust.updated",
    "cluster.issue",
    "ping.failing",
    "channel.failing",
    "hook.unreadable",
)


def globs(*texts: str) -> st.SearchStrategy[list[str]]:
    signed = st.builds(str.__add__, st.sampled_from(["", "", "", "!"]), st.sampled_from(texts))
    return st.lists(signed, max_size=3)


TYPE_GLOBS = globs(
    *TYPES, "trust.*", "tru*", "*", "**", "cluster.*", "channel.*", "?rust.deleted", "*.failing"
)
CLUSTER_GLOBS = globs("prod", "lab", "l*", "*", "p[r]od", "[p", "eu.west")
REPOSITORY_GLOBS = globs(
    "team1/**",
    "team1/app-*",
    "team1/app",
    "team2/*",
    "team2",
    "team*",
    "**",
    "*/app",
    "te?m1/app",
    "team[12]/**",
)
LABEL_GLOBS = globs("a", "b", "a*", "*")
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPE_GLOBS,
        "cluster": CLUSTER_GLOBS,
        "repository": REPOSITORY_GLOBS,
        "severity": st.sampled_from(["critical", ">= warning", "< error"]),
        "replica": globs("r1", "r*"),
        "labels": st.dictionaries(st.sampled_from(["team", "stage"]), LABEL_GLOBS, max_size=2),
    },
)
RULES = st.lists(
    st.fixed_dictionaries(
        {
            "channels": st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True),
            "match": MATCHES,
            "stop": st.sampled_from([False, False, False, True]),
            "escalate": st.sampled_from([[], [], [{"after": "5m", "channels": ["c"]}]]),
            "when": st.sampled_from([None, None, "severity >= 'error'", "cluster == 'prod'"]),
        }
    ),
    max_size=12,
)
SUBJECTS = st.one_of(
    st.builds(
        Subject,
        st.just(SubjectKind.REPOSITORY),
        st.sampled_from(
            ["team1/app", "team1/app-x", "team2/app", "team2", "team1/deep/app", "", "/", "team1"]
        ),
    ),
    st.builds(
        Subject,
        st.sampled_from([SubjectKind.REPLICA, SubjectKind.ISSUE, SubjectKind.CHANNEL]),
        st.sampled_from(["r1", "team1/app", ""]),
        replicas=st.sampled_from([(), ("r1",), ("x", "r2")]),
    ),
)
EVENTS = st.builds(
    lambda of_type, **fields: replace(sample(of_type), **fields),
    st.sampled_from(TYPES),
    cluster=st.sampled_from(["prod", "lab", "eu.west", "[p", "", None]),
    subject=SUBJECTS,
    severity=st.sampled_from(list(Severity)),
    labels=st.dictionaries(
        st.sampled_from(["team", "stage", "other"]), st.sampled_from(["a", "b", "ab", ""])
    ),
    details=st.sampled_from([{}, {"channel": "b"}]),
)


def without_index(rules: list[Rule], channels: tuple[str, ...], event: Event) -> list[tuple[str, str, int]]:
    """Where an event goes, as the documents say it, asking each rule."""
    own = CATALOGUE[event.type].about_relay
    others = [name for name in channels if not own or name != event.details.get("channel")]
    about = [Patterns(each.match.type) for each in rules if each.match.type is not None]
    if own and not any(
        each.match(event.type) and any(glob.strip("*") for glob in each.wanted) for each in about
    ):
        return [(OWN_RULE, name, 0) for name in others]
    first: dict[str, str] = {}
    later: list[tuple[str, str, int]] = []
    for each in rules:
        whens = {None: True, "cluster == 'prod'": event.cluster == "prod"}
        holds = whens.get(each.when, event.severity >= Severity.ERROR)
        if Matcher(each.match).takes(event) and holds:
            for name in each.channels:
                first.setdefault(name, each.name)
            later += [
                (each.name, name, number)
                for number, step in enumerate(each.escalate, 1)
                for name in step.channels
            ]
            if each.stop:
                break
    gone = [*((name, channel, 0) for channel, name in first.items()), *later]
    return [each for each in gone if each[1] in others]


@settings(max_examples=400, deadline=None)
@given(RULES, st.lists(EVENTS, min_size=1, max_size=4))
def test_events_go_where_they_would_go_without_an_index(
    written: list[dict[str, Any]], events: list[Event]
) -> None:
    rules = [rule(f"r{place}", **fields) for place, fields in enumerate(written)] or [rule("all")]
    made = router(*rules)
    for event in events:
        routes = [(each.rule, each.channel, each.step) for each in made.route(event)]
        assert routes == without_index(rules, ("a", "b", "c"), event)


@settings(max_examples=400, deadline=None)
@given(MATCHES, EVENTS)
def test_what_takes_an_event_misses_nothing(written: dict[str, Any], event: Event) -> None:
    matcher = Matcher(Match.model_validate(written))
    assert matcher.takes(event) is not bool(list(matcher.misses(event)))


@settings(max_examples=400, deadline=None)
@given(st.lists(MATCHES, max_size=12), EVENTS)
def test_whatever_takes_an_event_is_found_once_and_in_order(
    written: list[dict[str, Any]], event: Event
) -> None:
    matches = [Match.model_validate(each) for each in written]
    found = list(Index(matches).may_take(event))
    assert found == sorted(set(found))
    takes = {place for place, match in enumerate(matches) if Matcher(match).takes(event)}
    assert takes <= set(found)


@settings(max_examples=400, deadline=None)
@given(st.lists(MATCHES, max_size=8), MATCHES)
def test_whatever_covers_a_match_is_found_in_order(
    written: list[dict[str, Any]], one: dict[str, Any]
) -> None:
    narrow = Match.model_validate(one)
    wide = [Match.model_validate(each) for each in (*written, one, {**one, "repository": "**"})]
    found = list(Index(wide).may_cover(narrow))
    assert found == sorted(set(found))
    assert {place for place, match in enumerate(wide) if covers(match, narrow)} <= set(found)


@settings(max_examples=200, deadline=None)
@given(st.lists(MATCHES, max_size=8), EVENTS)
def test_silences_are_found_that_speak_of_an_event(written: list[dict[str, Any]], event: Event) -> None:
    silences = [
        Silence(f"s{place}", matchers, at(0), at(60 + place), "ann", "", at(0))
        for place, matchers in enumerate(written)
    ]
    speaking = [each for each in silences if Matcher(Match.model_validate(each.matchers)).takes(event)]
    found = Silences(silences)
    assert found.matching(event) == speaking
    assert found.holding(event, at(1)) == (speaking[-1] if speaking else None)


def found_by(event: Event, *matches: dict[str, Any]) -> list[int]:
    return list(Index(map(Match.model_validate, matches)).may_take(event))


EVENT = replace(
    sample("trust.deleted"),
    cluster="prod",
    subject=Subject(SubjectKind.REPOSITORY, "team1/app"),
    labels={"team": "a"},
)


@pytest.mark.parametrize(
    "match",
    [
        {"type": "trust.updated"},
        {"type": "cluster.*"},
        {"type": ["cluster.*", "trust.updated"]},
        {"cluster": "lab"},
        {"cluster": ["lab", "dev"]},
        {"repository": "team2/**"},
        {"repository": ["team2/app-*", "team3/app", "!team2/app-x"]},
        {"repository": "app"},
        {"labels": {"team": "b"}},
        {"labels": {"stage": "a"}},
        {"labels": {"stage": "*", "team": ["b", "c"]}},
        {"type": "trust.deleted", "cluster": "prod", "repository": "team2/**"},
        {"type": "trust.*", "cluster": "lab", "repository": "team1/**"},
    ],
)
def test_what_has_another_type_cluster_namespace_or_label_is_not_asked(match: dict[str, Any]) -> None:
    assert found_by(EVENT, match, {}) == [1]


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"type": "trust.deleted"},
        {"type": ["trust.*", "trust.deleted"]},
        {"type": "!cluster.*"},
        {"type": []},
        {"cluster": "p*"},
        {"repository": ["team2/**", "**/app"]},
        {"repository": "team?/app"},
        {"labels": {"team": "a"}},
    ],
)
def test_what_may_take_it_is_asked_once(match: dict[str, Any]) -> None:
    assert found_by(EVENT, match) == [0]


def test_a_repository_without_a_name_is_looked_up_under_every_namespace() -> None:
    nameless = replace(EVENT, subject=Subject(SubjectKind.REPOSITORY, ""))
    assert found_by(nameless, {"repository": "team1/**"}, {"repository": "team2/**"}) == [0, 1]


def test_a_rule_for_some_repository_is_not_asked_about_anything_else() -> None:
    replica = replace(EVENT, subject=Subject(SubjectKind.REPLICA, "team1/app"))
    assert found_by(replica, {"repository": "team1/**"}, {"replica": "team1/*"}) == [1]


def test_a_rule_that_names_very_much_is_found_by_its_namespaces() -> None:
    wide = {
        "type": ["trust.deleted", "trust.updated", "cluster.*"],
        "cluster": [f"c{number}" for number in range(30)],
        "repository": [f"team{number}/**" for number in range(100)],
    }
    assert found_by(EVENT, wide) == [0]
    elsewhere = replace(EVENT, subject=Subject(SubjectKind.REPOSITORY, "team100/app"))
    assert found_by(elsewhere, wide) == []


def test_nothing_is_found_where_there_is_nothing() -> None:
    assert found_by(EVENT) == []


@pytest.mark.parametrize(
    ("glob", "start"),
    [
        ("prod/app", "prod/app"),
        ("prod/*", "prod/"),
        ("pro?/a", "pro"),
        ("p[ab]", "p"),
        ("**", ""),
        ("a]", "a]"),
    ],
)
def test_what_a_glob_begins_with(glob: str, start: str) -> None:
    assert fixed_start(glob) == start
