"""The session's cookie: only ours, only whole, only in time."""

import secrets
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from relay.server.access import Sessions
from relay.server.access.sessions import Session
from relay.server.links import Links
from tests.support.clock import ManualClock

KEY = "k" * 64
HALF_A_DAY = timedelta(hours=12)


def sessions(clock: ManualClock | None = None, key: str = KEY) -> Sessions:
    return Sessions(key, clock or ManualClock(), secrets.token_bytes)


@given(st.text(max_size=60))
def test_it_says_whose_it_is(holder: str) -> None:
    made = sessions().begin(holder)
    found = sessions().read(made, HALF_A_DAY)
    assert found is not None
    assert found.holder == holder
    assert sessions().read(sessions().begin(holder), HALF_A_DAY) != found


@given(st.data())
def test_no_change_goes_unnoticed(data: st.DataObject) -> None:
    made = sessions().begin("tok_1")
    at = data.draw(st.integers(0, len(made) - 1))
    char = data.draw(st.sampled_from("ABCDEFGHabcdefgh0123456789-_.=% \u00e4"))
    assume(char != made[at])
    read = sessions().read(made[:at] + char + made[at + 1 :], HALF_A_DAY)
    # Base64 has bits at its ends that mean nothing: what comes of it is the same session.
    assert read in (None, sessions().read(made, HALF_A_DAY))
    assert sessions().read(made[:at], HALF_A_DAY) is None


@given(st.text(max_size=600))
def test_anything_else_is_none(text: str) -> None:
    assert sessions().read(text, HALF_A_DAY) is None


@pytest.mark.parametrize(("seconds", "holds"), [(0, True), (43_200, True), (43_201, False)])
def test_it_ends(seconds: int, holds: bool) -> None:
    clock = ManualClock()
    made = sessions(clock).begin("tok_1")
    clock.jump(seconds)
    assert (sessions(clock).read(made, HALF_A_DAY) is not None) == holds


def test_another_key_or_another_purpose_is_not_ours() -> None:
    made = sessions(key="another").begin("tok_1")
    assert sessions().read(made, HALF_A_DAY) is None
    link = Links(KEY, ManualClock(), timedelta(days=3), None).token("tok_1", "nonce")
    assert sessions().read(link, HALF_A_DAY) is None


def test_tokens_of_forms_are_each_session_s_own() -> None:
    found = {sessions().form_token(each) for each in ("session\0a", "session\0b", "proxy\0a", "local")}
    assert len(found) == 4
    assert sessions().form_token("local") == sessions().form_token("local")
    assert sessions().form_token("local") != sessions(key="another").form_token("local")


def test_what_is_in_it_is_no_secret() -> None:
    holder = sessions().holder("a-token-for-programs")
    made = sessions().begin(holder)
    assert sessions().read(made, HALF_A_DAY) == Session(holder, _nonce(made))
    assert sessions().holder("a-token-for-programs") == holder
    assert sessions().holder("another-for-programs") != holder
    assert "a-token-for-programs" not in holder


def _nonce(made: str) -> str:
    found = sessions().read(made, HALF_A_DAY)
    assert found is not None
    return found.nonce
