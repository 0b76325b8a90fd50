"""Positions, starts by time, and streams side by side: what needs no server."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from relay.msr import Category, Record, Unreadable
from relay.watch.abreast import abreast
from relay.watch.position import BEGINNING, Mark, Position
from relay.watch.start import preceding

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
OVERLAP = timedelta(minutes=5)
NOW = NOON + timedelta(days=30)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def record(name: str, seconds: float | None = 0.0, gun: str = "prod/a") -> Record:
    made = datetime(1, 1, 1, tzinfo=UTC) if seconds is None else at(seconds)
    return Record(name, made, gun, 1, "", Category.UPDATE)


def mark(record_: Record) -> Mark:
    made = Mark.of(record_)
    assert made is not None
    return made


def passed(position: Position, *records: Record, now: datetime = NOW) -> Position:
    return position.passed([mark(one) for one in records], OVERLAP, now)


class TestPosition:
    def test_the_anchor_is_more_than_an_overlap_behind_the_head_but_not_by_much(self) -> None:
        position = Position()
        for second in range(0, 3600, 10):
            position = passed(position, record(str(second), second))
            if second > 900:
                assert 300 < second - int(position.anchor(OVERLAP)) <= 300 * 1.9

    def test_before_that_the_anchor_is_the_floor(self) -> None:
        position = Position.after([record("a"), record("b", 1)])
        assert passed(position, record("c", 200)).anchor(OVERLAP) == "a"

    def test_marks_and_text_stay_small_over_a_long_feed(self) -> None:
        position = Position.after([record("0", 0, "x" * 4096), record("1", 0, "y" * 4096)])
        for page in range(300):
            records = [record(f"{page}-{n}" + "f" * 30, page * 50 + n / 20, "x" * 4096) for n in range(1000)]
            position = passed(position, *records)
            assert len(position.marks) <= 10
            assert len(position.write()) < 4000
        assert Position.read(position.write()) == position

    @pytest.mark.parametrize("odd", [None, 10**9])
    def test_an_odd_time_does_not_move_the_overlap(self, odd: float | None) -> None:
        position = passed(Position(), *[record(str(second), second) for second in range(0, 1200, 10)])
        before = position.anchor(OVERLAP)
        position = passed(position, record("odd", odd), now=at(1200))
        position = passed(position, *[record(str(s), s) for s in range(1200, 1230, 10)], now=at(1230))
        assert int(before) <= int(position.anchor(OVERLAP)) <= 1230 - 300
        later = [record(str(second), second) for second in range(1230, 2400, 10)]
        position = passed(position, *later, now=at(2400))
        assert int(position.anchor(OVERLAP)) > 1500

    def test_the_head_shows_behind_the_record_before_it(self) -> None:
        assert Position.after([record("a")]).behind == BEGINNING
        one = passed(Position.after([record("a"), record("b")]), record("c", 1))
        assert one.behind == "b"
        assert passed(one, record("d", 2), record("e", 3)).behind == "d"

    def test_after_a_rebuild_the_younger_of_start_and_horizon_counts(self) -> None:
        position = Position.after([record("a"), record("b", 100)])
        young = position.restarted("why", at(50))
        assert young.knows(record("x", 99))
        assert young.knows(record("other id", 100, "prod/a"))
        assert not young.knows(record("x", 100, "prod/other"))
        assert not young.knows(record("x", None))
        old = position.restarted("why", at(200))
        assert old.knows(record("x", 100, "prod/other"))
        assert not old.knows(record("x", 200))
        assert (old.head, old.lost, old.reset) == (None, "b", "why")

    def test_a_reset_of_a_reset_remembers_when_the_watch_began(self) -> None:
        twice = Position.after([record("a", 100)]).restarted("one", at(0)).restarted("two", at(0))
        assert twice.since == at(100)
        assert twice.knows(record("z", 100))
        assert twice.lost == "a"

    def test_the_same_id_with_another_time_or_name_is_another_record(self) -> None:
        assert mark(record("1", 5)).same(mark(record("1", 5)))
        assert not mark(record("1", 5)).same(mark(record("1", 6)))
        assert not mark(record("1", 5)).same(mark(record("1", 5, "prod/b")))
        assert not mark(record("1", 5)).same(None)
        unreadable = Mark.of(Unreadable("{}", "why", "1"))
        assert mark(record("1", 5)).same(unreadable)


class TestPreceding:
    def test_the_earliest_that_is_not_before_counts_though_old_ones_follow(self) -> None:
        records = [record("a", 0), record("b", 1), record("c", 10), record("d", 2)]
        assert [one.id for one in preceding(records, [], at(5))] == ["a", "b"]

    def test_without_one_those_before_the_later_ones_stay(self) -> None:
        later = preceding([record("c", 3), record("d", 9)], [], at(5))
        assert [one.id for one in preceding([record("a"), record("b")], later, at(5))] == ["b", "c"]

    def test_no_time_decides_nothing(self) -> None:
        assert [one.id for one in preceding([record("a"), record("b", None)], [], at(5))] == ["a", "b"]


class TestAbreast:
    async def test_a_hanging_stream_does_not_hold_up_the_others(self) -> None:
        hang = asyncio.Event()

        async def slow() -> AsyncGenerator[str, None]:
            await hang.wait()
            yield "slow"

        async def quick(name: str) -> AsyncGenerator[str, None]:
            yield name

        seen = []
        async for item in abreast([slow(), *(quick(str(n)) for n in range(5))], 2):
            seen.append(item)
            if len(seen) == 5:
                hang.set()
        assert seen == ["0", "1", "2", "3", "4", "slow"]

    async def test_none_goes_on_before_what_it_yielded_is_used(self) -> None:
        log: list[str] = []

        async def stream(name: str) -> AsyncGenerator[str, None]:
            for number in range(3):
                yield f"{name}{number}"
                log.append(f"on {name}{number}")

        async for item in abreast([stream("a"), stream("b")], 2):
            await asyncio.sleep(0)
            assert f"on {item}" not in log
            log.append(item)
        assert len(log) == 12

    async def test_an_error_comes_when_the_others_have_ended(self) -> None:
        async def broken() -> AsyncGenerator[int, None]:
            raise KeyError
            yield 0

        async def good() -> AsyncGenerator[int, None]:
            yield 1
            yield 2

        seen = []

        async def read() -> None:
            async for item in abreast([broken(), good()], 2):
                seen.append(item)  # noqa: PERF401 - what came before the error counts

        with pytest.raises(KeyError):
            await read()
        assert seen == [1, 2]

    async def test_who_stops_early_ends_them_all(self) -> None:
        ended = []

        async def stream(name: str) -> AsyncGenerator[str, None]:
            try:
                yield name
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        async with aclosing(abreast([stream("a"), stream("b")], 2)) as streams:
            async for _ in streams:
                break
        assert sorted(ended) == ["a", "b"]
