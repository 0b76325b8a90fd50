"""What goes out directly while the store fails: once to everybody, and never a flood."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from relay.channels import Refused
from relay.engine.emergency import Emergency
from relay.engine.sending import Sender
from relay.http import Http
from relay.model.delivery import Message, Outcome, Sent, TargetOutcome
from relay.model.errors import StoreError
from relay.render import Renderer
from relay.store import Store
from tests.engine.test_dispatch import Scripted, channel
from tests.support.clock import ManualClock

Begin = Callable[[Sequence[Scripted]], Emergency]


class TwoTargets(Scripted):
    """One of its targets is never reached."""

    async def send(self, message: Message, body: str, http: Http) -> Sent:
        await super().send(message, body, http)
        ended = (TargetOutcome("x", Outcome.DELIVERED), TargetOutcome("y", Outcome.RETRY, error="later"))
        return Sent(250, targets=ended)


@pytest.fixture
async def begin(tmp_path: Path) -> AsyncIterator[tuple[Begin, ManualClock]]:
    clock = ManualClock()
    store = Store(f"sqlite:///{tmp_path / 'relay.db'}")
    http = Http(clock)
    running: list[asyncio.Task[None]] = []
    with closing(sqlite3.connect(tmp_path / "relay.db")) as breaker:
        for event in ("INSERT", "UPDATE"):
            breaker.execute(
                f"CREATE TRIGGER no_{event} BEFORE {event} ON cursors BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        breaker.commit()

    def made(channels: Sequence[Scripted]) -> Emergency:
        senders = [Sender(each, Renderer([], clock=clock), http, clock) for each in channels]
        emergency = Emergency(store, clock, lambda: senders)
        running.append(asyncio.create_task(emergency.run()))
        emergency.store_failed(StoreError("full"))
        return emergency

    yield made, clock
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await http.close()
    store.close()


def mend(folder: Path) -> None:
    """Let the store be written again."""
    with closing(sqlite3.connect(folder / "relay.db")) as mender:
        for event in ("INSERT", "UPDATE"):
            mender.execute(f"DROP TRIGGER no_{event}")
        mender.commit()


async def pass_time(clock: ManualClock, seconds: int) -> None:
    for _ in range(seconds):
        await clock.advance(1)
        # The store's writer is a thread: it gets real time.
        await asyncio.sleep(0.002)


async def test_who_has_it_in_part_or_refuses_it_is_not_told_every_15_seconds(
    begin: tuple[Begin, ManualClock],
) -> None:
    start, clock = begin
    some, refusing, fine = TwoTargets(name="some"), channel("refusing"), channel("fine")
    refusing.answer(*(Refused("401", status=401) for _ in range(20)))
    start([some, refusing, fine])
    await pass_time(clock, 120)
    assert [each._sent.qsize() for each in (some, refusing, fine)] == [1, 1, 1]


async def test_a_store_that_fails_again_and_again_is_told_though_it_takes_a_beat(
    begin: tuple[Begin, ManualClock], tmp_path: Path
) -> None:
    start, clock = begin
    fine = channel("fine")
    mend(tmp_path)
    emergency = start([fine])
    for _ in range(5):
        await pass_time(clock, 15)
        emergency.store_failed(StoreError("one plan is always refused"))
    await pass_time(clock, 20)
    assert (await fine.sent()).status == "firing"
    assert emergency.error is not None
    await pass_time(clock, 90)
    assert (await fine.sent()).status == "resolved"
    assert emergency.error is None
    with closing(sqlite3.connect(tmp_path / "relay.db")) as reader:
        scopes = [row[0] for row in reader.execute("SELECT scope FROM cursors")]
    assert scopes == ["relay/probe"], "no sign of life, which would wipe out the last one"


async def test_a_failure_now_and_then_is_not_an_outage(
    begin: tuple[Begin, ManualClock], tmp_path: Path
) -> None:
    start, clock = begin
    fine = channel("fine")
    mend(tmp_path)
    emergency = start([fine])
    for _ in range(5):
        await pass_time(clock, 90)
        emergency.store_failed(StoreError("a blip"))
    await pass_time(clock, 20)
    assert fine.quiet
