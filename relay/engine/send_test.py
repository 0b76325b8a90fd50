"""A test message to one channel, past rules and outbox."""

import random
from dataclasses import dataclass, replace

from relay.engine.sending import Sender, Try
from relay.model.clock import Clock
from relay.model.delivery import Delivery, Outcome
from relay.model.event import Event, Subject, SubjectKind
from relay.model.ids import random_id
from relay.store import Claim

TEST = "relay.test"
_RULE = "send-test"


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test message went: the id that the receiver saw, and the try."""

    channel: str
    kind: str
    delivery: str
    tried: Try

    @property
    def arrived(self) -> bool:
        """Tell whether every target took it."""
        outcomes = {each.outcome for each in self.tried.result.sent.targets}
        return self.tried.result.outcome is Outcome.DELIVERED and outcomes <= {Outcome.DELIVERED}


async def send_test(sender: Sender, event: Event, by: str, clock: Clock, source: random.Random) -> Trial:
    """Send an event to a channel, once; nothing of it is kept."""
    channel = sender.channel
    told = _fresh(event, channel.name, by, clock, source)
    now = clock.now()
    delivery = Delivery(
        random_id("dlv", source), channel.name, _RULE, told.thread, (told.id,), created_at=now, due_at=now
    )
    tried = await sender.attempt(Claim(delivery, (told,)))
    return Trial(channel.name, channel.kind, delivery.id, tried)


def _fresh(event: Event, channel: str, by: str, clock: Clock, source: random.Random) -> Event:
    """Return the test of this channel, now; another event goes out as it is, under an id of its own."""
    event = replace(event, id=random_id("evt", source))
    if event.type != TEST:
        # The same alert twice would end up in the thread of the real one.
        return event if event.alert is None else replace(event, alert=random_id("alr", source))
    now = clock.now()
    return replace(
        event,
        subject=Subject(SubjectKind.CHANNEL, channel),
        happened_at=now,
        seen_at=now,
        details={**event.details, "channel": channel, "sent_by": by},
    )
