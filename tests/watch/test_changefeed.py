"""The changefeed over both flavours of the imitation, through the real client."""

from datetime import timedelta

import pytest

from relay.http import Http
from relay.watch.position import Position
from tests.support.clock import ManualClock

from .things import HOST, CrashError, Serve, Watched, answer, names, page

SCOPE = "prod/changefeed/all repositories"


@pytest.fixture(params=["RethinkDB", "SQL"])
async def watched(request: pytest.FixtureRequest, clock: ManualClock, http: Http, serve: Serve) -> Watched:
    return await Watched(clock, http, request.param).start(serve)


@pytest.fixture
async def sql(clock: ManualClock, http: Http, serve: Serve) -> Watched:
    return await Watched(clock, http, "SQL").start(serve)


def record(record_id: object, gun: str = f"{HOST}/prod/x", at: str = "2026-11-23T21:00:00Z", **more: object):
    base = {"ID": record_id, "CreatedAt": at, "GUN": gun, "Version": 1, "SHA256": "", "Category": "update"}
    return base | more


class TestStart:
    @pytest.mark.parametrize("before", [0, 1, 2, 5])
    async def test_newest_tells_only_what_follows(self, watched: Watched, before: int) -> None:
        await watched.sign(*["prod/old"] * before)
        await watched.visible()
        watcher = watched.watcher(page=2)
        await watched.look(watcher, 2)
        await watched.sign("prod/a", "prod/b", "prod/c")
        await watched.visible()
        await watched.look(watcher)
        await watched.look(watched.watcher(page=2), 2)
        assert watched.taker.told() == names(["prod/a", "prod/b", "prod/c"])

    async def test_beginning_tells_all(self, watched: Watched) -> None:
        await watched.sign("prod/a", "prod/b", "prod/c")
        await watched.visible()
        await watched.look(watched.watcher(start="beginning", page=2), 3)
        assert watched.taker.told() == names(["prod/a", "prod/b", "prod/c"])

    @pytest.mark.parametrize("index", range(6))
    @pytest.mark.parametrize("size", [2, 3, 100])
    async def test_a_time_tells_what_is_at_or_after_it(self, watched: Watched, index: int, size: int) -> None:
        repositories = [f"prod/{number}" for number in range(6)]
        first = watched.clock.now()
        await watched.sign(*repositories)
        await watched.visible()
        start = {"time": (first + timedelta(seconds=index)).isoformat()}
        await watched.look(watched.watcher(start=start, page=size), 3)
        assert watched.taker.told() == names(repositories[index:])

    async def test_a_time_in_the_future(self, watched: Watched) -> None:
        await watched.sign("prod/a")
        await watched.visible()
        start = {"time": (watched.clock.now() + timedelta(minutes=5)).isoformat()}
        await watched.look(watched.watcher(start=start), 2)
        await watched.sign("prod/early")
        await watched.clock.advance(400)
        await watched.sign("prod/late")
        await watched.visible()
        await watched.look(watched.watcher(start=start), 2)
        assert watched.taker.told() == names(["prod/late"])

    @pytest.mark.parametrize("index", [0, 1, 3])
    async def test_behind_a_record(self, watched: Watched, index: int) -> None:
        repositories = ["prod/0", "prod/1", "prod/2", "prod/3"]
        ids = await watched.sign(*repositories)
        await watched.visible()
        await watched.look(watched.watcher(start={"id": ids[index]}, page=2), 3)
        assert watched.taker.told() == names(repositories[index + 1 :])

    async def test_a_record_that_does_not_exist_is_said(self, watched: Watched) -> None:
        await watched.sign("prod/a")
        await watched.visible()
        (report,) = await watched.look(watched.watcher(start={"id": "99999"}))
        assert "no record 99999" in report.failures[0].cause
        assert not watched.taker.cursors

    async def test_a_newest_record_without_an_id(self, sql: Watched) -> None:
        bad = record(None, at="?")
        sql.faults = [page(bad), page(record(1), record(2), bad), page(record(1))]
        await sql.look(sql.watcher())
        assert Position.read(sql.taker.cursors[SCOPE]).head.id == "2"


class TestReading:
    async def test_a_deletion_is_told_with_what_it_is_about(self, watched: Watched) -> None:
        watcher = watched.watcher()
        await watched.look(watcher)
        await watched.sign("prod/app")
        watched.imitation.delete("prod/app")
        await watched.visible()
        await watched.look(watcher)
        event = watched.taker.events[-1]
        assert (event.type, event.subject.name, event.subject.gun) == (
            "trust.deleted",
            "prod/app",
            f"{HOST}/prod/app",
        )
        assert event.severity.value == "critical"

    @pytest.mark.parametrize("short", [True, False])
    async def test_a_late_record_is_told_once(self, watched: Watched, short: bool) -> None:
        """Also by a relay that has been restarted, and by one whose overlap is longer than a page."""
        size = 100 if short else 3
        ids = await watched.sign("prod/old", "prod/old")
        await watched.visible()
        watcher = watched.watcher(page=size)
        await watched.look(watcher)
        ids = await watched.sign(*["prod/a"] * 12)
        await watched.visible()
        await watched.look(watcher, 3, every=15)
        gap = next(i for i in ids[2:] if watched.flavour != "SQL" or str(int(i) - 1) not in ids)
        watched.imitation.feed.slip_in(f"{HOST}/prod/late", gap)
        await watched.look(watcher, 3, every=15)
        await watched.look(watched.watcher(page=size), 2, every=40)
        assert watched.taker.told().count("deleted prod/late") == 1
        assert watched.taker.told().count("updated prod/a") == 12

    async def test_a_record_that_slips_in_before_the_start_is_not_told(self, watched: Watched) -> None:
        ids = await watched.sign(*["prod/old"] * 5)
        await watched.visible()
        watcher = watched.watcher()
        await watched.look(watcher)
        gap = next((i for i in reversed(ids) if watched.flavour != "SQL" or str(int(i) - 1) not in ids), None)
        assert gap is not None
        watched.imitation.feed.slip_in(f"{HOST}/prod/late", gap)
        await watched.look(watcher, 2)
        await watched.look(watched.watcher(), 2)
        assert watched.taker.told() == []

    async def test_pages_are_taken_one_by_one(self, watched: Watched) -> None:
        await watched.sign(*[f"prod/{n}" for n in range(20)])
        await watched.visible()
        watcher = watched.watcher(start="beginning", page=4)
        await watched.look(watcher)
        reports = await watched.look(watcher)
        assert max(len(report.facts) for report in reports) == 4
        assert sum(len(report.facts) for report in reports) == 20
        assert [report.complete for report in reports] == [False] * (len(reports) - 1) + [True]

    @pytest.mark.parametrize("at", range(8))
    async def test_a_crash_between_any_two_pages(self, watched: Watched, at: int) -> None:
        repositories = [f"prod/{n}" for n in range(9)]
        await watched.sign(*repositories)
        await watched.visible()
        await watched.look(watched.watcher(start="beginning"))
        watched.taker.die_at = at
        for _ in range(2):
            try:
                await watched.look(watched.watcher(page=2))
            except CrashError:
                continue
        watched.taker.die_at = None
        await watched.look(watched.watcher(page=2), 2)
        assert watched.taker.told() == names(repositories)

    async def test_a_busy_feed_is_asked_for_little_at_most_looks(self, watched: Watched) -> None:
        watcher = watched.watcher(start="beginning", page=5, overlap="5m")
        await watched.look(watcher)
        await watched.sign(*["prod/a"] * 30)
        await watched.visible()
        await watched.look(watcher, 2)
        watched.queries.clear()
        await watched.look(watcher)
        assert len(watched.queries) == 1
        await watched.clock.advance(31)
        watched.queries.clear()
        await watched.look(watcher)
        assert len(watched.queries) > 5

    async def test_the_cursor_stays_small(self, watched: Watched) -> None:
        await watched.look(watched.watcher(start="beginning"))
        watcher = watched.watcher()
        for _ in range(30):
            watched.imitation.sign("x" * 3000)
            await watched.clock.advance(37)
        await watched.visible()
        await watched.look(watcher, 2)
        assert len(watched.taker.cursors[SCOPE]) < 4000

    async def test_a_token_revoked_in_mid_reading(self, watched: Watched) -> None:
        await watched.sign(*["prod/a"] * 5)
        await watched.visible()
        watcher = watched.watcher(start="beginning", page=2)
        await watched.look(watcher)

        def revoke():
            watched.imitation.revoke_tokens()

        watched.faults = [None, revoke]
        await watched.look(watcher)
        assert len(watched.taker.told()) == 5
        assert not watched.taker.failing()

    async def test_nothing_is_written_when_nothing_happens(self, watched: Watched) -> None:
        await watched.sign("prod/a", "prod/a")
        await watched.visible()
        watcher = watched.watcher()
        await watched.look(watcher, 2)
        before = watched.taker.writes
        await watched.look(watcher, 3, every=15)
        assert watched.taker.writes == before

    async def test_a_failure_after_the_first_page_still_counts(self, watched: Watched) -> None:
        await watched.sign(*["prod/a"] * 4)
        await watched.visible()
        watcher = watched.watcher(start="beginning", page=2)
        await watched.look(watcher, 2)
        for _ in range(3):
            watched.faults = [None, answer(200, "<html>"), answer(200, "<html>")]
            await watched.look(watcher)
        assert any("not an answer of MSR" in cause for cause in watched.taker.failing())


class TestReset:
    @pytest.mark.parametrize("size", [2, 100])
    async def test_a_rebuilt_feed_is_noticed_told_read_and_resolved(
        self, watched: Watched, size: int
    ) -> None:
        await watched.sign("prod/old", "prod/old")
        await watched.visible()
        watcher = watched.watcher(page=size)
        await watched.look(watcher)
        await watched.sign("prod/known", "prod/known", "prod/known")
        await watched.visible()
        await watched.look(watcher, 2)
        watched.imitation.feed.rebuild()
        await watched.sign("prod/new")
        await watched.visible()
        await watched.look(watcher, 5, every=15)
        assert watched.taker.statuses("changefeed.reset") == [
            ("all repositories", "firing"),
            ("all repositories", "resolved"),
        ]
        assert watched.taker.told() == names(["prod/known"] * 3 + ["prod/new"])

    async def test_it_is_noticed_within_a_minute(self, watched: Watched) -> None:
        watcher = watched.watcher(start="beginning")
        await watched.look(watcher)
        await watched.sign("prod/a")
        await watched.visible()
        await watched.look(watcher, 2)
        watched.imitation.feed.rebuild()
        await watched.look(watcher, 4, every=15)
        assert ("all repositories", "firing") in watched.taker.statuses("changefeed.reset")

    async def test_a_restored_backup_tells_nothing_known_and_nothing_older(self, watched: Watched) -> None:
        await watched.sign("prod/old", "prod/old", "prod/old")
        await watched.visible()
        watcher = watched.watcher()
        await watched.look(watcher)
        ids = await watched.sign("prod/a", "prod/b", "prod/c")
        await watched.visible()
        await watched.look(watcher)
        watched.imitation.feed.lose(ids[-1])
        await watched.look(watcher, 6, every=15)
        await watched.sign("prod/new")
        await watched.visible()
        await watched.look(watched.watcher(), 2)
        assert watched.taker.told() == names(["prod/a", "prod/b", "prod/c", "prod/new"])
        assert watched.taker.statuses("changefeed.reset")[-1][1] == "resolved"

    async def test_a_reset_while_the_rebuilt_feed_is_read(self, watched: Watched) -> None:
        watcher = watched.watcher(start="beginning", page=2)
        await watched.look(watcher)
        await watched.sign(*["prod/a"] * 4)
        await watched.visible()
        await watched.look(watcher)
        watched.imitation.feed.rebuild()
        await watched.sign(*["prod/b"] * 5)
        await watched.visible()
        await watched.look(watcher, 3, every=15)
        watched.faults = [None, answer(502, "")]
        await watched.look(watcher)
        watched.imitation.feed.rebuild()
        await watched.sign(*["prod/c"] * 3)
        await watched.visible()
        await watched.look(watched.watcher(page=2), 1)
        watcher = watched.watcher(page=2)
        await watched.look(watcher, 6, every=15)
        assert watched.taker.told().count("updated prod/c") == 3
        assert watched.taker.statuses("changefeed.reset")[-1][1] == "resolved"

    async def test_a_sick_server_is_no_reset(self, watched: Watched) -> None:
        await watched.sign("prod/a", "prod/a")
        await watched.visible()
        watcher = watched.watcher()
        await watched.look(watcher, 2)
        watched.faults = [answer(500, "")] * 40
        await watched.look(watcher, 8, every=15)
        watched.faults = [answer(500, "")]
        await watched.look(watcher)
        watched.faults = []
        await watched.look(watcher)
        assert watched.taker.statuses("changefeed.reset") == []
        assert not watched.taker.failing()

    async def test_one_empty_answer_is_no_reset(self, watched: Watched) -> None:
        await watched.sign("prod/a", "prod/a")
        await watched.visible()
        watcher = watched.watcher()
        await watched.look(watcher)
        watched.faults = [page()]
        await watched.look(watcher, 3)
        assert watched.taker.statuses("changefeed.reset") == []

    async def test_a_cursor_that_the_back_end_cannot_read(self, sql: Watched) -> None:
        await sql.look(sql.watcher(start="beginning"))
        watcher = sql.watcher()
        await sql.sign("prod/a")
        await sql.look(watcher)
        refused = answer(400, document={"errors": [{"code": "INVALID_PARAMETERS", "message": "no"}]})
        sql.faults = [refused]
        await sql.look(watcher, 2)
        assert [status for _, status in sql.taker.statuses("changefeed.reset")] == ["firing", "resolved"]
        assert sql.taker.told() == names(["prod/a"])

    async def test_a_start_that_is_gone_loses_nothing(self, watched: Watched) -> None:
        ids = await watched.sign("prod/old", "prod/old")
        await watched.visible()
        watcher = watched.watcher()
        await watched.look(watcher)
        await watched.sign("prod/a")
        await watched.visible()
        await watched.look(watcher)
        watched.imitation.feed.lose(ids[-1])
        await watched.sign("prod/b")
        await watched.visible()
        await watched.look(watcher, 6, every=15)
        assert watched.taker.told() == names(["prod/a", "prod/b"])


class TestOddRecords:
    async def test_unreadable_records_without_ids_are_told_once(self, sql: Watched) -> None:
        """More of them than a page holds: no endless loop, nothing lost, nothing told twice."""
        rows = [record(None, f"{HOST}/prod/{n}", f"?{n}") for n in range(7)]
        rows += [record(n, at=f"2026-11-23T21:00:0{n}Z") for n in range(1, 4)]
        watcher = sql.watcher(start="beginning", page=2)
        await sql.look(watcher)
        for _ in range(2):
            sql.faults = [page(*rows[:2]), page(*rows[:4]), page(*rows[:8]), page(*rows[8:10]), page()]
            await sql.look(watcher)
            watcher = sql.watcher(page=2)
            sql.taker.cursors[SCOPE] = Position().write()
        told = sql.taker.told()
        assert len([one for one in told if one.startswith("unreadable")]) == 7
        assert len([one for one in told if one.startswith("updated")]) == 3

    async def test_a_feed_that_repeats_itself_ends(self, sql: Watched) -> None:
        await sql.look(sql.watcher(start="beginning"))
        sql.faults = [page(record(1), record(2))] * 50
        await sql.look(sql.watcher(page=2))
        assert len(sql.queries) < 10
        assert len(sql.taker.told()) == 2

    async def test_an_empty_name_and_no_time(self, sql: Watched) -> None:
        await sql.look(sql.watcher(start="beginning"))
        odd = record(1, "", "0001-01-01T00:00:00Z", Category="deletion", Version=0)
        rows = [odd, record(2), record(3), record(4)]
        watcher = sql.watcher()
        for _ in range(3):
            sql.faults = [page(*rows)]
            await sql.look(watcher)
        assert [event.type for event in sql.taker.events] == ["trust.deleted"] + ["trust.updated"] * 3
        assert sql.taker.events[0].happened_at == sql.clock.now()


class TestSideBySide:
    async def test_one_refused_repository_does_not_stop_the_others(self, watched: Watched) -> None:
        msr = watched.msr("bot", "bot")
        watcher = watched.watcher(msr=msr, repositories=["prod/app", "prod/secret", "prod/other"])
        await watched.look(watcher)
        await watched.sign("prod/app", "prod/secret", "prod/other")
        await watched.visible()
        await watched.look(watcher)
        assert sorted(watched.taker.told()) == names(["prod/app", "prod/other"])
        assert ["prod/secret" in cause for cause in watched.taker.failing()] == [True]
