"""Readers take turns, and share what they ask alike."""

import asyncio

import pytest

from relay.server.turns import Turns


class Maker:
    """Makes answers that end when told to."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go = asyncio.Event()

    async def make(self, name: str) -> str:
        self.begun.append(name)
        await self.go.wait()
        return f"{name} {len(self.begun)}"


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_only_so_many_are_made_at_once() -> None:
    turns, maker = Turns(2), Maker()
    asked = [asyncio.create_task(turns.take(lambda n=n: maker.make(str(n)))) for n in range(5)]  # type: ignore[misc]
    await settle()
    assert maker.begun == ["0", "1"]
    maker.go.set()
    await asyncio.gather(*asked)
    assert maker.begun == ["0", "1", "2", "3", "4"]


async def test_who_asks_before_it_is_begun_shares_it() -> None:
    turns, maker = Turns(1), Maker()
    first = asyncio.create_task(turns.share("a", lambda: maker.make("a")))
    await settle()
    later = [asyncio.create_task(turns.share("a", lambda: maker.make("a"))) for _ in range(50)]
    await settle()
    assert maker.begun == ["a"]
    maker.go.set()
    assert await first == "a 1"
    assert set(await asyncio.gather(*later)) == {"a 2"}
    assert maker.begun == ["a", "a"]


async def test_others_are_not_mixed_up() -> None:
    turns, maker = Turns(1), Maker()
    maker.go.set()
    found = await asyncio.gather(*(turns.share(name, lambda name=name: maker.make(name)) for name in "abc"))  # type: ignore[misc]
    assert [each[0] for each in found] == ["a", "b", "c"]


async def test_one_who_goes_takes_it_from_nobody() -> None:
    turns, maker = Turns(1), Maker()
    going, staying = (asyncio.create_task(turns.share("a", lambda: maker.make("a"))) for _ in range(2))
    await settle()
    going.cancel()
    maker.go.set()
    assert await staying == "a 1"
    with pytest.raises(asyncio.CancelledError):
        await going


async def test_a_failure_is_everybodys_and_does_not_stay() -> None:
    turns = Turns(1)

    async def fail() -> str:
        raise ValueError("no")

    found = await asyncio.gather(*(turns.share("a", fail) for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in found] == ["no"] * 3
    maker = Maker()
    maker.go.set()
    assert await turns.share("a", lambda: maker.make("a")) == "a 1"
