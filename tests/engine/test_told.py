"""Who is told an end: everybody who was told the beginning, whatever the clock or the configuration does."""

from tests.engine.things import Engine, condition, report, told


def test_an_end_is_told_although_the_clock_went_back_since_the_beginning() -> None:
    engine = Engine()
    assert told(engine.take(report(0, condition()))) == [("ping.failing", "firing")]
    decided = engine.take(report(-3600))
    assert told(decided) == [("ping.failing", "resolved")]
