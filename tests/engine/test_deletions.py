"""Mass deletions: what counts, and that nothing is lost, in whatever order and at whatever times it comes."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from relay.engine.deletions import Deletions, memo, telling
from relay.engine.draft import Rules, World
from relay.engine.holding import silence_of
from relay.engine.instead import listed
from relay.engine.planning import foresee
from relay.engine.policy import Mass, Policy
from relay.engine.scene import Scene, Silences
from relay.model.alert import Alert
from relay.model.delivery import DeliveryState
from relay.model.event import Event, Status
from relay.model.observation import Fact, Report
from relay.model.plan import Plan
from relay.model.silence import Silence
from tests.engine.things import NOON, Engine, at, deletion, failure, report, rule

THREE = Policy(mass={"prod": Mass(count=3)})
DAY = timedelta(days=1)


def gone(name: str, happened: float, record: str = "") -> Fact:
    return replace(deletion(name, record or f"id-{name}"), happened_at=at(happened))


def feed(seconds: float, *facts: Fact, **fields: Any) -> Report:
    return report(seconds, watcher="changefeed", sources=["all"], facts=facts, **fields)


def mass_of(decided: Plan) -> Event:
    (found,) = [event for event in decided.events if event.type == "trust.mass_deletion"]
    return found


def names(event: Event) -> list[str]:
    return [each["repository"] for each in event.details["deletions"]]


class TestWhatCounts:
    def test_the_alert_lists_also_those_before_it(self) -> None:
        engine = Engine(policy=THREE)
        engine.take(feed(0, gone("p/1", -5)))
        engine.take(feed(60, gone("p/2", 50)))
        event = mass_of(engine.take(feed(120, gone("p/3", 100))))
        assert names(event) == ["p/1", "p/2", "p/3"]
        details = event.details
        assert (details["count"], details["more"], details["within_seconds"]) == (3, 0, 600)
        assert (details["per"], details["scope"]) == ("cluster", "prod")
        assert details["first_at"] < details["last_at"]
        assert {each["event"] for each in details["deletions"]} == engine.known - {event.id}
        assert event.summary == "3 deletions of trust data in cluster prod: p/1, p/2 and 1 more"

    def test_what_lies_longer_ago_than_the_time_is_not_listed(self) -> None:
        engine = Engine(policy=THREE)
        for number, second in enumerate((0, 500, 900, 1000)):
            decided = engine.take(feed(second, gone(f"p/{number}", second)))
        assert names(mass_of(decided)) == ["p/1", "p/2", "p/3"]

    def test_the_border_of_the_time_counts(self) -> None:
        for last, fires in ((600, True), (600.001, False)):
            engine = Engine(policy=THREE)
            engine.take(feed(0, gone("p/1", 0), gone("p/2", 0)))
            decided = engine.take(feed(700, gone("p/3", last)))
            assert any(event.alert for event in decided.events) == fires

    def test_they_count_in_whatever_order_they_come(self) -> None:
        for order in ((0, 300, 600), (600, 300, 0), (300, 0, 600)):
            engine = Engine(policy=THREE)
            for number, second in enumerate(order):
                decided = engine.take(feed(3600 + number, gone(f"p/{second}", second)))
            assert names(mass_of(decided)) == ["p/0", "p/300", "p/600"]

    def test_a_deletion_that_shows_twice_counts_once(self) -> None:
        engine = Engine(policy=THREE)
        for second in range(5):
            decided = engine.take(feed(second, gone("p/1", 0), gone("p/2", 0)))
        assert decided.empty
        assert mass_of(engine.take(feed(9, gone("p/3", 0)))).details["count"] == 3

    def test_the_same_repository_deleted_again_counts_again(self) -> None:
        engine = Engine(policy=THREE)
        facts = [gone("p/1", second, f"r{second}") for second in (0, 1, 2)]
        event = mass_of(engine.take(feed(9, *facts)))
        assert event.summary == "3 deletions of trust data in cluster prod: p/1"

    def test_other_events_do_not_count(self) -> None:
        engine = Engine(policy=THREE)
        facts = [replace(gone(f"p/{number}", 0), type="trust.updated") for number in range(9)]
        assert all(event.type == "trust.updated" for event in engine.take(feed(9, *facts)).events)

    def test_a_deletion_without_a_name(self) -> None:
        engine = Engine(policy=Policy(mass={"prod": Mass(count=2, per="namespace")}))
        event = mass_of(engine.take(feed(9, gone("", 0, "r1"), gone("", 0, "r2"))))
        assert event.summary == (
            "2 deletions of trust data in namespace unknown of cluster prod: one without a name"
        )

    def test_a_deleted_name_of_any_length_leaves_a_summary_that_can_be_read(self) -> None:
        engine = Engine(policy=THREE)
        facts = [gone(f"p/{number}" + "x" * 9000, 0, f"r{number}") for number in range(3)]
        event = mass_of(engine.take(feed(9, *facts)))
        assert len(event.summary) < 400
        assert {len(name) for name in names(event)} == {500}


class TestHowItGoesOn:
    def begun(self, count: int = 3) -> Engine:
        engine = Engine(policy=THREE)
        engine.take(feed(0, *(gone(f"p/{number}", 0) for number in range(count))))
        return engine

    def test_nothing_new_is_not_told_again(self) -> None:
        engine = self.begun()
        assert engine.pass_time(at(500)).empty
        assert engine.take(feed(550)).empty

    def test_its_end_needs_a_feed_that_can_be_read_to_its_end(self) -> None:
        engine = self.begun()
        assert not engine.take(feed(700, failures=[failure("all")])).over
        assert engine.pass_time(at(5000)).empty
        assert not any(event.alert for event in engine.take(feed(5001, complete=False)).events)
        assert not any(event.alert for event in engine.take(report(5002)).events)
        decided = engine.take(feed(5003))
        assert mass_of(decided).status is Status.RESOLVED

    def test_what_was_not_told_yet_is_told_before_the_end(self) -> None:
        engine = self.begun()
        engine.take(feed(1, gone("q/1", 1)))
        # Nobody looked for an hour.
        first, second = engine.take(feed(3600)), engine.take(feed(3615))
        assert (mass_of(first).status, names(mass_of(first))[-1]) == (Status.FIRING, "q/1")
        assert mass_of(second).status is Status.RESOLVED

    def test_each_telling_is_an_event_of_its_own(self) -> None:
        engine = self.begun()
        ids = {mass_of(engine.take(feed(400 * n, gone(f"q/{n}", 400 * n)))).id for n in range(1, 9)}
        assert len(ids) == 8

    def test_a_thousand_are_listed_and_the_rest_counted(self) -> None:
        engine = self.begun(1500)
        decided = engine.take(feed(400, *(gone(f"q/{number}", 400) for number in range(10))))
        details = mass_of(decided).details
        assert (details["count"], details["more"], len(details["deletions"])) == (1510, 510, 1000)

    def test_a_clock_that_goes_back_does_not_put_it_off(self) -> None:
        engine = self.begun()
        engine.take(feed(-DAY.total_seconds(), gone("q/1", -DAY.total_seconds())))
        assert mass_of(engine.pass_time(NOON - DAY + timedelta(minutes=5))).status is Status.FIRING
        assert mass_of(engine.take(feed(-DAY.total_seconds() + 900))).status is Status.RESOLVED

    def test_those_that_are_covered_are_kept_and_finished(self) -> None:
        engine = Engine(rule("deletions", ["a", "b"], group={}), policy=THREE)
        decided = engine.take(feed(0, *(gone(f"p/{number}", 0) for number in range(5))))
        kept = [each for each in decided.deliveries if each.state is DeliveryState.INHIBITED]
        assert len(kept) == 6
        alert = mass_of(decided).alert
        assert {each.note for each in kept} == {f"{alert} lists it with others"}
        assert {(each.finished_at, each.gathered) for each in kept} == {(at(0), False)}

    def test_an_event_that_comes_now_would_be_covered(self) -> None:
        engine = self.begun()
        event = next(iter(engine.take(feed(9, gone("q/1", 5))).events))
        for cluster, covered in (("prod", True), ("lab", False)):
            about = replace(event, id="evt_new", cluster=cluster)
            assert (telling(about, engine.world.alerts.values()) is not None) == covered
            _, ways = foresee(about, engine.world, Rules(engine.router), at(10))
            assert [each.state is DeliveryState.INHIBITED for each in ways] == [covered]
        old = replace(event, happened_at=event.seen_at - 8 * DAY)
        assert telling(old, engine.world.alerts.values()) is None


class TestWhatIsRemembered:
    def test_it_is_written_only_when_it_changes(self) -> None:
        engine = Engine(policy=THREE)
        assert memo("prod") in engine.take(feed(0, gone("p/1", 0))).memos
        assert memo("prod") not in engine.take(feed(15)).memos

    def test_it_is_bounded(self) -> None:
        engine = Engine(policy=Policy(mass={"prod": Mass(count=3, within=timedelta(minutes=1))}))
        for page in range(3):
            facts = [gone(f"p/{page}-{n}", -100 * n) for n in range(500 * page, 500 * page + 500)]
            engine.take(feed(page, *facts))
        assert len(engine.world.deletions["prod"].recent) == 1000
        engine.take(feed(2 * DAY.total_seconds()))
        assert not engine.world.deletions["prod"].recent

    def test_turned_off_there_is_none(self) -> None:
        engine = Engine()
        decided = engine.take(feed(0, *(gone(f"p/{number}", 0) for number in range(50))))
        assert {event.type for event in decided.events} == {"trust.deleted"}
        assert not decided.memos.keys() - {"sight/prod"}


class TestSilences:
    def silence(self, repository: str, ends: float) -> Silence:
        match = {"type": ["trust.deleted"], "repository": [repository]}
        return Silence(f"sil_{repository}", match, at(-9), at(ends), "alice", "work", at(-9))

    def alert(self, *repositories: str) -> Alert:
        engine = Engine(policy=THREE)
        engine.take(feed(0, *(gone(name, 0) for name in repositories)))
        return next(alert for alert in engine.world.alerts.values())

    def found(self, alert: Alert, *silences: Silence) -> str | None:
        found = silence_of(alert.event(Status.FIRING, at(0)), Scene(silences=Silences(silences)), at(1))
        return None if found is None else found.id

    def test_it_is_silenced_if_each_of_its_deletions_is(self) -> None:
        p, q = self.silence("p/*", 100), self.silence("q/*", 50)
        assert self.found(self.alert("p/1", "p/2", "p/3"), p) == p.id
        assert self.found(self.alert("p/1", "p/2", "q/3"), p) is None
        assert self.found(self.alert("p/1", "p/2", "q/3"), p, q) == q.id
        assert self.found(self.alert("p/1", "p/2", "q/3")) is None

    def test_not_if_some_are_only_counted(self) -> None:
        alert = self.alert(*(f"p/{number}" for number in range(1001)))
        assert self.found(alert, self.silence("p/*", 100)) is None
        assert len(listed(alert)) == 1000


# What matters: whatever comes, whenever and in whatever order, each channel that it concerns is told of it.

RULES = (
    rule("p", ["a"], match={"type": "trust.deleted", "repository": "p/*"}, after="1h", on_resolve=False),
    rule("q", ["b"], match={"type": "trust.deleted", "repository": "q/*"}, group={}),
    rule("r", ["a", "c"], match={"type": "trust.deleted", "repository": "r/*"}),
    rule("mass", ["c"], match={"type": "trust.mass_deletion"}),
)
WANTS = {"p": {"a"}, "q": {"b"}, "r": {"a", "c"}}
ages = st.sampled_from([0, 1, 60, 599, 601, 3600, 86400, 7 * 86400, 8 * 86400, -60, -86400])
found = st.lists(st.tuples(st.sampled_from("pqr"), ages), max_size=6)
looks = st.tuples(
    st.sampled_from([0, 1, 15, 299, 301, 599, 601, 7200, -7200]),
    st.sampled_from(["reads", "reads", "reads", "reads in part", "fails", "passes", "restarts"]),
    found,
)
kinds = st.sampled_from([Mass(3), Mass(2, per="namespace"), Mass(3, update=timedelta(hours=2))])


class Readers:
    """What each channel has been told, and what it should have been."""

    def __init__(self) -> None:
        self.told: dict[str, set[str]] = {"a": set(), "b": set(), "c": set()}
        self.wanted: dict[str, set[str]] = {"a": set(), "b": set(), "c": set()}
        self.events: dict[str, Event] = {}

    def read(self, decided: Plan) -> None:
        self.events.update((event.id, event) for event in decided.events)
        for each in decided.deliveries:
            if each.state is DeliveryState.PENDING:
                event = self.events[each.events[0]]
                self.told[each.channel].add(event.id)
                self.told[each.channel].update(one.id for one in listed(event))

    def want(self, events: Iterable[Event]) -> None:
        for event in events:
            for channel in WANTS[event.subject.name[0]]:
                self.wanted[channel].add(event.id)


@settings(max_examples=300, deadline=None)
@given(mass=kinds, timeline=st.lists(looks, max_size=12))
def test_each_deletion_is_told_by_itself_or_listed(mass: Mass, timeline: Sequence[Any]) -> None:
    engine, readers = Engine(*RULES, policy=Policy(mass={"prod": mass})), Readers()
    now, number = 0.0, 0
    for gap, how, seen in timeline:
        now += gap
        facts = []
        for namespace, age in seen:
            number += 1
            facts.append(gone(f"{namespace}/{number}", now - age))
        if how == "passes":
            readers.read(engine.pass_time(at(now)))
        elif how == "restarts":
            engine.world = _restarted(engine.world)
        failures = [failure("all")] if how == "fails" else []
        decided = engine.take(feed(now, *facts, failures=failures, complete=how != "reads in part"))
        readers.want(event for event in decided.events if event.type == "trust.deleted")
        readers.read(decided)
        _says_what_is_so(decided, mass)
    for later in (86400, 86415):
        readers.read(engine.take(feed(now + later)))
    assert not engine.world.alerts, "it goes on without a deletion"
    for channel, wanted in readers.wanted.items():
        assert wanted <= readers.told[channel]


def _restarted(world: World) -> World:
    kept = {cluster: Deletions.read(each.write()) for cluster, each in world.deletions.items()}
    alerts = {key: Alert.from_json(each.to_json()) for key, each in world.alerts.items()}
    return replace(world, alerts=alerts, deletions=kept)


def _says_what_is_so(decided: Plan, mass: Mass) -> None:
    for event in decided.events:
        if event.type != "trust.mass_deletion":
            continue
        details, found = event.details, listed(event)
        assert details["count"] == len(found) == len({each.id for each in found})
        times = sorted(datetime.fromisoformat(each["at"]) for each in details["deletions"])
        assert any(b - a <= mass.within for a, b in zip(times, times[mass.count - 1 :], strict=False))
        if mass.per == "namespace":
            assert {each.subject.name.partition("/")[0] for each in found} == {details["scope"]}


@settings(max_examples=200, deadline=None)
@given(gaps=st.lists(st.sampled_from([0, 1, 100, 299, 300, 301, 600, 601]), max_size=30))
def test_what_is_told_by_itself_is_never_too_many(gaps: list[float]) -> None:
    """Of deletions that are seen at once and in order."""
    engine, now, single = Engine(policy=THREE), 0.0, []
    for number, gap in enumerate(gaps):
        now += gap
        for decided in (engine.take(feed(now)), engine.take(feed(now, gone(f"p/{number}", now)))):
            by_id = {event.id: event for event in decided.events}
            sent = [by_id[d.events[0]] for d in decided.deliveries if d.state is DeliveryState.PENDING]
            single += [event.happened_at for event in sent if event.type == "trust.deleted"]
    within = THREE.mass["prod"].within
    # An alert that is just over hands on nothing.
    assert not any(b - a < within for a, b in zip(single, single[2:], strict=False))
