"""Tokens: what is kept of them, and that a name stands for one that is valid."""

from dataclasses import replace

from relay.model.access import Scope, Token, secret_hash
from relay.store import Deed, Store
from tests.store.things import NOW, later

ANN = Token("tok_1", "ann", Scope.OPERATE, NOW, "root", later(60))
BOT = Token("tok_2", "bot", Scope.READ, later(1), "root")
HASH, OTHER = secret_hash("msr_one"), secret_hash("msr_other")
MADE = Deed(NOW, "root", "create-token", "tok_1", "ann: operate")


async def actions(store: Store) -> list[str]:
    return [deed["action"] for deed in await store.list_deeds()]


async def test_a_token_comes_back_whole(store: Store) -> None:
    assert not await store.any_token()
    assert await store.add_token(ANN, HASH, MADE)
    assert await store.add_token(BOT, OTHER, MADE)
    assert await store.find_token_by_hash(HASH) == ANN
    assert await store.find_token("tok_2") == BOT
    assert await store.list_tokens() == [BOT, ANN]
    assert await store.any_token()
    assert await store.find_token_by_hash(secret_hash("msr_two")) is None
    assert await store.find_token("tok_3") is None


async def test_a_name_is_taken_as_long_as_its_token_is_valid(store: Store) -> None:
    await store.add_token(ANN, HASH, MADE)
    again = replace(ANN, id="tok_3", created_at=later(59))
    assert not await store.add_token(again, OTHER, MADE)
    assert await store.list_tokens() == [ANN]
    assert await actions(store) == ["create-token"]
    assert await store.add_token(replace(again, created_at=later(60)), OTHER, MADE)
    assert [each.id for each in await store.list_tokens()] == ["tok_3", "tok_1"]


async def test_it_is_revoked_once_and_its_name_is_free(store: Store) -> None:
    await store.add_token(ANN, HASH, MADE)
    assert await store.revoke_token("tok_1", Deed(later(5), "eve", "revoke-token", "tok_1"))
    assert not await store.revoke_token("tok_1", Deed(later(6), "eve", "revoke-token", "tok_1"))
    assert not await store.revoke_token("tok_9", Deed(later(6), "eve", "revoke-token", "tok_9"))
    assert await store.find_token_by_hash(HASH) == replace(ANN, revoked_at=later(5))
    assert await actions(store) == ["revoke-token", "create-token"]
    assert await store.add_token(replace(ANN, id="tok_3", created_at=later(7)), OTHER, MADE)


async def test_its_use_is_noted(store: Store) -> None:
    await store.add_token(ANN, HASH, MADE)
    await store.touch_token("tok_1", later(9))
    assert await store.find_token("tok_1") == replace(ANN, used_at=later(9))
