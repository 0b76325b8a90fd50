"""The outbox against a simple model, through random histories with crashes, replays and changed channels."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from relay.model.delivery import Delivery, DeliveryState
from relay.model.plan import Plan
from relay.store import Cut, Deed, Filter, Store
from tests.store.things import NOW, delivery, event, settled

T = TypeVar("T")

CHANNELS = ("a", "b")
THREADS = ("t1", "t2", "t3")
RETENTION = timedelta(seconds=10)
FINISHED = {DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.SUPERSEDED, DeliveryState.HELD}

channels = st.sampled_from(CHANNELS)
threads = st.sampled_from(THREADS)


@dataclass(slots=True)
class Row:
    """What the model knows of a delivery."""

    number: int
    channel: str
    thread: str
    event: str
    due: int
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    finished: int | None = None

    @property
    def pending(self) -> bool:
        return self.state is DeliveryState.PENDING


class Outbox(RuleBasedStateMachine):
    """`now` is in seconds, `got` what receivers got, `flying` what a dispatcher has claimed."""

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="relay-outbox-"))
        self.store = self.opened()
        self.now = 0
        self.numbers = count()
        self.rows: dict[str, Row] = {}
        self.events: dict[str, int] = {}
        self.flying: dict[str, Delivery] = {}
        self.got: Counter[str] = Counter()
        self.excused: Counter[str] = Counter()
        self.known = set(CHANNELS)

    def opened(self) -> Store:
        return Store(f"sqlite:///{self.folder}/relay.db")

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(doing)

    def time(self, second: int) -> datetime:
        return NOW + timedelta(seconds=second)

    # What happens.

    @rule(thread=threads, to=st.sets(channels, min_size=1), after=st.sampled_from([0, 0, 30]))
    def commit(self, thread: str, to: set[str], after: int) -> None:
        told = f"evt_{next(self.numbers):03}"
        made = [(f"dlv_{told}_{channel}", channel) for channel in sorted(to)]
        due = self.now + after
        plan = Plan(
            events=(event(told, seen_at=self.time(self.now), alert=thread),),
            deliveries=tuple(
                delivery(
                    name,
                    told,
                    channel=channel,
                    thread=thread,
                    created_at=self.time(self.now),
                    due_at=self.time(due),
                )
                for name, channel in made
            ),
        )
        self.run(self.store.commit(plan))
        # The same thing seen twice is one thing.
        self.run(self.store.commit(plan))
        self.events[told] = self.now
        for name, channel in made:
            self.rows[name] = Row(next(self.numbers), channel, thread, told, due)

    @rule(channel=channels, limit=st.integers(1, 4))
    def claim(self, channel: str, limit: int) -> None:
        if channel not in self.known:
            return
        taken = {each.seq for each in self.flying.values()}
        found = self.run(self.store.due(channel, self.time(self.now), limit, taken))
        assert [claim.delivery.id for claim in found] == self.ready(channel)[:limit]
        for claim in found:
            row = self.rows[claim.delivery.id]
            assert [told.id for told in claim.events] == [row.event]
            assert claim.delivery.attempts == row.attempts
            self.flying[claim.delivery.id] = claim.delivery

    def ready(self, channel: str) -> list[str]:
        """Which may be claimed, by the model."""
        free = [name for name in self.first(channel) if self.rows[name].due <= self.now]
        return sorted(free, key=lambda name: (self.rows[name].due, self.rows[name].number))

    def first(self, channel: str) -> list[str]:
        """The first pending ones of their threads, less those in flight."""
        found: dict[str, str] = {}
        for name, row in sorted(self.rows.items(), key=lambda item: item[1].number):
            if row.channel == channel and row.pending:
                found.setdefault(row.thread, name)
        return [name for name in found.values() if name not in self.flying]

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), how=st.sampled_from(["delivered", "retry", "dead", "unsettled"]))
    def send(self, data: st.DataObject, how: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.flying)))
        sent, row = self.flying.pop(name), self.rows[name]
        if how in ("delivered", "unsettled"):
            self.got[name] += 1
        if how == "unsettled":
            # It was sent, and the outcome was never written.
            self.excused[name] += 1
            return
        state = {"delivered": DeliveryState.DELIVERED, "dead": DeliveryState.DEAD}.get(
            how, DeliveryState.PENDING
        )
        due = self.now + 7 if how == "retry" else row.due
        self.run(self.store.settle(settled(sent, state, self.time(self.now), due_at=self.time(due))))
        row.state, row.due, row.attempts = state, due, row.attempts + 1
        row.finished = None if row.pending else self.now

    @rule(channel=channels, thread=threads)
    def supersede(self, channel: str, thread: str) -> None:
        told = f"evt_{next(self.numbers):03}"
        plan = Plan(events=(event(told, seen_at=self.time(self.now)),), superseded=((thread, channel),))
        self.run(self.store.commit(plan))
        self.events[told] = self.now
        for row in self.rows.values():
            ours = (row.channel, row.thread) == (channel, thread)
            if ours and row.pending and not row.attempts and row.due > self.now:
                row.state, row.finished = DeliveryState.SUPERSEDED, self.now

    @rule(thread=threads, channel=channels)
    def hold_back(self, thread: str, channel: str) -> None:
        told = f"evt_{next(self.numbers):03}"
        name = f"dlv_{told}_{channel}"
        plan = Plan(
            events=(event(told, seen_at=self.time(self.now)),),
            deliveries=(
                delivery(
                    name,
                    told,
                    channel=channel,
                    thread=thread,
                    created_at=self.time(self.now),
                    due_at=self.time(self.now),
                    state=DeliveryState.INHIBITED,
                ),
            ),
        )
        self.run(self.store.commit(plan))
        self.events[told] = self.now
        self.rows[name] = Row(
            next(self.numbers), channel, thread, told, self.now, DeliveryState.INHIBITED, finished=self.now
        )

    @rule(thread=threads)
    def release(self, thread: str) -> None:
        self.run(self.store.commit(Plan(released=(thread,))))
        for row in self.rows.values():
            if row.thread == thread and row.state is DeliveryState.INHIBITED:
                row.state, row.finished = DeliveryState.PENDING, None

    @rule()
    def crash(self) -> None:
        """Nobody remembers the claims; some of what was in flight had been sent."""
        for name in sorted(self.flying)[::2]:
            self.got[name] += 1
            self.excused[name] += 1
        self.flying.clear()
        self.store.close()
        self.store = self.opened()

    @precondition(lambda self: any(row.finished is not None for row in self.rows.values()))
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        finished = sorted(name for name, row in self.rows.items() if row.state in FINISHED)
        if not finished:
            return
        old = data.draw(st.sampled_from(finished))
        row, name = self.rows[old], f"dlv_again_{next(self.numbers):03}"
        again = delivery(
            name,
            row.event,
            channel=row.channel,
            thread=row.thread,
            created_at=self.time(self.now),
            due_at=self.time(self.now),
            replay_of=old,
        )
        self.run(self.store.add_replay(again, Deed(self.time(self.now), "alice", "replay", old)))
        self.rows[name] = Row(next(self.numbers), row.channel, row.thread, row.event, self.now)
        self.know()

    @rule(names=st.sets(channels))
    def configure(self, names: set[str]) -> None:
        """A restart with these channels."""
        self.crash()
        self.known = names
        self.know()

    def know(self) -> None:
        held = self.run(self.store.know_channels(self.known, self.time(self.now)))
        newly = 0
        for row in self.rows.values():
            if row.state is DeliveryState.HELD and row.channel in self.known:
                row.state, row.finished = DeliveryState.PENDING, None
            elif row.pending and row.channel not in self.known:
                row.state, row.finished = DeliveryState.HELD, self.now
                newly += 1
        assert held == newly

    @rule(seconds=st.sampled_from([1, 7, 15]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def prune(self) -> None:
        before = self.time(self.now) - RETENTION
        while self.run(self.store.prune(Cut(before, before, before, most=3))):
            pass
        edge = self.now - RETENTION.total_seconds()
        for name, row in list(self.rows.items()):
            if row.finished is not None and row.finished < edge:
                del self.rows[name]
        needed = {row.event for row in self.rows.values()}
        kept = {name: seen for name, seen in self.events.items() if seen >= edge or name in needed}
        left = {told.id for _, _, told in self.run(self.store.list_events(Filter(limit=10_000)))}
        assert left == set(kept)
        self.events = kept

    # What always holds.

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        kept = {each.id: each for each in self.run(self.store.list_deliveries(Filter(limit=10_000)))}
        assert {name: each.state for name, each in kept.items()} == {
            name: row.state for name, row in self.rows.items()
        }
        assert {name: each.attempts for name, each in kept.items()} == {
            name: row.attempts for name, row in self.rows.items()
        }
        told = Counter((each.events, each.channel) for each in kept.values() if each.replay_of is None)
        assert set(told.values()) <= {1}

    @invariant()
    def nothing_is_told_twice_without_a_reason(self) -> None:
        assert all(count <= 1 + self.excused[name] for name, count in self.got.items())

    @invariant()
    def the_next_one_is_known(self) -> None:
        taken = {each.seq for each in self.flying.values()}
        for channel in CHANNELS:
            times = [self.rows[name].due for name in self.first(channel)]
            found = self.run(self.store.next_due(channel, taken))
            assert found == (self.time(min(times)) if times else None)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.loop.close()
            shutil.rmtree(self.folder)


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
