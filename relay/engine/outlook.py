"""What would become of an event, and why a delivery is where it is. Pure.

Nothing is decided here: planning says which deliveries there would be, review what would hold them back.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from relay.engine.draft import Rules, World
from relay.engine.gate import opens_at
from relay.engine.holding import Hold, held_back
from relay.engine.inhibition import Inhibition
from relay.engine.planning import foresee
from relay.engine.rules import Rule
from relay.engine.scene import Scene
from relay.model.alert import Alert
from relay.model.delivery import (
    HELD_BACK,
    ChannelHealth,
    ChannelState,
    Delivery,
    DeliveryState,
    Reason,
)
from relay.model.event import Event, Status
from relay.model.silence import Silence

_ALIVE = timedelta(minutes=3)
"""A relay that has not written for so long does not run, or cannot write."""


@dataclass(frozen=True, slots=True)
class Way:
    """A delivery that there would be, and what would hold it back when it is due.

    ``rule`` is None where the relay tells of itself by no rule. ``joins`` tells that others of its group
    are gathered, or were told, already.
    """

    delivery: Delivery
    rule: Rule | None
    hold: Hold | None
    joins: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would become of an event: its ways, the silences that speak of it, and what could cover it."""

    ways: Sequence[Way]
    silences: Sequence[Silence]
    covers: Sequence[tuple[Inhibition, Sequence[Alert]]] = ()


def outlook(event: Event, world: World, rules: Rules, scene: Scene, at: datetime) -> Outlook:
    """Return what would become of an event that is taken in at a time."""
    alert, deliveries = foresee(event, world, rules, at)
    if alert is not None:
        scene = replace(scene, alerts={**scene.alerts, alert.id: alert})
    # Only what begins can be covered.
    firing = alert if event.status is Status.FIRING else None
    gathering = {group.id for group in world.groups.values()}
    return Outlook(
        [
            Way(
                each,
                rules.router.rules.get(each.rule),
                _hold(each, event, scene, at),
                each.gathered and each.thread in gathering,
            )
            for each in deliveries
        ],
        scene.silences.matching(event),
        () if firing is None else rules.inhibitions.ways(firing, world.alerts.values()),
    )


def _hold(made: Delivery, event: Event, scene: Scene, at: datetime) -> Hold | None:
    if made.state is DeliveryState.INHIBITED and made.finished_at is not None:
        return Hold(made.state, None, made.note or "")
    return held_back(made, event, scene, made.due_at if made.state is DeliveryState.PENDING else at)


@dataclass(frozen=True, slots=True)
class Look:
    """What has to be known to say why a delivery is where it is.

    ``health`` is its channel's, None if that is not configured. ``queue`` are the unfinished deliveries of
    its thread in its channel, ``into`` the one that tells it with others, ``alive`` when a relay last wrote
    that it runs. ``say`` returns a time as text.
    """

    now: datetime
    scene: Scene
    events: Mapping[str, Event]
    health: ChannelHealth | None
    say: Callable[[datetime], str]
    queue: Sequence[Delivery] = ()
    into: Delivery | None = None
    alive: datetime | None = None
    covers: Mapping[str, Sequence[Alert]] = field(default_factory=dict)


def why(delivery: Delivery, look: Look) -> list[str]:
    """Say why a delivery is where it is, what it waits for, and what would help."""
    if delivery.finished_at is not None or delivery.state is DeliveryState.HELD:
        return list(_finished(delivery, look))
    return [*_waiting(delivery, look), *_as_of_now(delivery, look), *_asleep(look)]


def _finished(delivery: Delivery, look: Look) -> Iterator[str]:
    at = "" if delivery.finished_at is None else f" at {look.say(delivery.finished_at)}"
    again = f"msr-relay deliveries replay {delivery.id} sends it"
    match delivery.state:
        case DeliveryState.DELIVERED:
            yield f"Every target has taken it{at}."
        case DeliveryState.PARTIAL:
            yield f"Some targets have taken it{at}; the others refused it for good: {delivery.last_error}."
        case DeliveryState.DEAD:
            yield f"It was refused for good{at}: {delivery.last_error}."
            yield f"Mend the cause; then {again}."
        case DeliveryState.HELD:
            yield f"Channel {delivery.channel} is not configured: it goes out when that is there again."
        case DeliveryState.GROUPED:
            state = "" if look.into is None else f", which is {look.into.state}"
            yield f"{delivery.merged_into} tells it together with others{state}."
        case DeliveryState.SUPERSEDED:
            yield f"Nothing was left to say{at}: {delivery.note}."
        case DeliveryState.SILENCED:
            yield f"It was silenced{at} by {delivery.note}."
            yield f"A one-off event stays so, even when the silence ends; {again} all the same."
        case DeliveryState.INHIBITED:
            yield f"It was not sent by itself: {delivery.note}."
            yield f"msr-relay alerts show says who was told of that alert; {again} all the same."
        case _:
            yield f"It ended as {delivery.state}{at}: {delivery.note}."


def _waiting(delivery: Delivery, look: Look) -> Iterator[str]:
    due = look.say(delivery.due_at)
    if delivery.state in HELD_BACK:
        yield f"It is held back ({delivery.state}): {delivery.note or 'a larger alert covers it'}."
        yield f"It is looked at again at {due}, or when that changes."
        return
    if delivery.due_at > look.now:
        yield f"It waits until {due}: {_until_due(delivery)}."
        return
    yield from _blocked(delivery, look)


def _until_due(delivery: Delivery) -> str:
    if delivery.attempts:
        return f"attempt {delivery.attempts} failed ({delivery.last_error}), and it is tried again then"
    if delivery.reason is Reason.REPEAT:
        return "then it tells again what still fires"
    if delivery.reason is Reason.ESCALATION:
        return "then it goes out, unless it is over or acknowledged"
    if delivery.gathered:
        return "until then its group gathers what is told with it"
    return "its rule tells it only if it still fires then"


def _blocked(delivery: Delivery, look: Look) -> Iterator[str]:
    """Say what keeps a delivery that is due from being sent."""
    health = look.health
    if health is None:
        yield f"It is due, but channel {delivery.channel} is not configured."
        return
    if health.state is ChannelState.DISABLED:
        by = f" by {health.by}" if health.by else ""
        reason = f": {health.reason}" if health.reason else ""
        yield f"It is due, but channel {delivery.channel} is disabled{by}{reason}."
        yield f"msr-relay channels enable {delivery.channel} lets it go out."
        return
    opens = opens_at(health, look.now) or look.now
    shut = health.state is not ChannelState.WORKING
    if shut or opens > look.now:
        state = f"is {health.state}" if shut else "has asked to be left alone"
        reason = f" ({health.reason})" if health.reason else ""
        again = look.say(max(opens, look.now))
        yield f"It is due, but channel {delivery.channel} {state}{reason}; it is tried again at {again}."
        shut = True
    first = next((each for each in look.queue if each.seq < delivery.seq and not each.gathered), None)
    if first is not None:
        yield f"{first.id} of the same thread goes first, and is {first.state}: nothing overtakes it."
    elif not shut:
        yield "It is due: it goes out as soon as its channel comes to it."


def _as_of_now(delivery: Delivery, look: Look) -> Iterator[str]:
    """Say what would become of it if it were looked at now."""
    told = [look.events[id] for id in delivery.events if id in look.events]
    if not told:
        yield "The events that it tells are no longer kept."
    if delivery.replay_of is not None:
        # Somebody wanted it sent: nothing but its receiver holds it back.
        return
    holds = [held_back(delivery, event, look.scene, look.now) for event in told]
    kept = Counter((hold.state, hold.note) for hold in holds if hold is not None)
    for (state, note), count in sorted(kept.items()):
        what = "it" if len(told) == 1 else f"{count} of its {len(told)} events"
        yield f"Looked at {look.say(look.now)}, {what} would be held back ({state}): {note}."
    if told and not kept and delivery.state in HELD_BACK:
        yield f"Looked at {look.say(look.now)}, nothing would hold it back."
    for alert in (each.alert for each in told if each.alert):
        for other in look.covers.get(alert, ()):
            yield f"{other.id} covers it: {other.summary}."


def _asleep(look: Look) -> Iterator[str]:
    if look.alive is None or look.now - look.alive > _ALIVE:
        since = "" if look.alive is None else f": the last one was alive at {look.say(look.alive)}"
        yield f"No relay seems to run on this store{since}."
