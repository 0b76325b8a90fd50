"""The outbox against a simple model, through random histories with crashes, replays and changed channels."""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from relay.model.delivery import HELD_BACK, Delivery, DeliveryState, Reason
from relay.model.plan import Plan, Rewrite
from relay.store import Cut, Deed, Filter, Store
from tests.store.things import NOW, delivery, event, settled

T = TypeVar("T")

CHANNELS = ("a", "b")
ALERTS = ("alr_1", "alr_2", "alr_3")
GROUP = "grp_1"
RETENTION = timedelta(seconds=10)
UNDER_WAY = 5
RECHECK = 20

channels = st.sampled_from(CHANNELS)
alerts = st.sampled_from(ALERTS)
held_states = st.sampled_from([DeliveryState.SILENCED, DeliveryState.INHIBITED])
ways = st.sampled_from(["delivered", "retry", "dead", "unsettled"])

NEWS: dict[str, st.SearchStrategy[Any]] = {
    "alert": alerts,
    "to": st.sets(channels, min_size=1),
    "after": st.sampled_from([0, 0, 3, 30]),
    "state": st.one_of(st.just(DeliveryState.PENDING), held_states),
    "gathered": st.booleans(),
}


@dataclass(slots=True)
class Row:
    """What the model knows of a delivery."""

    number: int
    channel: str
    thread: str
    events: tuple[str, ...]
    created: int
    due: int
    state: DeliveryState = DeliveryState.PENDING
    reason: Reason = Reason.NEW
    attempts: int = 0
    finished: int | None = None

    @property
    def open(self) -> bool:
        return self.finished is None

    @property
    def pending(self) -> bool:
        return self.state is DeliveryState.PENDING

    @property
    def place(self) -> tuple[bool, int, int]:
        """Where it stands in its thread: what is tried goes first, then what is due first."""
        tried = self.pending and self.attempts > 0
        return not tried, 0 if tried else self.due, self.number

    def end(self, state: DeliveryState, now: int) -> None:
        self.state, self.finished = state, now


class Outbox(RuleBasedStateMachine):
    """`now` is in seconds, `got` what receivers got, `flying` what a dispatcher has claimed."""

    @initialize(news=st.lists(st.fixed_dictionaries(NEWS), min_size=2, max_size=6))
    def begin(self, news: list[dict[str, Any]]) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="relay-outbox-"))
        self.store = self.opened()
        self.now = 0
        self.numbers = count()
        self.rows: dict[str, Row] = {}
        self.events: dict[str, int] = {}
        self.about: dict[str, str] = {}
        self.flying: dict[str, Delivery] = {}
        self.got: Counter[str] = Counter()
        self.excused: Counter[str] = Counter()
        self.known = set(CHANNELS)
        for each in news:
            self.commit(**each)

    def opened(self) -> Store:
        return Store(f"sqlite:///{self.folder}/relay.db")

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(doing)

    def time(self, second: int) -> datetime:
        return NOW + timedelta(seconds=second)

    def kept(self) -> dict[str, Delivery]:
        return {each.id: each for each in self.run(self.store.list_deliveries(Filter(limit=10_000)))}

    def made(self, name: str, row: Row, **fields: Any) -> Delivery:
        """The delivery of a row of the model, as the engine makes it."""
        return delivery(
            name,
            *row.events,
            channel=row.channel,
            thread=row.thread,
            created_at=self.time(row.created),
            due_at=self.time(row.due),
            state=row.state,
            reason=row.reason,
            gathered=row.thread == GROUP,
            **fields,
        )

    # What happens.

    @rule(**NEWS)
    def commit(self, alert: str, to: set[str], after: int, state: DeliveryState, gathered: bool) -> None:
        """News: told at once or later, or held back from the beginning; by itself or in a group."""
        told, thread = f"evt_{next(self.numbers):03}", GROUP if gathered else alert
        due = self.now + (after if state is DeliveryState.PENDING else RECHECK)
        new = {
            f"dlv_{told}_{channel}": Row(next(self.numbers), channel, thread, (told,), self.now, due, state)
            for channel in sorted(to)
        }
        plan = Plan(
            events=(event(told, seen_at=self.time(self.now), alert=alert),),
            deliveries=tuple(self.made(name, row) for name, row in new.items()),
        )
        self.run(self.store.commit(plan))
        # The same thing seen twice is one thing.
        self.run(self.store.commit(plan))
        self.events[told], self.about[told] = self.now, alert
        self.rows |= new

    @rule(channel=channels, limit=st.integers(1, 4), lasts=st.booleans())
    def claim(self, channel: str, limit: int, lasts: bool) -> None:
        """Take what is due. What was held back is decided anew: `lasts`, or it is sent with the next look."""
        if channel not in self.known:
            return
        found = self.run(self.store.due(channel, self.time(self.now), limit, self.taken()))
        assert [claim.delivery.id for claim in found] == self.ready(channel)[:limit]
        for claim in found:
            name, row = claim.delivery.id, self.rows[claim.delivery.id]
            assert [told.id for told in claim.events] == list(row.events)
            assert claim.delivery.attempts == row.attempts
            assert claim.waiting is not None
            assert [each.id for each in claim.waiting.deliveries] == self.waiting(channel, row.thread)
            assert set(claim.waiting.events) == {
                told for each in self.waiting(channel, row.thread) for told in self.rows[each].events
            }
            if row.pending:
                self.flying[name] = claim.delivery
                continue
            row.state = row.state if lasts else DeliveryState.PENDING
            row.due = self.now + RECHECK if lasts else row.due
            self.review(replace(claim.delivery, state=row.state, due_at=self.time(row.due)))

    def review(self, *changed: Delivery, added: tuple[Delivery, ...] = ()) -> None:
        self.run(self.store.rewrite(Rewrite(changed, added)))

    def taken(self) -> set[int]:
        return {each.seq for each in self.flying.values()}

    def ready(self, channel: str) -> list[str]:
        """Which may be claimed, by the model."""
        free = [name for name in self.first(channel) if self.rows[name].due <= self.now]
        return sorted(free, key=lambda name: (self.rows[name].due, self.rows[name].number))

    def first(self, channel: str) -> list[str]:
        """The first ones of their threads, but of those of which one is in flight."""
        found: dict[str, str] = {}
        for name, row in sorted(self.rows.items(), key=lambda item: item[1].place):
            if row.channel == channel and row.open:
                found.setdefault(row.thread, name)
        busy = {self.rows[name].thread for name in self.flying if self.rows[name].channel == channel}
        return [name for thread, name in found.items() if thread not in busy]

    def waiting(self, channel: str, thread: str) -> list[str]:
        ours = [name for name, row in self.rows.items() if (row.channel, row.thread) == (channel, thread)]
        return sorted(
            (name for name in ours if self.rows[name].open), key=lambda name: self.rows[name].number
        )

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), how=ways, repeats=st.booleans())
    def send_one(self, data: st.DataObject, how: str, repeats: bool) -> None:
        self.send(data.draw(st.sampled_from(sorted(self.flying))), how, repeats)

    @rule(how=ways, repeats=st.booleans(), seconds=st.sampled_from([0, 7]))
    def send_everything(self, how: str, repeats: bool, seconds: int) -> None:
        """All channels do what they can at once."""
        for channel in sorted(self.known):
            self.claim(channel, 4, lasts=True)
        for name in sorted(self.flying):
            self.send(name, how, repeats)
        self.now += seconds

    def send(self, name: str, how: str, repeats: bool) -> None:
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
        follow_ups = self.repeat(name, row) if repeats and how != "retry" else ()
        at = self.time(self.now)
        settlement = settled(sent, state, at, follow_ups, due_at=self.time(due))
        for _ in range(2):
            # Nobody could tell whether it was made durable.
            self.run(self.store.settle(settlement))
        row.state, row.due, row.attempts = state, due, row.attempts + 1
        row.finished = None if row.pending else self.now

    def repeat(self, name: str, sent: Row) -> tuple[Delivery, ...]:
        """A repeat of what is sent, in place of one that waits."""
        for row in self.rows.values():
            ours = (row.channel, row.thread) == (sent.channel, sent.thread)
            if ours and row.open and row.reason is Reason.REPEAT and not row.attempts and row is not sent:
                row.end(DeliveryState.SUPERSEDED, self.now)
        again = f"{name}_again"
        new = replace(
            sent,
            number=next(self.numbers),
            created=self.now,
            due=self.now + 25,
            state=DeliveryState.PENDING,
            reason=Reason.REPEAT,
            attempts=0,
            finished=None,
        )
        made = self.made(again, new)
        # It was sent before, and was not made to be sent again: then it is there already.
        self.rows.setdefault(again, new)
        return (made,)

    @rule(alert=alerts)
    def over(self, alert: str) -> None:
        """An alert ends: what was to be told of it later is not told any more."""
        told = f"evt_{next(self.numbers):03}"
        plan = Plan(events=(event(told, seen_at=self.time(self.now)),), over=(alert,))
        self.run(self.store.commit(plan))
        self.events[told] = self.now
        for row in self.rows.values():
            delayed = row.due > max(self.now + UNDER_WAY, row.created)
            if row.thread == alert and row.open and not row.attempts and delayed:
                row.end(DeliveryState.SUPERSEDED, self.now)

    @rule(alert=alerts)
    def release(self, alert: str) -> None:
        self.run(self.store.commit(Plan(at=self.time(self.now), released=(alert,))))
        for row in self.rows.values():
            told = {self.about[each] for each in row.events if each in self.about}
            if row.open and row.state is DeliveryState.INHIBITED and alert in told:
                row.due = self.now

    @rule(state=held_states)
    def look_again(self, state: DeliveryState) -> None:
        self.run(self.store.look_again(state, self.time(self.now)))
        for row in self.rows.values():
            if row.open and row.state is state:
                row.due = min(row.due, self.now)

    @rule(channel=channels)
    def hasten(self, channel: str) -> None:
        self.run(self.store.hasten(channel, self.time(self.now)))
        for row in self.rows.values():
            if row.channel == channel and row.open and row.pending and row.attempts:
                row.due = min(row.due, self.now)

    @rule(channel=channels, thread=st.sampled_from([*ALERTS, GROUP]), data=st.data())
    def merge(self, channel: str, thread: str, data: st.DataObject) -> None:
        """Put together what waits; if one of it was finished meanwhile, nothing comes of it."""
        ours = {
            name: row for name, row in self.rows.items() if (row.channel, row.thread) == (channel, thread)
        }
        free = sorted(name for name in ours if name not in self.flying)
        if not free:
            return
        names = data.draw(st.lists(st.sampled_from(free), min_size=1, unique=True))
        kept, into = self.kept(), f"dlv_merged_{next(self.numbers):03}"
        told = tuple(dict.fromkeys(each for name in names for each in ours[name].events))
        new = Row(next(self.numbers), channel, thread, told, self.now, self.now, reason=Reason.GROUP)
        done = {"state": DeliveryState.GROUPED, "finished_at": self.time(self.now), "merged_into": into}
        changed = [replace(kept[name], **done) for name in names]
        self.review(*changed, added=(self.made(into, new),))
        if all(ours[name].open for name in names):
            self.rows[into] = new
            for name in names:
                ours[name].end(DeliveryState.GROUPED, self.now)

    @rule()
    def crash(self) -> None:
        """Nobody remembers the claims; some of what was in flight had been sent."""
        for name in sorted(self.flying)[::2]:
            self.got[name] += 1
            self.excused[name] += 1
        self.flying.clear()
        self.store.close()
        self.store = self.opened()

    @precondition(lambda self: any(not row.open for row in self.rows.values()))
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(sorted(name for name, row in self.rows.items() if not row.open)))
        row, name = self.rows[old], f"dlv_replay_{next(self.numbers):03}"
        new = Row(next(self.numbers), row.channel, row.thread, row.events, self.now, self.now)
        again = self.made(name, new, replay_of=old)
        self.run(self.store.add_replays([(again, Deed(self.time(self.now), "alice", "replay", old))]))
        self.rows[name] = new
        self.know()

    @rule(names=st.sampled_from([{"a", "b"}, {"a", "b"}, {"a"}, set()]))
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
            elif row.open and row.channel not in self.known:
                row.end(DeliveryState.HELD, self.now)
                newly += 1
        assert held == newly

    @rule(seconds=st.sampled_from([1, 7, 15]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def prune(self) -> None:
        before = self.time(self.now) - RETENTION
        while self.run(self.store.prune(Cut(before, before, before, before, most=3))):
            pass
        edge = self.now - RETENTION.total_seconds()
        for name, row in list(self.rows.items()):
            if row.finished is not None and row.finished < edge:
                del self.rows[name]
        needed = {told for row in self.rows.values() for told in row.events}
        kept = {name: seen for name, seen in self.events.items() if seen >= edge or name in needed}
        left = {told.id for _, _, told in self.run(self.store.list_events(Filter(limit=10_000)))}
        assert left == set(kept)
        self.events = kept

    # What always holds.

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        kept = self.kept()
        assert {name: each.state for name, each in kept.items()} == {
            name: row.state for name, row in self.rows.items()
        }
        for name, row in self.rows.items():
            found = kept[name]
            assert (found.attempts, found.events) == (row.attempts, row.events)
            assert found.due_at == self.time(row.due)
            assert found.finished_at == (None if row.finished is None else self.time(row.finished))

    @invariant()
    def what_waits_is_not_finished(self) -> None:
        assert {row.state for row in self.rows.values() if row.open} <= {DeliveryState.PENDING, *HELD_BACK}
        assert all(row.open for row in self.rows.values() if row.pending)

    @invariant()
    def nothing_is_told_twice_without_a_reason(self) -> None:
        assert all(count <= 1 + self.excused[name] for name, count in self.got.items())

    @invariant()
    def of_a_thread_one_is_under_way(self) -> None:
        under_way = Counter((each.channel, each.thread) for each in self.flying.values())
        assert set(under_way.values()) <= {1}

    @invariant()
    def the_next_one_is_known(self) -> None:
        for channel in CHANNELS:
            times = [self.rows[name].due for name in self.first(channel)]
            found = self.run(self.store.next_due(channel, self.taken()))
            assert found == (self.time(min(times)) if times else None)

    @invariant()
    def something_always_goes(self) -> None:
        """Of what waits in a channel, one at least is under way or has a time at which it goes."""
        for channel in CHANNELS:
            waits = any(row.open and row.channel == channel for row in self.rows.values())
            flies = any(each.channel == channel for each in self.flying.values())
            assert not waits or flies or self.first(channel)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.loop.close()
            shutil.rmtree(self.folder)


TestOutbox = Outbox.TestCase
TestOutbox.settings = settings(
    max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
