"""The filters by themselves."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.exceptions import FilterArgumentError

from relay.render import filters
from tests.render.helpers import NOW, StillClock

TIMED = filters.timed(StillClock(), ZoneInfo("America/New_York"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0s"),
        (0.4, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3900, "1h 5m"),
        (3600, "1h"),
        (3605, "1h"),
        (90061, "1d 1h"),
        (-300, "-5m"),
        (timedelta(days=400, seconds=5), "400d"),
    ],
)
def test_duration(value: Any, text: str) -> None:
    assert filters.duration(value) == text


@pytest.mark.parametrize("value", [None, "5m", True, float("nan"), float("inf"), 1e300])
def test_duration_refuses_what_is_none(value: Any) -> None:
    with pytest.raises(FilterArgumentError):
        filters.duration(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (NOW - timedelta(minutes=6), "6m ago"),
        (NOW + timedelta(hours=2), "in 2h"),
        (NOW, "just now"),
        ("2026-11-23T20:00:00Z", "1h ago"),
    ],
)
def test_ago(value: Any, text: str) -> None:
    assert TIMED["ago"](value) == text


def test_localtime() -> None:
    assert TIMED["localtime"](NOW) == "2026-11-23 16:00:00 EST"
    assert TIMED["localtime"]("2026-07-01T00:30:00Z", "%H:%M %z") == "20:30 -0400"
    assert TIMED["localtime"]("0001-01-01T00:00:00Z") == "0001-01-01T00:00:00+00:00"
    assert TIMED["localtime"](datetime(2026, 1, 1, tzinfo=UTC)) == "2025-12-31 19:00:00 EST"
    with pytest.raises(FilterArgumentError):
        TIMED["localtime"](7)


def test_short_sha() -> None:
    assert filters.short_sha("sha256:" + "ab" * 32) == "abababababab"
    assert filters.short_sha("ab" * 32, 4) == "abab"
    assert filters.short_sha(" " * 64) == ""


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(0, 40))
def test_truncate_bytes_keeps_whole_characters(text: str, limit: int) -> None:
    short = filters.truncate_bytes(text, limit)
    assert len(short.encode()) <= limit
    if len(text.encode()) <= limit:
        assert short == text
    elif limit >= 3:
        assert short.endswith("…")
        assert text.startswith(short[:-1])


@given(st.text(), st.integers(1, 40))
def test_cut_counts_what_slack_counts(text: str, limit: int) -> None:
    short = filters.cut_escaped(text, limit)
    assert len(filters.slack_escape(short)) <= limit
    assert short == text or short.endswith("…")


@given(st.text())
def test_code_is_one_span(text: str) -> None:
    span = filters.code(text)
    assert span == "" or (span.count("`") == 2 and span[0] == span[-1] == "`" and "\n" not in span)


def test_mrkdwn_formats_nothing() -> None:
    assert filters.mrkdwn("prod/app") == "prod/app"
    assert filters.mrkdwn("a_b") == "`a_b`"


def test_wrap_keeps_long_words_whole() -> None:
    text = filters.wrap("run " + "x" * 90 + " now\n\nthen", 20, "  ")
    assert text == f"run\n  {'x' * 90}\n  now\n\nthen"


def test_aligned() -> None:
    facts = [["A", "one two three"], ["Longer", 2]]
    assert filters.aligned(facts, 18) == "A:       one two\n         three\nLonger:  2"
    assert filters.aligned([]) == ""


def test_listed() -> None:
    assert filters.listed(["a", "b"]) == "a, b"
    assert filters.listed(list("abcd"), 2) == "a, b and 2 more"
    assert filters.listed([]) == ""
