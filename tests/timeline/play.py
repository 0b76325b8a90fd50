"""Timelines: at time t this is seen or done, by time u exactly these messages have gone out.

The real intake, store, dispatcher and templates play them over a clock that only the test moves. A scenario
can be played with the process killed and started again after any of its steps; it has to tell the same.
"""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

from relay.channels import Channel, Retryable
from relay.channels.base import OrOff
from relay.engine.channel_loop import ChannelLoop
from relay.engine.desk import Desk
from relay.engine.dispatch import Dispatcher
from relay.engine.draft import Rules
from relay.engine.inhibition import Inhibitions, InhibitRule
from relay.engine.intake import Intake, Setting
from relay.engine.intervals import Times
from relay.engine.operate import Operator
from relay.engine.own import News
from relay.engine.policy import Policy
from relay.engine.routing import Router
from relay.engine.rules import Rule
from relay.engine.scene import Scene
from relay.engine.sending import Sender
from relay.http import Http
from relay.model.delivery import Delivery, Message, Reason, Sent
from relay.model.observation import Report, Watch
from relay.render import Renderer, expression
from relay.store import Filter, Store
from tests.engine.things import NOON
from tests.support.clock import ManualClock, settle

_PATIENCE = 20.0


class Recorder(Channel):
    """A channel that writes down what a receiver gets, or takes nothing while it is down."""

    PARTS: ClassVar[tuple[str, ...]] = ("json",)
    kind: Literal["webhook"] = "webhook"
    digest_after: OrOff = None
    most: int | None = None

    @property
    def group_bytes(self) -> int | None:
        return self.most

    def compose(self, message: Message) -> str:
        return message.parts["json"]

    async def send(self, message: Message, body: str, http: Http) -> Sent:
        world = _WORLDS[self.name]
        if self.name in world.down:
            raise Retryable("down")
        told = json.loads(body)
        if any(name in body for name in world.refused):
            raise Retryable("500")
        world.got.append((self.name, message.id, told))
        for check in world.checks:
            check(self.name, told)
        return Sent(200, "ok")

    def plain(self, title: str, text: str, payload: Mapping[str, Any]) -> dict[str, str]:
        raise AssertionError(f"a template failed: {title}\n{text}")


_WORLDS: dict[str, "Play"] = {}
"""Whose channel it is: a channel is its own configuration, and holds nothing else."""


def shorthand(body: Mapping[str, Any], sent: Delivery) -> str:
    """A message in a few words: `firing ping.failing r1`, `repeat: …`, `group: … | …`.

    Critical ones are in capitals; what began and ended in one message is `missed`.
    """
    data, reason = body["data"], sent.reason
    if "items" not in data:
        return (f"{reason}: " if reason in _REMINDERS else "") + _one(body)
    items: dict[str, list[Mapping[str, Any]]] = {}
    for item in data["items"]:
        items.setdefault(item["data"]["id"], []).append(item)
    told = [
        _one(found[-1]) if len(found) == 1 else f"missed {found[-1]['type']} {_name(found[-1])}"
        for found in items.values()
    ]
    more = [f"+{sent.more}"] if sent.more else []
    parts = f" {sent.part}/{sent.parts}" if sent.parts > 1 else ""
    if len(told) == 1 and not more and not parts and reason not in _REMINDERS:
        return told[0]
    return f"{reason}{parts}: " + " | ".join([*told, *more])


def _one(body: Mapping[str, Any]) -> str:
    status = str(body["data"]["status"])
    word = status.upper() if body["data"]["severity"] == "critical" and status == "firing" else status
    flapping = " (flapping)" if body["data"].get("flapping") else ""
    return f"{word} {body['type']} {_name(body)}{flapping}"


def _name(body: Mapping[str, Any]) -> str:
    return str(body["data"]["subject"]["name"])


_REMINDERS = (Reason.REPEAT, Reason.ESCALATION)

Action = Callable[["Play"], Awaitable[Any]]


@dataclass(frozen=True)
class Step:
    """At so many seconds this is done, or by then exactly these messages have gone out since the last."""

    seconds: float
    do: Action | None = None
    told: Mapping[str, Sequence[str]] | None = None


def at(seconds: float, *actions: Action) -> list[Step]:
    """At this time, these things happen."""
    return [Step(seconds, do) for do in actions]


def by(seconds: float, **told: Sequence[str] | str) -> list[Step]:
    """By this time exactly these messages have gone out since the last check: those of each channel."""
    return [Step(seconds, None, {name: [t] if isinstance(t, str) else t for name, t in told.items()})]


def sees(report: Report) -> Action:
    """A watcher reports this; its time is that of the step."""

    async def act(play: "Play") -> None:
        now = play.clock.now()
        await play.intake.take(replace(report, at=now))

    return act


def time_passes() -> Action:
    """The relay lets time pass, as it does every few seconds."""

    async def act(play: "Play") -> None:
        await play.intake.pass_time(play.clock.now())

    return act


def reload(policy: Policy, rules: Sequence[Rule] | None = None) -> Action:
    """The configuration is another one from now on."""

    async def act(play: "Play") -> None:
        old = play.scenario
        play.scenario = replace(old, policy=policy, rules=old.rules if rules is None else rules)
        setting = play.setting()
        await play.intake.change(setting, play.clock.now())

    return act


def down(*names: str) -> Action:
    """These channels take nothing from now on."""

    async def act(play: "Play") -> None:
        play.down.update(names)

    return act


def refuses(*names: str) -> Action:
    """Messages about these are never taken, though the channel works."""

    async def act(play: "Play") -> None:
        play.refused.update(names)

    return act


def up(*names: str) -> Action:
    """These channels take messages again."""

    async def act(play: "Play") -> None:
        play.down.difference_update(names)

    return act


def silence(
    match: Mapping[str, Any],
    lasts: float,
    starts: float = 0,
    intervals: Sequence[Mapping[str, Any]] = (),
) -> Action:
    """Somebody silences what matches, for so many seconds."""

    async def act(play: "Play") -> None:
        begins = play.clock.now() + timedelta(seconds=starts)
        ends = begins + timedelta(seconds=lasts)
        made = await play.operator.silence(match, begins, ends, "alice", "maintenance", intervals)
        play.silences.append(made.id)

    return act


def expire() -> Action:
    """Somebody ends the last silence."""

    async def act(play: "Play") -> None:
        await play.operator.expire(play.silences.pop(), "alice")

    return act


def acknowledge(subject: str, lasts: float | None = None) -> Action:
    """Somebody acknowledges the alert or the event about this."""

    async def act(play: "Play") -> None:
        until = None if lasts is None else play.clock.now() + timedelta(seconds=lasts)
        await play.operator.acknowledge(await play.find(subject), "alice", "on it", until)

    return act


def unacknowledge(subject: str) -> Action:
    """Somebody takes the acknowledgement back."""

    async def act(play: "Play") -> None:
        await play.operator.unacknowledge(await play.find(subject), "alice")

    return act


def kill() -> Action:
    """The process is killed and started again at once."""

    async def act(play: "Play") -> None:
        await play.restart()

    return act


@dataclass(frozen=True)
class Scenario:
    """What is configured, and what happens."""

    name: str
    steps: Sequence[Step]
    rules: Sequence[Rule] = (Rule(name="everything", channels=["a"]),)
    channels: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"a": {}})
    policy: Policy = field(default_factory=Policy)
    inhibit: Sequence[InhibitRule] = ()
    times: Times = field(default_factory=dict)
    start: datetime = NOON


def scenario(name: str, *parts: list[Step], **fields: Any) -> Scenario:
    """A scenario from its parts."""
    return Scenario(name, [step for part in parts for step in part], **fields)


class _Busy(Store):
    """The store, which knows whether anything is under way."""

    busy = 0

    async def _write(self, handler: Any, item: Any, operation: str = "write") -> Any:
        self.busy += 1
        try:
            return await super()._write(handler, item, operation)
        finally:
            self.busy -= 1

    async def _read(self, reader: Any, *arguments: Any) -> Any:
        self.busy += 1
        try:
            return await super()._read(reader, *arguments)
        finally:
            self.busy -= 1


class Play:
    """A scenario under way."""

    def __init__(self, scenario: Scenario, folder: Path, known_as: str = "") -> None:
        self.scenario = scenario
        self.clock = ManualClock(scenario.start)
        self.down: set[str] = set()
        self.refused: set[str] = set()
        self.up_since: dict[str, datetime] = {}
        self.got: list[tuple[str, str, Mapping[str, Any]]] = []
        self.silences: list[str] = []
        self._url = f"sqlite:///{folder / 'relay.db'}"
        self._random = random.Random(7)
        self._checked = 0
        self.loose = False
        self.checks: list[Callable[[str, Mapping[str, Any]], None]] = []

    async def __aenter__(self) -> "Play":
        self._stack = AsyncExitStack()
        self._http = Http(self.clock)
        self._stack.push_async_callback(self._http.close)
        for name in self.scenario.channels:
            _WORLDS[name] = self
        await self._begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()
        await self._stack.aclose()

    async def _begin(self) -> None:
        told, clock, setting = self.scenario, self.clock, self.setting()
        self.store = _Busy(self._url)
        channels = [
            Recorder.model_validate({"name": name, "retry": {"jitter": 0}, **options})
            for name, options in told.channels.items()
        ]
        names = [channel.name for channel in channels]
        self.intake = Intake(self.store, setting, lambda found: self.dispatcher.wake(found))
        self.desk = Desk(self.store)
        self.dispatcher = Dispatcher()
        await self.intake.start(clock.now())
        await self.desk.load(clock.now())
        await self.store.know_channels(names, clock.now())
        self.operator = Operator(self.store, clock, self._random, self.dispatcher, self.desk)
        news = News(self._take_own, clock, _fail)
        renderer = Renderer([], clock=clock)
        healths = await self.store.healths()
        self.dispatcher.loops = {
            channel.name: ChannelLoop(
                Sender(channel, renderer, self._http, clock),
                self.store,
                clock,
                self._random,
                news,
                healths.get(channel.name),
                scene=self.scene,
                look_again=24 * 3600.0,
            )
            for channel in channels
        }
        self.dispatcher.start()

    def setting(self) -> Setting:
        """What intake works by."""
        told = self.scenario
        rules = Rules(
            Router(told.rules, list(told.channels), expression), Inhibitions(told.inhibit), told.times
        )
        watched = {Watch(c, w): SOURCES for c in CLUSTERS for w in WATCHERS}
        return Setting(told.policy, rules, watched)

    async def _take_own(self, report: Report) -> None:
        """What the relay tells of itself is no part of these scenarios."""

    def scene(self) -> Scene:
        rules = self.intake.setting.rules
        return Scene(
            self.intake.by_id,
            self.desk.silences,
            self.desk.acknowledged,
            rules.router.rules,
            rules.times,
        )

    async def _end(self) -> None:
        for task in self.dispatcher._tasks.values():
            task.cancel()
        await asyncio.gather(*self.dispatcher._tasks.values(), return_exceptions=True)
        await asyncio.to_thread(self.store.close)

    async def restart(self) -> None:
        """What a kill leaves: the store, and nothing of what was in memory."""
        await self._end()
        await self._begin()

    async def find(self, subject: str) -> str:
        """The id of the open alert, or of the event, that is about this."""
        for alert in self.intake.alerts:
            if alert.subject.name == subject:
                return alert.id
        found = await self.store.list_events(_EVERYTHING)
        return next(event.id for _, _, event in found if event.subject.name == subject)

    async def rest(self) -> None:
        """Let everything run that can run without time passing."""
        async with asyncio.timeout(_PATIENCE):
            for _ in range(3):
                await settle()
                while self.store.busy:
                    await asyncio.sleep(0.0005)
                    await settle()

    async def go(self, seconds: float) -> None:
        """Let time pass up to this moment."""
        end = self.scenario.start + timedelta(seconds=seconds)
        await self.rest()
        while True:
            alarms = sorted(when for when, _, alarm in self.clock._alarms if not alarm.done())
            left = (end - self.clock.now()).total_seconds()
            step = min(left, alarms[0] - self.clock._elapsed) if alarms else left
            await self.clock.advance(max(0.0, step))
            await self.rest()
            if step >= left:
                return

    async def step(self, step: Step) -> None:
        """Play one step."""
        await self.go(step.seconds)
        if step.do is not None:
            await step.do(self)
            await self.rest()
        if step.told is not None:
            new, self._checked = self.got[self._checked :], len(self.got)
            told: dict[str, list[str]] = {}
            for channel, id, body in new:
                (sent,) = [each for each in await self.store.find_deliveries(id) if each.id == id]
                told.setdefault(channel, []).append(shorthand(body, sent))
            wanted = {name: list(lines) for name, lines in step.told.items() if lines}
            if self.loose:
                told, wanted = _loose(told), _loose(wanted)
            assert told == wanted, f"by {step.seconds:g} s:\n told {told}\n not  {wanted}"


async def play(told: Scenario, folder: Path, kills: frozenset[int] = frozenset()) -> None:
    """Play a scenario, killed after the steps of these numbers."""
    async with Play(told, folder) as running:
        for number, step in enumerate(told.steps):
            await running.step(step)
            if number in kills:
                running.loose = running.loose or bool(running.down)
                await running.restart()


def _loose(told: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """What was told, whatever the order and the packing."""
    return {
        name: sorted(part for line in lines for part in re.sub(r"^\w+( \d/\d)?: ", "", line).split(" | "))
        for name, lines in told.items()
    }


def _fail(error: Exception) -> None:
    raise AssertionError(str(error))


CLUSTERS = ("prod", "lab")
WATCHERS = ("ping", "nginx_status", "cluster_status", "changefeed")
SOURCES = ("r1", "r2", "r3", "r9", "all")
_EVERYTHING = Filter(limit=1000)
