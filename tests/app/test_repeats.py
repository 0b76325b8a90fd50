"""What is broken for hours is told at once, then now and then, with how much was left out."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog

from relay.app.logs import set_up
from relay.app.repeats import Repeats
from tests.support.clock import ManualClock

MINUTE = 60.0


class Log:
    """A log that is written as JSON, and the hands on its clock."""

    def __init__(self) -> None:
        self.clock, self._out = ManualClock(), io.StringIO()
        self.repeats = Repeats(self.clock, timedelta(minutes=10))
        set_up("info", "json", [], self._out, self.repeats)
        self.tell = structlog.get_logger("t")

    def lines(self) -> list[dict[str, Any]]:
        """What was written since it was last asked."""
        text = self._out.getvalue()
        self._out.seek(0)
        self._out.truncate()
        return [json.loads(line) if line.startswith("{") else {"event": line} for line in text.splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    yield Log()
    structlog.reset_defaults()
    logging.basicConfig(handlers=[], force=True)


def test_hours_of_the_same_trouble_are_a_few_lines(log: Log) -> None:
    for number in range(6 * 60):
        log.tell.warning("will be tried again", channel="ops", delivery=f"dlv_{number}", error="refused")
        log.clock.spend(MINUTE)
    lines = log.lines()
    assert len(lines) == 36, "one at once, then one every ten minutes"
    assert "left_out" not in lines[0]
    assert lines[0]["delivery"] == "dlv_0"
    assert [line["left_out"] for line in lines[1:]] == [9] * 35


def test_another_subject_message_or_cause_is_news(log: Log) -> None:
    log.tell.warning("failed", channel="ops", error="refused")
    log.tell.warning("failed", channel="soc", error="refused")
    log.tell.warning("failed", channel="ops", error="no answer")
    log.tell.warning("was refused", channel="ops", error="refused")
    log.tell.warning("hardly meant so", what="rule a matches nothing")
    log.tell.warning("hardly meant so", what="rule b matches nothing")
    assert len(log.lines()) == 6
    log.tell.warning("failed", channel="ops", error="refused")
    log.tell.warning("failed", channel="ops", error="no answer")
    assert log.lines() == []


def test_a_cause_that_is_never_the_same_does_not_fill_the_log(log: Log) -> None:
    for number in range(1000):
        log.tell.error("failed", channel="ops", error=f"request {number} failed")
    assert len(log.lines()) == 5
    log.clock.spend(10 * MINUTE)
    log.tell.error("failed", channel="ops", error="request 1001 failed")
    (line,) = log.lines()
    assert line["left_out"] == 995


def test_decisions_are_all_told(log: Log) -> None:
    for number in range(50):
        log.tell.info("delivery delivered", channel="ops", delivery=f"dlv_{number}")
    assert len(log.lines()) == 50


def test_the_same_exception_is_told_once(log: Log) -> None:
    for error in (ValueError("a"), ValueError("b"), KeyError("c")):
        try:
            raise error
        except Exception:
            log.tell.exception("a chore failed")
    assert [("ValueError" in line["exception"]) for line in log.lines()] == [True, False]


def test_what_libraries_say_is_limited_too(log: Log) -> None:
    for number in range(20):
        logging.getLogger("exporter").warning("cannot export batch %d", number)
    assert len(log.lines()) == 1
    log.clock.spend(10 * MINUTE)
    logging.getLogger("exporter").warning("cannot export batch %d", 21)
    (line,) = log.lines()
    assert line["event"] == "exporter: cannot export batch 21 (and 19 more like it)"


def test_it_can_be_turned_off(log: Log) -> None:
    log.repeats.every = timedelta(0)
    for _ in range(5):
        log.tell.warning("failed", channel="ops")
    assert len(log.lines()) == 5


def test_what_it_remembers_is_bounded(log: Log) -> None:
    for number in range(3000):
        log.tell.warning("failed", channel=f"c{number}")
    assert len(log.repeats._told) == 1000
