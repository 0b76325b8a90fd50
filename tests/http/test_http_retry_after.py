"""What Retry-After asks for."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from relay.http import LONGEST_WAIT, retry_after

NOW = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("Mon, 23 Nov 2026 21:02:00 GMT", 120.0),
        ("Mon, 23 Nov 2026 20:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 21:02:00 -0000", 120.0),
        ("Mon, 23 Nov 2036 21:02:00 GMT", LONGEST_WAIT),
        ("1e999", LONGEST_WAIT),
        ("9" * 400, LONGEST_WAIT),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("Mon, 99 Nov 2026 21:02:00 GMT", None),
    ],
)
def test_what_it_says(value, seconds):
    assert retry_after(CIMultiDict({"retry-after": value}), NOW) == seconds


def test_it_is_often_missing():
    assert retry_after({}, NOW) is None


@given(
    st.text(st.characters(codec="latin-1")) | st.from_regex(r"[A-Z][a-z]{2},? [0-9]{1,2} [A-Z][a-z]{2} .*")
)
def test_whatever_it_says(value):
    seconds = retry_after({"Retry-After": value}, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT
