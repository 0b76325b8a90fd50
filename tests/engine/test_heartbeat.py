"""Heartbeats: a switch is pinged while the relay is well, and a channel is greeted once per time."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from relay.engine.draft import Rules
from relay.engine.heartbeat import Greeter, Greeting, Pinger, State, Switch, refusal
from relay.engine.intake import Intake, Setting
from relay.engine.own import News
from relay.engine.policy import Policy
from relay.engine.punctual import told_until
from relay.engine.schedule import Schedule
from relay.http import Answer as HttpAnswer
from relay.http import Http, Route
from relay.model.delivery import Delivery
from relay.model.errors import StoreError
from relay.model.event import Event
from relay.model.observation import Look, Report, Watch
from relay.store import Filter, Store
from tests.engine.things import condition, report, router, rule
from tests.real.webhooks import Answer, Receiver
from tests.support.clock import ManualClock, settle

PATIENCE_SECONDS = 20
MORNING = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)


@dataclass
class Bench:
    """A store with an intake, and one heartbeat at a time."""

    store: Store
    clock: ManualClock
    http: Http
    reasons: dict[str, str] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    failed: list[StoreError] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def begin(self, *pinged: str) -> None:
        rules = router(rule("everything", channels=["a", "b"]), channels=["a", "b"])
        self.intake = Intake(self.store, Setting(Policy(), Rules(rules), {}, pinged), lambda _: None)
        await self.intake.start(self.clock.now())
        self.news = News(self.intake.take, self.clock, self.failed.append)

    def run(self, chore: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.tasks.append(asyncio.create_task(chore()))

    async def end(self) -> None:
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def pinger(self, url: str, **fields: Any) -> Pinger:
        given = Switch("hc", SecretStr(url), "GET", timedelta(minutes=1), Route(allow_private=True))
        return Pinger(
            replace(given, **fields), self.http, self.clock, random.Random(1), lambda: self.reasons, self.news
        )

    def greeter(self, text: str = "0 8 * * *", take: Any = None, channel: str = "a") -> Greeter:
        greeting = Greeting("morning", channel, Schedule(text, "UTC"))
        return Greeter(
            greeting, self.store, self.clock, take or self.intake.take, self.state, self.failed.append
        )

    def state(self) -> State:
        return State(MORNING, ["prod"], self.looks, self.intake.alerts, self.reasons)

    async def asleep(self) -> None:
        """Wait until what runs has nothing to do before some time has passed."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await settle()
            while self.clock.sleepers < len(self.tasks):
                await asyncio.sleep(0.001)

    async def pass_(self, seconds: float, step: float = 5.0) -> None:
        for _ in range(round(seconds / step)):
            await self.clock.advance(step)
            await self.asleep()

    async def told(self, type_name: str) -> list[Event]:
        listed = await self.store.list_events(Filter(type=type_name, limit=100))
        return [event for _, _, event in reversed(listed)]

    async def deliveries(self) -> list[Delivery]:
        return await self.store.list_deliveries(Filter())


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = ManualClock(MORNING)
    async with AsyncExitStack() as stack:
        store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
        stack.callback(store.close)
        http = Http(clock)
        stack.push_async_callback(http.close)
        made = Bench(store, clock, http)
        stack.push_async_callback(made.end)
        yield made


class TestPinger:
    async def test_it_pings_every_interval(self, bench: Bench, webhooks: Receiver) -> None:
        await bench.begin("hc")
        bench.run(bench.pinger(f"{webhooks.url}/secret", method="POST").run)
        await bench.asleep()
        await bench.pass_(55)
        assert len(webhooks.requests) == 1
        await bench.pass_(65)
        assert [(each.method, each.path) for each in webhooks.requests.items] == [("POST", "/secret")] * 3
        assert await bench.told("heartbeat.failing") == []

    async def test_it_falls_silent_while_the_relay_is_not_well(
        self, bench: Bench, webhooks: Receiver
    ) -> None:
        await bench.begin("hc")
        bench.reasons = {"store": "full"}
        bench.run(bench.pinger(webhooks.url).run)
        await bench.asleep()
        await bench.pass_(600, step=30)
        assert len(webhooks.requests) == 0
        bench.reasons = {}
        await bench.pass_(5)
        assert len(webhooks.requests) == 1
        assert await bench.told("heartbeat.failing") == [], "that is not the switch's fault"

    async def test_it_falls_silent_between_two_tries_too(self, bench: Bench, webhooks: Receiver) -> None:
        await bench.begin("hc")
        webhooks.default = Answer(status=500)
        bench.run(bench.pinger(webhooks.url).run)
        await bench.asleep()
        bench.reasons = {"store": "full"}
        await bench.pass_(60)
        assert len(webhooks.requests) == 1

    async def test_a_ping_that_fails_is_tried_again_within_the_interval(
        self, bench: Bench, webhooks: Receiver
    ) -> None:
        await bench.begin("hc")
        webhooks.script(Answer(status=503), Answer(fault="cut"))
        bench.run(bench.pinger(webhooks.url).run)
        await bench.asleep()
        await bench.pass_(20)
        assert len(webhooks.requests) == 3
        await bench.pass_(40)
        assert len(webhooks.requests) == 4, "the next interval begins when it would have"

    async def test_three_failed_intervals_are_told_and_so_is_the_end(
        self, bench: Bench, webhooks: Receiver
    ) -> None:
        await bench.begin("hc")
        webhooks.default = Answer(status=404)
        bench.run(bench.pinger(f"{webhooks.url}/secret-uuid").run)
        await bench.asleep()
        await bench.pass_(115)
        assert await bench.told("heartbeat.failing") == []
        await bench.pass_(60)
        (firing,) = await bench.told("heartbeat.failing")
        assert firing.details["failures"] == 3
        assert firing.details["arrived_at"] is None
        assert "404" in firing.details["reason"]
        assert "secret-uuid" not in firing.to_json()
        assert len(webhooks.requests) == 9
        await bench.end()
        await bench.begin("hc")
        webhooks.default = Answer()
        bench.run(bench.pinger(webhooks.url).run)
        await bench.asleep()
        assert [each.status for each in await bench.told("heartbeat.failing")] == ["firing", "resolved"]

    async def test_the_alert_of_a_heartbeat_that_is_gone_ends(self, bench: Bench) -> None:
        await bench.begin("hc", "other")
        await bench.news.heartbeat_turned("hc", 3, "refused", None)
        await bench.news.heartbeat_turned("other", 3, "refused", None)
        await bench.begin("other")
        ended = (await bench.told("heartbeat.failing"))[-1]
        assert (ended.subject.name, ended.details["ended_because"]) == ("hc", "no longer watched")
        await bench.news.heartbeat_turned("hc", 4, "refused", None)
        assert [alert.source for alert in bench.intake.alerts] == ["other"]

    @pytest.mark.parametrize(
        ("status", "why"),
        [(200, None), (204, None), (302, "redirect"), (404, "check the URL"), (500, "answers 500")],
    )
    def test_what_counts_as_arrived(self, status: int, why: str | None) -> None:
        said = refusal(HttpAnswer(status, {}, b"", False, 0.1))
        assert said is None if why is None else why in (said or "")


class TestGreeter:
    async def test_a_channel_is_greeted_at_its_time_and_no_other_channel(self, bench: Bench) -> None:
        await bench.begin()
        bench.run(bench.greeter().run)
        await bench.asleep()
        await bench.pass_(3540, step=60)
        assert await bench.told("relay.heartbeat") == []
        await bench.pass_(120, step=60)
        (told,) = await bench.told("relay.heartbeat")
        assert told.happened_at == MORNING + timedelta(hours=1)
        assert [each.channel for each in await bench.deliveries()] == ["a"]
        await bench.pass_(86_400, step=600)
        await bench.pass_(120, step=60)
        assert len(await bench.told("relay.heartbeat")) == 2

    async def test_after_a_downtime_only_the_latest_is_told(self, bench: Bench) -> None:
        await bench.begin()
        bench.run(bench.greeter().run)
        await bench.asleep()
        await bench.end()
        bench.clock.jump(5 * 86_400)
        for _ in range(2):
            await bench.begin()
            bench.run(bench.greeter().run)
            await bench.asleep()
            await bench.end()
        (told,) = await bench.told("relay.heartbeat")
        assert told.happened_at == MORNING + timedelta(days=4, hours=1)

    @pytest.mark.parametrize("dies", ["before", "after"])
    async def test_whenever_it_dies_it_is_told_once(self, bench: Bench, dies: str) -> None:
        await bench.begin()
        bench.run(bench.greeter().run)
        await bench.asleep()
        await bench.end()

        async def take(seen: Report) -> None:
            if dies == "after":
                await bench.intake.take(seen)
            raise asyncio.CancelledError

        bench.clock.jump(3600)
        bench.run(bench.greeter(take=take).run)
        await asyncio.gather(*bench.tasks, return_exceptions=True)
        await bench.end()
        assert len(await bench.told("relay.heartbeat")) == (dies == "after")
        await bench.begin()
        bench.run(bench.greeter().run)
        await bench.asleep()
        assert len(await bench.told("relay.heartbeat")) == 1

    async def test_the_one_before_a_reload_and_the_one_after_tell_it_once(self, bench: Bench) -> None:
        await bench.begin()
        bench.run(bench.greeter().run)
        await bench.asleep()
        bench.run(bench.greeter().run)
        await bench.asleep()
        await bench.pass_(3660, step=60)
        assert len(await bench.told("relay.heartbeat")) == 1
        assert bench.failed == []

    async def test_a_changed_schedule_makes_up_for_nothing(self, bench: Bench) -> None:
        await bench.begin()
        bench.run(bench.greeter("0 6 * * *").run)
        await bench.asleep()
        await bench.end()
        bench.clock.jump(3 * 3600)
        bench.run(bench.greeter("30 7 * * *").run)
        await bench.asleep()
        assert await bench.told("relay.heartbeat") == []

    def test_a_clock_that_was_wrong_silences_it_for_an_hour_at_most(self) -> None:
        daily = Schedule("0 8 * * *", "UTC")
        text = '{"at": "2030-01-01T08:00:00Z", "schedule": "0 8 * * *", "zone": "UTC"}'
        assert told_until(text, daily, MORNING) is None
        assert told_until(text, daily, datetime(2030, 1, 1, 7, 30, tzinfo=UTC)) is not None
        assert told_until("nonsense", daily, MORNING) is None
        assert told_until(None, daily, MORNING) is None

    async def test_it_says_how_the_relay_is(self, bench: Bench) -> None:
        await bench.begin()
        await bench.intake.take(replace(report(0, condition()), at=MORNING))
        bench.looks = [
            Look(Watch("prod", "ping"), ("r1", "r2"), 1.0, MORNING, {"r1": "refused"}),
            Look(Watch("prod", "changefeed"), ("all",)),
        ]
        bench.reasons = {"watcher prod/changefeed": "has not looked for 90 seconds"}
        bench.run(bench.greeter().run)
        await bench.asleep()
        await bench.pass_(3660, step=60)
        (told,) = await bench.told("relay.heartbeat")
        assert told.summary == "The relay is alive, but does not see everything"
        said = told.details
        assert (said["clusters"], said["firing"], said["waiting"]) == (["prod"], 1, 2)
        assert [each["looked_at"] is None for each in said["looks"]] == [False, True]
        assert said["looks"][0]["unread"] == [{"source": "r1", "cause": "refused"}]
        assert said["troubles"] == ["watcher prod/changefeed: has not looked for 90 seconds"]

    async def test_a_channel_that_is_gone_keeps_it_waiting(self, bench: Bench) -> None:
        await bench.begin()
        bench.run(bench.greeter(channel="gone").run)
        await bench.asleep()
        await bench.pass_(3660, step=60)
        assert [(each.channel, each.state) for each in await bench.deliveries()] == [("gone", "held")]
