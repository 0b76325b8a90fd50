"""What an answer asks for."""

from datetime import UTC, datetime

import pytest
from multidict import CIMultiDict

from relay.http import Answer

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
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e999", None),
        ("9" * 400, None),
        ("Mon, 99 Nov 2026 21:02:00 GMT", None),
    ],
)
def test_retry_after(value, seconds):
    answer = Answer(429, CIMultiDict({"retry-after": value}), b"", False, 0.0)
    assert answer.retry_after(NOW) == seconds


def test_retry_after_is_often_missing():
    assert Answer(429, CIMultiDict(), b"", False, 0.0).retry_after(NOW) is None
