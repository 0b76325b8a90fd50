"""Making and revoking tokens."""

import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from relay.engine.operate import AmbiguousError, OrderError
from relay.engine.orders import ORDERS
from relay.engine.tokens import Tokens
from relay.model.access import Scope, check_token_name, new_secret, secret_hash
from relay.model.errors import NotFoundError
from relay.store import Store
from tests.support.clock import ManualClock

HOUR = timedelta(hours=1)


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[Tokens]:
    store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
    yield Tokens(store, ManualClock(), random.Random(1))
    store.close()


def clock(tokens: Tokens) -> ManualClock:
    assert isinstance(tokens.clock, ManualClock)
    return tokens.clock


async def create(tokens: Tokens, name: str, lasts: timedelta | None = None) -> str:
    now = tokens.clock.now()
    hash = secret_hash(f"{name} {now}")
    return (await tokens.create(name, Scope.READ, hash, "root", None if lasts is None else now + lasts)).id


@given(st.binary(min_size=32, max_size=32))
def test_a_secret_holds_all_bits_in_characters_of_a_header(drawn: bytes) -> None:
    secret = new_secret(lambda count: drawn[:count])
    assert re.fullmatch(r"msr_[A-Za-z0-9_-]{43}", secret)
    assert secret != new_secret(lambda count: bytes([drawn[0] ^ 1, *drawn[1:count]]))
    assert secret != new_secret(lambda count: bytes([*drawn[: count - 1], drawn[-1] ^ 1]))


async def test_what_is_done_is_written_down_with_who_and_when(tokens: Tokens) -> None:
    made = await create(tokens, "deploy job", HOUR)
    clock(tokens).jump(60)
    await tokens.revoke("deploy job", "eve")
    found = [
        (each["who"], each["action"], each["subject"], each["note"])
        for each in await tokens.store.list_deeds()
    ]
    assert found == [
        ("eve", "revoke-token", made, "deploy job"),
        ("root", "create-token", made, "deploy job: read, expires 2026-11-23 22:00 UTC"),
    ]


@pytest.mark.parametrize(
    "name",
    ["", " ann", "ann ", "a\nb", "ann (proxy)", "x" * 65, "server.api_token", "Local", "ä", "-", "a:b"],
)
async def test_names_that_cannot_be(tokens: Tokens, name: str) -> None:
    with pytest.raises(OrderError, match="the token's name must"):
        await create(tokens, name)
    assert await tokens.store.list_tokens() == []


@pytest.mark.parametrize("name", ["a", "ann@example.com", "deploy job", "x" * 64, "local-bot", "CI_1.2"])
def test_names_that_can(name: str) -> None:
    assert check_token_name(name) == name


async def test_a_taken_name_and_an_end_that_is_over_are_refused(tokens: Tokens) -> None:
    await create(tokens, "ann", HOUR)
    with pytest.raises(OrderError, match="there is a token ann already"):
        await create(tokens, "ann")
    with pytest.raises(OrderError, match="must be in the future"):
        await create(tokens, "bob", timedelta(0))


async def test_revoking_finds_by_name_and_id(tokens: Tokens) -> None:
    first = await create(tokens, "ann", HOUR)
    clock(tokens).jump(HOUR.total_seconds())
    # The first one has expired: the name means the second one.
    second = await create(tokens, "ann", HOUR)
    assert (await tokens.revoke("ann", "root")).id == second
    third = await create(tokens, "bob")
    with pytest.raises(AmbiguousError):
        await tokens.revoke("tok_", "root")
    assert (await tokens.revoke(third[:12], "root")).id == third
    revoked = await tokens.revoke(first, "root")
    assert (revoked.id, revoked.revoked_at) == (first, clock(tokens).now())
    assert revoked in await tokens.store.list_tokens()
    for which in (first, "ann", "", "tok_x"):
        with pytest.raises(NotFoundError, match="msr-relay token list"):
            await tokens.revoke(which, "root")


async def test_no_token_lasts_longer_than_a_century(tokens: Tokens) -> None:
    for end in (datetime.max.replace(tzinfo=UTC), datetime.max.replace(tzinfo=timezone(-14 * HOUR))):
        with pytest.raises(OrderError, match="more than 100 years"):
            await tokens.create("ann", Scope.READ, secret_hash("x"), "root", end)
    assert await create(tokens, "ann", timedelta(days=36525))


async def test_its_end_is_told_in_utc(tokens: Tokens) -> None:
    end = (clock(tokens).now() + HOUR).astimezone(timezone(5 * HOUR))
    await tokens.create("ann", Scope.READ, secret_hash("x"), "root", end)
    [deed] = await tokens.store.list_deeds()
    assert deed["note"] == "ann: read, expires 2026-11-23 22:00 UTC"


@pytest.mark.parametrize("order", ["create-token", "acknowledge", "silence", "replay-range"])
def test_orders_take_no_time_that_a_zone_cannot_tell(order: str) -> None:
    for end in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(ValidationError, match="must lie between 0001-01-02 and 9999-12-30"):
            ORDERS[order].model.model_validate(
                {"by": "ann"} | dict.fromkeys(("expires_at", "until", "starts_at", "since"), end)
            )
