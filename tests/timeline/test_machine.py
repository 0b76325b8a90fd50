"""Random timelines: whatever happens, what is told is true, wanted, and complete in the end."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from relay.engine.policy import Mass, Policy
from relay.model.delivery import ChannelState, DeliveryState
from relay.model.event import Status
from relay.store import Filter, Store
from tests.engine.things import condition, deletion, failure, issue, report, rule
from tests.timeline.play import Play, Scenario

REPLICAS = ("r1", "r2", "r3")
RULES = [
    rule("plain", ["a"], repeat="1h", escalate={"after": "15m", "channels": "c"}),
    rule("grouped", ["b"], group={"wait": "30s", "interval": "5m"}, repeat="2h"),
    rule("later", ["d"], after="1m", on_resolve=False),
]
CHANNELS: dict[str, dict[str, Any]] = {
    "a": {"digest_after": "10m"},
    "b": {},
    "c": {},
    "d": {"digest_after": "10m"},
}
MASS = Policy(mass={"prod": Mass(count=3)})
LONGEST_PROBE = timedelta(minutes=6)
LONGEST_GROUP = timedelta(minutes=5, seconds=30)

gaps = st.sampled_from([0, 1, 10, 29, 31, 61, 299, 601, 901, 3601, 7300])
acts = st.one_of(
    st.tuples(st.just("looks"), st.frozensets(st.sampled_from(REPLICAS))),
    st.tuples(st.just("looks"), st.frozensets(st.sampled_from(REPLICAS))),
    st.tuples(st.just("deletes"), st.frozensets(st.integers(0, 5), max_size=3)),
    st.tuples(
        st.just("passes"),
    ),
    st.tuples(st.just("down"), st.sampled_from(sorted(CHANNELS))),
    st.tuples(st.just("up"), st.sampled_from(sorted(CHANNELS))),
    st.tuples(st.just("silence"), st.sampled_from(REPLICAS), st.sampled_from([60, 1000, 7200])),
    st.tuples(
        st.just("expire"),
    ),
    st.tuples(st.just("acknowledge"), st.sampled_from(REPLICAS), st.sampled_from([None, 600])),
    st.tuples(st.just("unacknowledge"), st.sampled_from(REPLICAS)),
    st.tuples(
        st.just("kill"),
    ),
)
timelines = st.lists(st.tuples(gaps, acts), min_size=3, max_size=14)


def units(body: Mapping[str, Any]) -> Iterator[list[Mapping[str, Any]]]:
    """What a message says of each thing: one item, or two for what began and ended."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for item in body["data"].get("items", [body]):
        found.setdefault(item["data"]["id"], []).append(item["data"] | {"type": item["type"]})
    yield from found.values()


class Watch:
    """What a reader of every message would find wrong."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self.wrong: list[str] = []
        self.firing: set[tuple[str, str]] = set()
        self.deleted: dict[str, set[str]] = {name: set() for name in CHANNELS}
        play.checks.append(self.read)

    def read(self, channel: str, body: Mapping[str, Any]) -> None:
        for unit in units(body):
            self.read_unit(channel, unit)

    def read_unit(self, channel: str, unit: list[Mapping[str, Any]]) -> None:
        last = unit[-1]
        name, status, id = last["subject"]["name"], last["status"], last["id"]
        self.deleted[channel].update(each["repository"] for each in last["details"].get("deletions", ()))
        if status == Status.EVENT:
            self.deleted[channel].add(name)
            return
        alert = self._play.intake.by_id.get(id)
        fires = alert is not None
        if alert is not None and status == Status.FIRING and last["severity"] != alert.severity:
            self.wrong.append(
                f"{channel} is told that {name} is {last['severity']}, and it is {alert.severity}"
            )
        if fires != (status == Status.FIRING):
            self.wrong.append(f"{channel} is told {status} of {name}, which is not so")
        if any(name in each.matchers.get("replica", ()) for each in self.silences()):
            self.wrong.append(f"{channel} is told {status} of {name}, which is silenced")
        if status == Status.RESOLVED and len(unit) == 1 and (channel, id) not in self.firing:
            self.wrong.append(f"{channel} is told the end of {name}, but not its beginning")
        if status == Status.FIRING:
            self.firing.add((channel, id))
        else:
            self.firing.discard((channel, id))

    def silences(self) -> list[Any]:
        silences = self._play.desk.silences
        return [each for each in silences.all if silences.holds(each, self._play.clock.now())]


async def act(play: Play, deed: tuple[Any, ...]) -> None:
    match deed:
        case ("looks", bad):
            seen = report(0, *(condition(name) for name in sorted(bad)), sources=list(REPLICAS))
            await play.intake.take(replace(seen, at=play.clock.now()))
        case ("dark",):
            gone = [failure(name, dark=True, covered=True) for name in REPLICAS]
            seen = report(0, *map(condition, REPLICAS), failures=gone, sources=list(REPLICAS))
            await play.intake.take(replace(seen, at=play.clock.now()))
        case ("switch", channel, on):
            if on:
                await play.operator.enable(channel, "alice")
                play.up_since[channel] = play.clock.now()
            else:
                await play.operator.disable(channel, "alice", "work")
        case ("issue", how):
            found = [] if how == "none" else [issue(critical=how == "critical")]
            seen = report(0, *found, watcher="cluster_status", sources=["r1"])
            await play.intake.take(replace(seen, at=play.clock.now()))
        case ("deletes", numbers):
            facts = [deletion(name, name) for name in (f"prod/{number}" for number in sorted(numbers))]
            found = report(0, watcher="changefeed", sources=["all"], facts=facts)
            await play.intake.take(replace(found, at=play.clock.now()))
        case ("passes",):
            await play.intake.pass_time(play.clock.now())
        case ("down", channel):
            play.down.add(channel)
        case ("up", channel):
            play.down.discard(channel)
            play.up_since[channel] = play.clock.now()
        case ("silence", name, seconds):
            now = play.clock.now()
            ends = now + timedelta(seconds=seconds)
            made = await play.operator.silence({"replica": [name]}, now, ends, "alice", "work")
            play.silences.append(made.id)
        case ("expire",):
            now = play.clock.now()
            for silence in [each for each in play.desk.silences.all if each.ends_at > now]:
                await play.operator.expire(silence.id, "alice")
        case ("acknowledge" | "unacknowledge", name, *more):
            for alert in [each for each in play.intake.alerts if each.subject.name == name]:
                if deed[0] == "unacknowledge":
                    await play.operator.unacknowledge(alert.id, "alice")
                    continue
                until = None if more[0] is None else play.clock.now() + timedelta(seconds=more[0])
                await play.operator.acknowledge(alert.id, "alice", until=until)
        case ("kill",):
            await play.restart()


async def nothing_is_withheld(play: Play) -> None:
    """What is held back has a cause that holds now; what only waits for its receiver goes at once."""
    now, watch = play.clock.now(), play.desk.silences
    for row in await play.store.list_deliveries(Filter(limit=1000)):
        health = play.dispatcher.loops[row.channel].health
        if row.finished_at is not None or row.channel in play.down or health.state is ChannelState.DISABLED:
            continue
        if row.state is DeliveryState.SILENCED:
            (event,) = (await play.store.events(row.events)).values()
            # It is looked at again when its receiver is tried again.
            late = now - max(row.due_at, play.up_since.get(row.channel, row.created_at))
            held = watch.holding(event, now) is not None
            assert held or late <= LONGEST_PROBE, f"{event.summary} is silenced by nothing"
        elif row.state is DeliveryState.PENDING and not row.attempts:
            late = now - max(row.due_at, row.created_at, play.up_since.get(row.channel, row.created_at))
            assert late <= LONGEST_PROBE, f"{row.channel}: {row.reason} waits for nothing since {late}"
            if row.gathered:
                assert row.due_at - row.created_at <= LONGEST_GROUP


async def tell(timeline: list[tuple[int, tuple[Any, ...]]], folder: Path) -> None:
    told = Scenario("random", (), rules=RULES, channels=CHANNELS, policy=MASS)
    async with Play(told, folder) as play:
        watch, seconds = Watch(play), 0.0
        for gap, deed in timeline:
            seconds += gap
            await play.go(seconds)
            await act(play, deed)
            await play.rest()
            await nothing_is_withheld(play)
        # All is well in the end, and everybody can be told so.
        play.down.clear()
        for channel in CHANNELS:
            await act(play, ("switch", channel, True))
        # What is under way is told as it stood when it was looked at: it must not become untrue meanwhile.
        await play.rest()
        await act(play, ("looks", frozenset()))
        await act(play, ("issue", "none"))
        await act(play, ("expire",))
        for later in (1200, 1215):
            await play.go(seconds + later)
            await act(play, ("deletes", frozenset()))
        await play.go(seconds + 12 * 3600)
        assert not watch.wrong, watch.wrong
        left = [channel for channel, _ in watch.firing if channel != "d"]
        assert not left, "told of a beginning, and never of its end"
        deleted = {f"prod/{each}" for _, deed in timeline if deed[0] == "deletes" for each in deed[1]}
        for channel in ("a", "b", "d"):
            assert watch.deleted[channel] == deleted, "a deletion was lost"
        waits = [row for row in await play.store.list_deliveries(Filter(limit=1000)) if not row.finished_at]
        assert not waits


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without anything in it: making one takes longer than playing."""
    file = tmp_path_factory.mktemp("empty") / "relay.db"
    Store(f"sqlite:///{file}").close()
    return file


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(timeline=timelines)
# What was silenced while a message with it in it was tried in vain: the next one is without it.
@example(
    timeline=[
        (0, ("deletes", frozenset({0}))),
        (0, ("down", "b")),
        (0, ("looks", frozenset({"r1"}))),
        (31, ("silence", "r1", 60)),
    ]
)
def test_what_is_told_is_true_wanted_and_complete(
    empty: Path, timeline: list[tuple[int, tuple[Any, ...]]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(empty, Path(folder) / "relay.db")
        asyncio.run(tell(timeline, Path(folder)))
