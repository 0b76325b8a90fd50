"""The poller against everything that a feed can do, in any order: nothing is lost, nothing is told twice."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from relay.demo.feed import Entry
from relay.http import Http
from tests.support.clock import ManualClock

from .things import CrashError, Watched, answer

OVERLAP = timedelta(minutes=2)
FAULTS = {
    "500": answer(500, "Internal Server Error"),
    "502": answer(502, "<html>"),
    "html": answer(200, "<html>"),
    "cut": answer(200, '{"count": 1, "records": [{"ID"'),
    "401": answer(401, ""),
    "empty": answer(200, '{"count": 0, "records": []}'),
}
REPOSITORIES = st.sampled_from(["prod/a", "prod/b", "prod/c"])


class Poller(RuleBasedStateMachine):
    flavour = "SQL"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.run = self.runner.run

    @initialize(page=st.sampled_from([2, 3, 5, 50]), before=st.integers(0, 4))
    def begin(self, page: int, before: int) -> None:
        self.page = page
        self.run(self._begin(before))

    async def _begin(self, before: int) -> None:
        self.clock = ManualClock()
        http = Http(self.clock)
        self.stack.push_async_callback(http.close)

        async def serve(app: web.Application) -> str:
            server = TestServer(app)
            await server.start_server()
            self.stack.push_async_callback(server.close)
            return f"http://127.0.0.1:{server.port}"

        self.watched = await Watched(self.clock, http, self.flavour).start(serve)
        await self.watched.sign(*["prod/old"] * before)
        await self.watched.visible()
        self.start = self.shown()
        self.restart()
        await self.watched.look(self.watcher)

    def shown(self) -> list[Entry]:
        return self.watched.imitation.feed.select("0", 10**6, None)

    def restart(self) -> None:
        self.watcher = self.watched.watcher(page=self.page, overlap="2m")

    def look(self) -> None:
        try:
            self.run(self.watched.look(self.watcher))
        except CrashError:
            self.restart()

    @rule(repository=REPOSITORIES)
    def sign(self, repository: str) -> None:
        self.run(self.watched.sign(repository))

    @rule(repository=REPOSITORIES)
    def delete(self, repository: str) -> None:
        self.watched.imitation.delete(repository)
        self.run(self.clock.advance(1))

    @rule(pick=st.integers(0, 20), busy=st.integers(0, 9))
    def slip_in(self, pick: int, busy: int) -> None:
        """A record shows late, but within the overlap, and not before the watch's start."""
        if busy:
            self.run(self.watched.sign(*["prod/busy"] * busy))
            self.run(self.watched.visible())
            self.look()
        shown = self.shown()
        ids = {entry.id for entry in shown}
        places = [
            entry
            for before, entry in zip([None, *shown], shown, strict=False)
            if entry not in self.start
            and before is not None
            and before.created_at < entry.created_at - timedelta(seconds=0.5)
            and entry.created_at - timedelta(seconds=1) >= shown[-1].created_at - OVERLAP
            and (self.flavour != "SQL" or str(int(entry.id) - 1) not in ids)
        ]
        if places:
            feed = self.watched.imitation.feed
            feed.slip_in(self.watched.imitation.gun("prod/late"), places[pick % len(places)].id)

    @rule(seconds=st.sampled_from([1, 10, 35, 70]))
    def time_passes(self, seconds: int) -> None:
        self.run(self.clock.advance(seconds))

    @rule()
    def poll(self) -> None:
        self.look()
        self.run(self.clock.advance(15))

    @rule(fault=st.sampled_from(sorted(FAULTS)), after=st.integers(0, 3), times=st.integers(1, 3))
    def poll_with_faults(self, fault: str, after: int, times: int) -> None:
        self.watched.faults = [None] * after + [FAULTS[fault]] * times
        self.look()
        self.watched.faults = []
        self.run(self.clock.advance(15))

    @rule(after=st.integers(0, 4))
    def crash(self, after: int) -> None:
        self.watched.taker.die_at = after
        self.look()
        self.watched.taker.die_at = None
        self.restart()

    @rule(after=st.integers(0, 4))
    def store_fails(self, after: int) -> None:
        """The report is not taken, but the watcher lives on."""
        self.watched.taker.die_at = after
        try:
            self.run(self.watched.look(self.watcher))
        except CrashError:
            self.watched.taker.die_at = None
        self.watched.taker.die_at = None

    @precondition(lambda self: len(self.shown()) > 0)
    @rule()
    def rebuild(self) -> None:
        self.watched.imitation.feed.rebuild()
        self.run(self.clock.advance(1))

    @rule()
    def settle(self) -> None:
        """When all has been quiet for a while, everything that the feed shows has been told, once."""
        self.run(self.watched.visible())
        for _ in range(6):
            self.look()
            self.run(self.clock.advance(35))
        told = self.watched.taker.records()
        wanted = {key_of(entry) for entry in self.shown() if entry not in self.start}
        assert wanted <= set(told), f"lost: {wanted - set(told)}"
        assert not [key for key, count in told.items() if count > 1], "told twice"
        assert not {key_of(entry) for entry in self.start} & set(told), "told though older than the watch"
        assert not any(alert.type == "changefeed.reset" for alert in self.alerts()), "not resolved"
        assert not self.watched.taker.failing()

    def alerts(self):
        return self.watched.taker.engine.world.alerts.values()

    def teardown(self) -> None:
        try:
            if hasattr(self, "watcher"):
                self.settle()
        finally:
            self.run(self.stack.aclose())
            self.runner.close()


class OnRethinkDb(Poller):
    flavour = "RethinkDB"


def key_of(entry: Entry) -> tuple[str, str]:
    return entry.id, entry.created_at.isoformat()


@pytest.mark.parametrize("machine", [Poller, OnRethinkDb], ids=["SQL", "RethinkDB"])
def test_nothing_is_lost_and_nothing_told_twice(machine: type[Poller]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
