"""What the relay tells about itself: it takes the same way as everything else, through intake."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

import structlog

from relay.channels import Channel
from relay.model import details as d
from relay.model.catalogue import CATALOGUE
from relay.model.clock import Clock
from relay.model.delivery import ChannelHealth, ChannelState, Delivery
from relay.model.errors import StoreError
from relay.model.event import Event, Subject, SubjectKind
from relay.model.observation import Condition, Fact, Report, Watch
from relay.render import TemplateError

_log = structlog.get_logger("relay.news")

Take = Callable[[Report], Awaitable[None]]

_STORE_PAUSE = 1.0
_DEAD_PER_HOUR = 10
"""How many dead deliveries of one channel are told singly in an hour; the rest is told as one event."""


class News:
    """Turns what happens inside the relay into reports.

    None of its methods raises StoreError: it waits until the store works, for much of it is said once.
    """

    def __init__(
        self,
        take: Take,
        clock: Clock,
        store_failed: Callable[[StoreError], None],
        broken_templates: Iterable[str] = (),
    ) -> None:
        self._take = take
        self._clock = clock
        self.store_failed = store_failed
        self._broken = set(broken_templates)
        self._turn = asyncio.Lock()
        self._dead: dict[tuple[str, str], int] = defaultdict(int)

    async def channel_turned(self, channel: Channel, health: ChannelHealth, waiting: int) -> None:
        """Report whether a channel takes messages."""
        conditions: tuple[Condition, ...] = ()
        if health.state is not ChannelState.WORKING:
            conditions = (_channel_trouble(channel, health, waiting),)
        # A disabled channel has not recovered: what was told of it before ends when it works again.
        complete = health.state is not ChannelState.DISABLED
        await self._report("channels", channel.name, conditions, complete=complete)

    async def delivery_dead(self, delivery: Delivery, events: Sequence[Event], reason: str) -> None:
        """Report that a receiver refused a message for good, and what the message was."""
        if all(CATALOGUE[event.type].about_relay for event in events):
            # Else two channels that refuse everything would tell each other for ever.
            _log.error("the relay's own message was refused", delivery=delivery.id, reason=reason)
            return
        now = self._clock.now()
        hour = f"{now:%Y-%m-%dT%H}"
        self._dead = defaultdict(int, {key: n for key, n in self._dead.items() if key[1] == hour})
        self._dead[delivery.channel, hour] += 1
        many = self._dead[delivery.channel, hour] > _DEAD_PER_HOUR
        fact = _many_dead(delivery, hour, now, reason) if many else _one_dead(delivery, events, reason, now)
        await self._report("channels", delivery.channel, (), (fact,), complete=False)

    async def template_used(self, template: str, error: TemplateError | None) -> None:
        """Report a template that cannot be rendered, once, and that it works again."""
        if (error is not None) == (template in self._broken):
            return
        if error is None:
            self._broken.discard(template)
            await self._report("templates", template, ())
            return
        self._broken.add(template)
        condition = Condition(
            type="template.failing",
            identity=(template,),
            subject=Subject(SubjectKind.TEMPLATE, template),
            summary=f"Template {template} cannot be rendered",
            details=d.TemplateTrouble(template=template, error=str(error)).plain(),
            source=template,
        )
        await self._report("templates", template, (condition,))

    async def heartbeat_turned(
        self, name: str, failures: int, reason: str, arrived_at: datetime | None
    ) -> None:
        """Report a dead man's switch that cannot be reached; no failures: it was reached."""
        conditions: tuple[Condition, ...] = ()
        if failures:
            condition = Condition(
                type="heartbeat.failing",
                identity=(name,),
                subject=Subject(SubjectKind.RELAY, name),
                summary=f"Heartbeat {name} does not arrive",
                details=d.HeartbeatTrouble(
                    heartbeat=name, reason=reason, failures=failures, arrived_at=arrived_at
                ).plain(),
                source=name,
            )
            conditions = (condition,)
        await self._report("heartbeats", name, conditions)

    async def config_rejected(self, path: str, problems: Sequence[str]) -> None:
        """Report a changed configuration that cannot be used; no problems: it is good again."""
        conditions: tuple[Condition, ...] = ()
        if problems:
            condition = Condition(
                type="config.rejected",
                identity=(path,),
                subject=Subject(SubjectKind.CONFIGURATION, path),
                summary=f"The changed configuration {path} was rejected; the old one goes on",
                details=d.ConfigTrouble(path=path, problems=list(problems)).plain(),
                source=path,
            )
            conditions = (condition,)
        await self._report("configuration", path, conditions)

    async def _report(
        self,
        watcher: str,
        source: str,
        conditions: tuple[Condition, ...],
        facts: tuple[Fact, ...] = (),
        *,
        complete: bool = True,
    ) -> None:
        report = Report(
            Watch(None, watcher), self._clock.now(), (source,), conditions, facts, complete=complete
        )
        # One after the other: that a channel fails must not be told after that it works.
        async with self._turn:
            while True:
                try:
                    return await self._take(report)
                except StoreError as error:
                    self.store_failed(error)
                    await self._clock.sleep(_STORE_PAUSE)


def _channel_trouble(channel: Channel, health: ChannelHealth, waiting: int) -> Condition:
    disabled = health.state is ChannelState.DISABLED
    who = f" by {health.by}" if health.by else ""
    state = {
        ChannelState.DISABLED: f"is disabled{who}",
        ChannelState.HELD: "is refused by its receiver",
    }.get(health.state, "does not take messages")
    return Condition(
        type="channel.disabled" if disabled else "channel.failing",
        identity=(channel.name,),
        subject=Subject(SubjectKind.CHANNEL, channel.name),
        summary=f"Channel {channel.name} {state}",
        details=d.ChannelTrouble(
            channel=channel.name,
            kind=channel.kind,
            state=health.state,
            reason=health.reason,
            failures=health.failures,
            waiting=waiting,
        ).plain(),
        source=channel.name,
    )


def _one_dead(delivery: Delivery, events: Sequence[Event], reason: str, now: datetime) -> Fact:
    about = events[-1]
    return Fact(
        type="delivery.dead",
        identity=(delivery.id,),
        subject=Subject(SubjectKind.DELIVERY, delivery.channel),
        summary=f"Channel {delivery.channel} refused for good: {about.summary}",
        happened_at=now,
        details=d.DeadDelivery(
            channel=delivery.channel,
            delivery=delivery.id,
            reason=reason,
            about=about.summary,
            about_type=about.type,
            attempts=delivery.attempts + 1,
        ).plain(),
    )


def _many_dead(delivery: Delivery, hour: str, now: datetime, reason: str) -> Fact:
    return Fact(
        type="delivery.dead",
        identity=(delivery.channel, hour),
        subject=Subject(SubjectKind.DELIVERY, delivery.channel),
        summary=f"Channel {delivery.channel} refused more than {_DEAD_PER_HOUR} messages for good this hour",
        happened_at=now,
        details=d.DeadDelivery(
            channel=delivery.channel,
            delivery=delivery.id,
            reason=reason,
            about="this and further messages of this hour, which are only listed",
            about_type="several",
            attempts=delivery.attempts + 1,
        ).plain(),
    )
