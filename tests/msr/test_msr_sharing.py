"""Tokens and the lockout, where requests overlap."""

import asyncio
import gc

import pytest

from relay.msr import BadAnswer, PasswordRefused
from relay.msr.lockout import Lockout, RefusedError
from relay.msr.tokens import Token, Tokens
from tests.support.clock import ManualClock, settle


async def test_dropping_an_old_token_spares_the_new_one(clock: ManualClock):
    texts = iter("abc")

    async def fetch(scope):
        return Token(next(texts), 100.0)

    tokens = Tokens(fetch, clock)
    assert await tokens.get("s") == "a"
    tokens.drop("s", "a")
    assert await tokens.get("s") == "b"
    tokens.drop("s", "a")
    assert await tokens.get("s") == "b"


async def test_a_token_is_fetched_again_after_a_failure(clock: ManualClock):
    answers = iter([BadAnswer("broken"), Token("a", 100.0)])

    async def fetch(scope):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    tokens = Tokens(fetch, clock)
    with pytest.raises(BadAnswer):
        await tokens.get("s")
    assert await tokens.get("s") == "a"


async def test_a_failure_that_nobody_waits_for_is_no_complaint(clock: ManualClock):
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    proceed = asyncio.Event()

    async def fetch(scope):
        await proceed.wait()
        raise BadAnswer("broken")

    task = asyncio.create_task(Tokens(fetch, clock).get("s"))
    await settle()
    task.cancel()
    await settle()
    proceed.set()
    await settle()
    del task
    gc.collect()
    assert complaints == []


async def test_a_success_from_before_the_refusal_lifts_no_lock(clock: ManualClock):
    lockout, slow, asked = Lockout(clock), asyncio.Event(), []

    async def succeed():
        asked.append("succeed")
        return True

    async def succeed_slowly():
        await slow.wait()
        return True

    async def refuse():
        raise RefusedError("MSR refused the password")

    assert await lockout.attempt(succeed)
    pending = asyncio.create_task(lockout.attempt(succeed_slowly))
    await settle()
    with pytest.raises(PasswordRefused):
        await lockout.attempt(refuse)
    slow.set()
    assert await pending
    with pytest.raises(PasswordRefused, match="refused the password; it is not tried again before 21:05:00"):
        await lockout.attempt(succeed)
    # Nor does it let many probe at once afterwards, or shorten the next pause.
    await clock.advance(300)
    outcomes = await asyncio.gather(*(lockout.attempt(refuse) for _ in range(3)), return_exceptions=True)
    assert [(outcome.until - clock.now()).total_seconds() for outcome in outcomes] == [600] * 3
    assert asked == ["succeed"]


async def test_a_jump_of_the_wall_clock_lifts_no_lock(clock: ManualClock):
    lockout = Lockout(clock)

    async def refuse():
        raise RefusedError("MSR refused the password")

    with pytest.raises(PasswordRefused):
        await lockout.attempt(refuse)
    clock.jump(86400)
    with pytest.raises(PasswordRefused) as caught:
        await lockout.attempt(refuse)
    assert (caught.value.until - clock.now()).total_seconds() == 300
