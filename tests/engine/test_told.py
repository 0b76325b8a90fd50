"""Who is told an end: everybody who was told the beginning, whatever the clock or the configuration does."""

from dataclasses import replace

from relay.engine.policy import Policy
from relay.model.severity import Severity
from tests.engine.things import Engine, condition, failure, report, rule, told


def test_an_end_is_told_although_the_clock_went_back_since_the_beginning() -> None:
    engine = Engine()
    assert told(engine.take(report(0, condition()))) == [("ping.failing", "firing")]
    decided = engine.take(report(-3600))
    assert told(decided) == [("ping.failing", "resolved")]
    assert not decided.superseded


def test_what_was_to_be_told_later_is_still_superseded() -> None:
    engine = Engine(rule(after="5m"))
    engine.take(report(0, condition()))
    decided = engine.take(report(10))
    assert not told(decided)
    assert len(decided.superseded) == 1


def test_what_has_been_told_is_not_held_back_when_it_becomes_graver_during_an_outage() -> None:
    """Otherwise its end would be kept from those who know of its beginning."""
    engine = Engine(rule(match={"type": "ping.failing"}))
    engine.take(report(0, condition("r1")))
    dark = [failure(each, dark=True, at_once=True) for each in ("r1", "r2")]
    gone = [condition("r1"), condition("r2")]
    for second in (10, 20, 30):
        engine.take(report(second, *gone, failures=dark))
    engine.policy = Policy(severities={"ping.failing": Severity.CRITICAL})
    graver = replace(condition("r1"), summary="worse")
    assert (
        told(engine.take(report(40, graver, condition("r2"), failures=dark)))
        == [("ping.failing", "firing")] * 2
    )
    decided = engine.take(report(50))
    assert [event.subject.name for event in decided.events if event.type == "ping.failing"].count("r1") == 1
    ended = {event.id: event for event in decided.events}
    assert [ended[each.events[0]].subject.name for each in decided.deliveries] == ["r1", "r2"]
