"""A condition that comes and goes too often: told once, then quiet until it settles.

Timelines have one letter a minute: X the condition is shown, . it is not, ? the look failed.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.engine.draft import Rules
from relay.engine.planning import close, pass_time
from relay.engine.policy import Damping, Flap, Policy
from relay.model.alert import Alert
from relay.model.event import Event, Status
from relay.model.observation import Condition
from relay.model.plan import Plan
from relay.model.severity import Severity
from tests.engine.things import Engine, at, condition, failure, issue, report, told

WINDOW = 10
"""Minutes."""


def policy(changes: int = 6, *, hold: int = 0, keep: int = 0, off: bool = False) -> Policy:
    """Damping in minutes."""
    flap = None if off else Flap(changes, timedelta(minutes=WINDOW))
    damping = Damping(timedelta(minutes=hold), timedelta(minutes=keep), flap)
    return Policy(damping=dict.fromkeys(("ping.failing", "cluster.issue", "channel.failing"), damping))


def word(event: Event) -> str:
    """F fires, R resolves, ~ fires and flaps."""
    return "~" if event.flapping else event.status.value[0].upper()


def play(engine: Engine, timeline: str, start: int = 0) -> Iterator[Plan]:
    shown = {"X": [condition()], ".": [], "?": []}
    failed = {"?": [failure("r1", covered=True)]}
    for minute, letter in enumerate(timeline, start):
        yield engine.take(report(60 * minute, *shown[letter], failures=failed.get(letter, [])))


def words(timeline: str, by: Policy | None = None) -> str:
    """What is told at each minute of a timeline: a word of ``word``, or a blank."""
    engine = Engine(policy=by or policy())
    said = [[word(event) for event in decided.events] for decided in play(engine, timeline)]
    assert all(len(each) <= 1 for each in said)
    return "".join("".join(each) or " " for each in said).rstrip()


@pytest.mark.parametrize(
    ("timeline", "expected"),
    [
        # The seventh change within ten minutes is one too many.
        ("X.X.X.X.X.X.X", "FRFRFR~"),
        # The window is open at its far end: the first change no longer counts after exactly ten minutes.
        ("X.X.X....X", "FRFRFR   ~"),
        ("X.X.X.....X", "FRFRFR    F"),
        # It settles absent: gone for ten minutes, then its history begins anew.
        ("X.X.X.X..........X", "FRFRFR~"),
        ("X.X.X.X...........X.X.X.X.X", "FRFRFR~          RFRFRFR~"),
        # It settles present: told once more, as one that stays; then it is like any other.
        ("X.X.X.XXXXXXXXXXXXX.X", "FRFRFR~         F  RF"),
        # Every absence and every return puts settling off.
        ("X.X.X.X........X........X.........X.X..........", "FRFRFR~"),
        (
            "X.X.X.X........X........X.........X.X...........",
            "FRFRFR~                                        R",
        ),
        ("X.X.X.X" + "XXXXXXXX." * 4, "FRFRFR~"),
        # A look that failed changes nothing: it neither counts nor puts off.
        ("X.X.X.X???.???.???.", "FRFRFR~"),
        ("X?X?X?X?X?X?X", "F"),
        # Steady is steady.
        ("X" * 40, "F"),
        ("X" * 20 + "." * 20 + "X" * 20, "F" + " " * 19 + "R" + " " * 19 + "F"),
    ],
)
def test_timelines(timeline: str, expected: str) -> None:
    assert words(timeline) == expected.rstrip()


@pytest.mark.parametrize(
    ("by", "timeline", "expected"),
    [
        # `for`: what is pending neither counts nor is told.
        (policy(hold=2), "X.X.X.X.X.X.X.X.X.X", ""),
        (policy(hold=1), "XX.XX.X.X.XX.XX.XX", " FR FR     FR FR F"),
        (policy(2, hold=1), "XX.XX.X.X.XX.XX", " FR ~"),
        (policy(1, hold=1), "XX.X.XX", " FR   ~"),
        # `keep_firing_for`: what it rides over does not count.
        (policy(keep=2), "X.X.X.X.X.X.X.X.X", "F"),
        (policy(2, keep=2), "X...X...X", "F  R~"),
        (policy(2, keep=12), "X" + "." * 13 + "X", "F" + " " * 12 + "RF"),
        # The longer of both holds while it flaps.
        (policy(2, keep=2), "X...X..........X...........", "F  R~                     R"),
        # Off.
        (policy(off=True), "X.X.X.X.X.X.X.X.X.X", "FRFRFRFRFRFRFRFRFRF"),
        (policy(100), "X.X.X.X.X.X.X.X.X.X", "FRFRFRFRFRFRFRFRFRF"),
    ],
)
def test_with_other_damping(by: Policy, timeline: str, expected: str) -> None:
    assert words(timeline, by) == expected


def test_looks_that_are_not_enough_do_not_count() -> None:
    engine = Engine(policy=policy(1))
    for seconds in range(0, 200, 20):
        assert told(engine.take(report(seconds, condition(looks=2)))) == []
        assert told(engine.take(report(seconds + 10))) == []
    assert not engine.world.recent


def flapping(engine: Engine, timeline: str = "X.X.X.X") -> list[Event]:
    """Play until it flaps, and return the events so far."""
    told = [event for decided in play(engine, timeline) for event in decided.events]
    assert told[-1].flapping
    return told


class TestWhatIsTold:
    def test_the_firing_says_how_often_and_within_what_time(self) -> None:
        *plain, event = flapping(Engine(policy=policy()))
        assert event.details["flaps"] == {"changes": 7, "within_seconds": 600.0}
        assert event.summary == condition().summary
        assert not any(each.flapping or "flaps" in each.details for each in plain)

    def test_what_settles_is_told_in_the_same_thread_under_ids_of_their_own(self) -> None:
        engine = Engine(policy=policy())
        began = flapping(engine)[-1]
        (stays,) = [event for plan in play(engine, "X" * 11, 7) for event in plan.events]
        (ended,) = engine.take(report(60 * 20)).events
        assert (stays.status, stays.flapping) == (Status.FIRING, False)
        assert stays.details["flaps"] == {"changes": 0, "within_seconds": 600.0}
        assert "flaps" not in ended.details
        assert began.alert == stays.alert == ended.alert
        assert len({began.id, stays.id, ended.id}) == 3
        assert (ended.starts_at, ended.ends_at) == (at(360), at(1200))

    def test_the_end_is_when_it_was_first_gone(self) -> None:
        engine = Engine(policy=policy())
        flapping(engine)
        (ended,) = [event for plan in play(engine, "." * 11, 7) for event in plan.events]
        assert (ended.ends_at, ended.seen_at) == (at(7 * 60), at(17 * 60))

    def test_a_worse_severity_is_still_told_once(self) -> None:
        engine = Engine(policy=policy(2))
        seen = (
            [],
            [issue()],
            [],
            [issue()],
            [],
            [issue(critical=True)],
            [],
            [issue()],
            [issue(critical=True)],
        )
        plans = [
            engine.take(report(60 * minute, *shown, watcher="cluster_status"))
            for minute, shown in enumerate(seen)
        ]
        told_of = {id for decided in plans for each in decided.deliveries for id in each.events}
        # The store keeps one of each id: the same again is nothing new.
        new: dict[str, Event] = {}
        for event in (event for decided in plans for event in decided.events):
            new.setdefault(event.id, event)
        events = [event for event in new.values() if event.id in told_of]
        assert [(word(event), event.severity) for event in events] == [
            ("F", Severity.WARNING),
            ("R", Severity.WARNING),
            ("~", Severity.WARNING),
            ("~", Severity.CRITICAL),
        ]

    def test_a_severity_that_gets_worse_as_it_settles_is_told_once(self) -> None:
        engine = Engine(policy=policy(2))
        seen = [[issue()], [], [issue()], *([[issue()]] * 9), [issue(critical=True)], [issue(critical=True)]]
        plans = [
            engine.take(report(60 * minute, *shown, watcher="cluster_status"))
            for minute, shown in enumerate(seen)
        ]
        told_of = {id for decided in plans for each in decided.deliveries for id in each.events}
        # The store keeps one of each id: the same again is nothing new.
        new: dict[str, Event] = {}
        for event in (event for decided in plans for event in decided.events):
            new.setdefault(event.id, event)
        events = [event for event in new.values() if event.id in told_of]
        assert [(word(event), event.severity) for event in events][2:] == [
            ("~", Severity.WARNING),
            ("F", Severity.CRITICAL),
        ]


class TestWhatEndsTheHistory:
    def test_what_is_no_longer_watched_comes_back_without_a_past(self) -> None:
        engine = Engine(policy=policy())
        flapping(engine)
        ended, engine.world = close(
            list(engine.world.alerts.values()),
            at(400),
            "no longer watched",
            engine.world,
            Rules(engine.router),
        )
        assert [word(event) for event in ended.events] == ["R"]
        assert [word(event) for plan in play(engine, "X.X", 8) for event in plan.events] == ["F", "R", "F"]

    def test_what_is_long_past_is_forgotten(self) -> None:
        engine = Engine(policy=policy())
        engine.take(report(0, condition()))
        engine.take(report(60))
        assert engine.world.recent
        engine.take(report(60 + 60 * WINDOW, watcher="cluster_status"))
        assert not engine.world.recent

    def test_turned_off_it_ends_at_the_next_look(self) -> None:
        for letter, expected in ("X", "F"), (".", "R"):
            engine = Engine(policy=policy())
            flapping(engine)
            engine.policy = policy(off=True)
            assert [word(event) for plan in play(engine, letter, 7) for event in plan.events] == [expected]
            assert not any(alert.flapping for alert in engine.world.alerts.values())

    def test_a_longer_keep_firing_for_that_comes_meanwhile_counts(self) -> None:
        engine = Engine(policy=policy())
        flapping(engine)
        engine.policy = policy(keep=12)
        plans = enumerate(play(engine, "." * 13, 7), 7)
        assert [minute for minute, plan in plans if plan.events] == [19]

    def test_a_clock_that_went_back_holds_nothing_up(self) -> None:
        engine = Engine(policy=policy())
        flapping(engine)
        told = [event for plan in play(engine, "X" * 12, -10_000) for event in plan.events]
        assert [word(event) for event in told] == ["F"], "it has settled"


def test_what_cannot_be_read_takes_part() -> None:
    by = Policy(damping={"watch.failing": Damping(flap=Flap(2))}, failures={"prod": 1})
    engine = Engine(policy=by)
    said = []
    for minute in range(30):
        failures = [failure(name) for name in ("r1", "r2")] if minute in (0, 2, 4) else []
        events = engine.take(report(60 * minute, watcher="cluster_status", failures=failures)).events
        said.append("".join(word(event) for event in events) or " ")
    assert "".join(said).rstrip() == "FR~            R"


class TestTheRelaysOwnAlerts:
    """They are reported only when something changes: nothing but time can settle them."""

    def engine(self, minutes: str, by: Policy) -> Engine:
        engine = Engine(policy=by)
        for minute, letter in enumerate(minutes):
            trouble = [self.trouble()] if letter == "X" else []
            engine.take(report(60 * minute, *trouble, watcher="channels", cluster=None, sources=["a"]))
        return engine

    def trouble(self) -> Condition:
        return replace(condition("a"), type="channel.failing")

    def passing(self, engine: Engine, *minutes: int) -> list[str]:
        said = []
        for minute in minutes:
            decided, engine.world = pass_time(
                at(60 * minute), engine.world, engine.policy, Rules(engine.router)
            )
            said += [word(event) for event in decided.events]
        return said

    def test_a_channel_that_works_again_for_good(self) -> None:
        engine = self.engine("X.X.", policy(2))
        assert self.passing(engine, 4, 12) == []
        assert self.passing(engine, 13, 14, 50) == ["R"]
        assert not engine.world.alerts

    def test_a_channel_that_fails_for_good(self) -> None:
        engine = self.engine("X.X", policy(2))
        assert self.passing(engine, 4, 11) == []
        assert self.passing(engine, 12, 13, 50) == ["F"]

    def test_for_and_keep_firing_for_come_to_their_end_too(self) -> None:
        engine = self.engine("X", policy(hold=5, keep=5))
        assert self.passing(engine, 4, 5, 6) == ["F"]
        engine.take(report(420, watcher="channels", cluster=None, sources=["a"]))
        assert self.passing(engine, 11, 12, 13) == ["R"]

    def test_time_alone_says_nothing_of_a_cluster(self) -> None:
        engine = Engine(policy=policy())
        flapping(engine)
        assert self.passing(engine, 1000) == []


def simulate(timeline: str, by: Policy) -> tuple[list[Event], Engine]:
    engine = Engine(policy=by)
    return [event for decided in play(engine, timeline) for event in decided.events], engine


timelines = st.lists(
    st.tuples(st.sampled_from("XX..?"), st.integers(1, 14)) | st.tuples(st.just("X."), st.integers(1, 8)),
    max_size=25,
).map(lambda parts: "".join(letters * times for letters, times in parts))


@given(timelines, st.integers(1, 6), st.integers(0, 2))
def test_nobody_gets_more_than_so_many_messages_in_a_window(timeline: str, most: int, hold: int) -> None:
    """At most one that it has settled, ``most`` + 1 changes that are told singly, and one that it flaps."""
    events, _ = simulate(timeline, policy(most, hold=hold))
    for first in events:
        window = [
            event
            for event in events
            if timedelta(0) <= event.seen_at - first.seen_at < timedelta(minutes=WINDOW)
        ]
        assert len(window) <= most + 3
        assert sum(event.flapping for event in window) <= 1


@given(timelines, st.integers(1, 6), st.integers(0, 2), st.integers(0, 12))
def test_whatever_is_told_to_fire_is_told_to_end(timeline: str, most: int, hold: int, keep: int) -> None:
    gone = "." * (max(keep, WINDOW) + 1)
    events, engine = simulate(timeline + gone, policy(most, hold=hold, keep=keep))
    assert not engine.world.alerts
    last: dict[str | None, Event] = {event.alert: event for event in events}
    assert all(event.status is Status.RESOLVED for event in last.values())
    assert len({event.id for event in events}) == len(events)


@given(timelines, st.integers(1, 6), st.integers(0, 2), st.integers(0, 12))
def test_whatever_stays_is_told_to_fire_and_not_to_flap(
    timeline: str, most: int, hold: int, keep: int
) -> None:
    events, engine = simulate(timeline + "X" * (WINDOW + 3), policy(most, hold=hold, keep=keep))
    assert word(events[-1]) == "F"
    (alert,) = engine.world.alerts.values()
    assert not alert.flapping


@given(st.integers(0, 30), st.integers(1, 100), st.integers(0, 30), st.integers(1, 6), st.sampled_from("X?"))
def test_what_is_steady_is_never_called_flapping(
    before: int, during: int, after: int, most: int, other: str
) -> None:
    timeline = "." * before + ("X" + other) * during + "." * after
    events, _ = simulate(timeline, policy(most))
    assert "".join(map(word, events)) == ("FR" if after else "F")


@given(timelines, st.integers(1, 6), st.integers(0, 2))
def test_it_flaps_exactly_when_there_were_too_many(timeline: str, most: int, hold: int) -> None:
    """Counted anew from what was told since it last settled."""
    events, _ = simulate(timeline, policy(most, hold=hold))
    counted: list[Event] = []
    flaps = False
    for event in events:
        if flaps:
            counted, flaps = [], False
            continue
        counted.append(event)
        since = event.seen_at - timedelta(minutes=WINDOW)
        too_many = sum(each.seen_at > since for each in counted) > most
        flaps = event.flapping
        assert flaps == (event.status is Status.FIRING and too_many)


@given(timelines, st.integers(1, 6), st.integers(0, 2), st.integers(0, 12))
def test_an_alert_comes_back_from_the_store_as_it_was(timeline: str, most: int, hold: int, keep: int) -> None:
    engine = Engine(policy=policy(most, hold=hold, keep=keep))
    for decided in play(engine, timeline):
        for thing in decided.alerts:
            assert Alert.from_json(thing.to_json()) == thing
        for event in decided.events:
            assert Event.from_json(event.to_json()) == event
