from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.channels import Gone, Refused, Rejected, Retryable
from relay.channels.classify import LONGEST_WAIT, failure, retry_after, unanswered
from relay.http import HttpError, Reason
from tests.channels.messages import AT


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_2xx_is_success_and_nothing_else(status: int) -> None:
    assert failure(status, {}, "", AT) is None


@given(st.integers(-1, 1200).filter(lambda status: not 200 <= status < 300))
def test_no_other_status_is_success(status: int) -> None:
    error = failure(status, {}, "said", AT)
    assert error is not None
    assert error.status == status
    assert error.answer == "said"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(304, Refused), (402, Refused), (405, Refused), (418, Rejected), (599, Retryable), (600, Retryable)],
)
def test_the_table_covers_the_odd_ones(status: int, kind: type) -> None:
    assert type(failure(status, {}, "", AT)) is kind


def test_a_redirect_says_what_to_do() -> None:
    assert str(failure(302, {}, "", AT)) == "status 302: redirect refused: configure the final URL"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 1.5 ", 1.5),
        ("86401", LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        (format_datetime(AT + timedelta(minutes=2), usegmt=True), 120.0),
        (format_datetime(AT - timedelta(days=2), usegmt=True), 0.0),
        (format_datetime(AT + timedelta(days=9), usegmt=True), LONGEST_WAIT),
        ("Monday, 23-Nov-26 21:00:10 GMT", 10.0),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e9", None),
        ("Mon, 99 Nov 99999 99:99:99 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, AT) == seconds


@given(st.text(max_size=60))
def test_retry_after_takes_any_text(value: str) -> None:
    seconds = retry_after({"Retry-After": value}, AT)
    assert seconds is None or 0 <= seconds <= LONGEST_WAIT


def test_only_what_may_help_later_has_a_wait() -> None:
    wait = {"Retry-After": "7"}
    waits = {status: failure(status, wait, "", AT).retry_after for status in (302, 400, 401, 410, 429, 503)}  # type: ignore[union-attr]
    assert waits == {302: None, 400: None, 401: None, 410: None, 429: 7.0, 503: 7.0}


@pytest.mark.parametrize("reason", list(Reason))
def test_no_answer_is_the_configuration_or_will_pass(reason: Reason) -> None:
    error = unanswered(HttpError(reason, "https://soc.example.com:443: what happened"))
    assert type(error) is (Refused if reason in {Reason.BLOCKED, Reason.INVALID} else Retryable)
    assert "what happened" in str(error)
    assert not isinstance(error, Gone)
