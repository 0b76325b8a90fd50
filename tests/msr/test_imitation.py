"""What the imitation can show and a real MSR cannot be made to."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from relay.demo.feed import Feed, RethinkDb, Sql, go_time
from tests.support.clock import ManualClock

from .conftest import Cluster


@pytest.fixture(params=[Sql, RethinkDb])
def feed(request, clock: ManualClock) -> Feed:
    return Feed(request.param(Random(3)), clock, Random(4))


def ids(feed: Feed, *query) -> list[str]:
    return [entry.id for entry in feed.select(*(query or ("0", 1000)), None)]


def grow(feed: Feed, clock: ManualClock, count: int) -> list[str]:
    made = []
    for _ in range(count):
        made.append(feed.sign("host/prod/app"))
        clock.jump(100)
    return made


def test_a_late_record_appears_behind_the_cursor(feed, clock):
    made = grow(feed, clock, 20)
    read = made[-3]
    late = feed.slip_in("host/prod/other", before=read)
    assert late not in ids(feed, read, 1000)
    assert late in ids(feed)
    assert ids(feed).index(late) < ids(feed).index(read)


def test_a_lost_record_is_gone(feed, clock):
    made = grow(feed, clock, 3)
    feed.lose(made[1])
    assert ids(feed) == [made[0], made[2]]


def test_a_rebuilt_feed_begins_anew(feed, clock):
    grow(feed, clock, 3)
    feed.rebuild()
    assert ids(feed) == []
    feed.sign("host/prod/app")
    clock.jump(100)
    [entry] = feed.select("0", 10, None)
    assert entry.version == 1


def test_rethinkdb_hides_what_is_young(clock):
    feed = Feed(RethinkDb(Random(3), timedelta(seconds=1)), clock, Random(4))
    feed.sign("host/prod/app")
    clock.jump(1)
    assert ids(feed) == []
    clock.jump(0.001)
    assert len(ids(feed)) == 1


def test_rethinkdb_orders_by_time_then_id(clock):
    feed = Feed(RethinkDb(Random(3)), clock, Random(4))
    together = [feed.sign("host/prod/app") for _ in range(5)]
    clock.jump(100)
    assert ids(feed) == sorted(together) != together


def test_sql_numbers_have_gaps(clock):
    feed = Feed(Sql(Random(3)), clock, Random(4))
    numbers = [int(feed.sign("host/prod/app")) for _ in range(20)]
    assert sorted(numbers) == numbers != list(range(1, 21))


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [(0, "20:58:11Z"), (100000, "20:58:11.1Z"), (323040, "20:58:11.32304Z"), (165146, "20:58:11.165146Z")],
)
def test_times_as_go_writes_them(microsecond, text):
    assert go_time(datetime(2026, 11, 23, 20, 58, 11, microsecond, tzinfo=UTC)) == f"2026-11-23T{text}"


async def test_issues_come_and_go(cluster: Cluster):
    msr = cluster.client()
    raised = cluster.imitation.raise_issue("memory_error", "swap is used", critical=True, info={"mb": 5})
    [issue] = (await msr.cluster_status(cluster.replicas[0])).issues
    assert (issue.id, issue.type, issue.critical, issue.info) == (raised, "memory_error", True, {"mb": 5})
    cluster.imitation.clear_issue(raised)
    assert (await msr.cluster_status(cluster.replicas[2])).issues == ()


async def test_replicas_fail_and_recover(cluster: Cluster, clock):
    msr, failed_at = cluster.client(), clock.now()
    cluster.imitation.fail_replica("r3", "storage")
    cluster.imitation.set_readonly("r2", True)
    await clock.advance(90)
    status = await msr.cluster_status(cluster.replicas[0])
    assert status.replica_health["r3"] == "storage"
    assert status.replica_timestamp == {"r1": clock.now(), "r2": clock.now(), "r3": failed_at}
    assert status.replica_readonly == {"r1": False, "r2": True, "r3": False}
    cluster.imitation.recover("r3")
    status = await msr.cluster_status(cluster.replicas[0])
    assert (status.replica_health["r3"], status.replica_timestamp["r3"]) == ("OK", clock.now())
