"""Why an event goes where it goes: what every rule says to it, who gets it, when, and what holds it back.

Pure: what the store knows is handed in, and so is the time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from relay.config import format_duration
from relay.engine.draft import Rules, World
from relay.engine.given import Found
from relay.engine.inhibition import Inhibition
from relay.engine.intervals import Times, muted, muted_until
from relay.engine.matching import words
from relay.engine.outlook import Outlook, Way, outlook
from relay.engine.routing import OWN_RULE, Verdict
from relay.engine.rules import Rule
from relay.engine.scene import Scene, standing
from relay.model.alert import Alert
from relay.model.delivery import DeliveryState, Reason
from relay.model.event import Status
from relay.model.plan import Group

GROUPS: Final = timedelta(days=7)
"""Groups that were told so long ago have no say any more."""
_YEAR: Final = timedelta(days=366)

Say = Callable[[datetime], str]
"""Returns a time as people read it."""


@dataclass(frozen=True, slots=True)
class Muting:
    """A rule's times: the intervals that it names, and until when they mute it, None where they do not."""

    mute_during: Sequence[str] = ()
    active_during: Sequence[str] = ()
    until: datetime | None = field(default=None)

    @classmethod
    def of(cls, rule: Rule | None, times: Times, at: datetime) -> "Muting":
        """Return how a rule stands at a time."""
        if rule is None:
            return cls()
        until = muted_until(rule, times, at, _YEAR) if muted(rule, times, at) else None
        return cls(rule.mute_during, rule.active_during, until)


@dataclass(frozen=True, slots=True)
class Explained:
    """What becomes of an event at a time.

    ``digests`` says per channel after which outage it gets one message for all that waits. ``store`` tells
    whether there is a store: without one, silences and open alerts are not known.
    """

    found: Found
    verdicts: Sequence[Verdict]
    seen: Outlook
    times: Times
    digests: Mapping[str, timedelta | None]
    at: datetime
    store: bool = True


def explain(
    found: Found,
    rules: Rules,
    scene: Scene,
    groups: Sequence[Group],
    digests: Mapping[str, timedelta | None],
    at: datetime,
    *,
    store: bool = True,
) -> Explained:
    """Return what would become of an event that is taken in at a time."""
    alerts = {alert.fingerprint: alert for alert in scene.alerts.values()}
    world = World(alerts, groups={group.key: group for group in groups})
    seen = outlook(found.event, world, rules, scene, at)
    return Explained(found, rules.router.explain(found.event), seen, rules.times, digests, at, store)


def why(verdict: Verdict) -> tuple[str, str]:
    """Return what a rule says, ``matches``, ``no`` or ``not reached``, and why."""
    if not verdict.reached:
        return "not reached", "a rule above stops"
    if verdict.misses:
        return "no", "; ".join(verdict.misses)
    why = f"→ {', '.join(verdict.channels)}" if verdict.channels else "its channels have it already"
    return "matches", why


def remarks(explained: Explained) -> Iterator[str]:
    """Yield what is to be known before the ways are read."""
    if any(way.delivery.rule == OWN_RULE for way in explained.seen.ways):
        yield "The relay tells this about itself: without a rule for its type it goes to every other channel."
    if explained.found.event.status is Status.RESOLVED:
        yield "The end of an alert goes to those who were told its beginning."


def sentence(explained: Explained, way: Way) -> tuple[str, str]:
    """Return what comes before and after a channel's name in the sentence about a way."""
    delivery, rule = way.delivery, way.rule
    if delivery.reason is Reason.ESCALATION:
        # What a larger alert covers is not looked at when it is due, but later.
        known = delivery.state is not DeliveryState.INHIBITED
        wait = format_duration(delivery.due_at - explained.at) if known else "a while"
        return "Unless acknowledged or over, ", f" hears of it after {wait}, by rule {delivery.rule}."
    template = "" if delivery.template is None else f", with template {delivery.template}"
    firing = explained.found.event.status is Status.FIRING
    after = (
        f", if it still fires after {format_duration(rule.after)}" if rule and rule.after and firing else ""
    )
    return "It goes to ", f"{template}{after}."


def notes(explained: Explained, way: Way, say: Say) -> Iterator[str]:
    """Yield what else there is to know of a way."""
    rule, delivery = way.rule, way.delivery
    if way.hold is not None:
        again = "for good" if way.hold.until is None else f"looked at again {say(way.hold.until)}"
        yield f"held back ({way.hold.state}), {again}: {way.hold.note}"
    first = delivery.reason is not Reason.ESCALATION
    if first and delivery.gathered and rule is not None and rule.group is not None:
        having = ", ".join(f"{name}: {value or '-'}" for name, value in (delivery.group or {}).items())
        wait, interval = map(format_duration, (rule.group.wait, rule.group.interval))
        joins = "; it joins a group that there is" if way.joins else ""
        yield f"gathered with everything of {having or 'its rule'}{joins}"
        yield f"told together after {wait}, at most every {interval}: due {say(delivery.due_at)}"
    if first and rule is not None and rule.repeat is not None and _firing(explained):
        yield f"told again every {format_duration(rule.repeat)} while it fires"
    muting = Muting.of(rule, explained.times, explained.at)
    for name, intervals in (
        ("muted during", muting.mute_during),
        ("active only during", muting.active_during),
    ):
        if intervals:
            now = "not muted now" if muting.until is None else f"muted until {say(muting.until)}"
            yield f"{name} {', '.join(intervals)}: {now}"
    digest = explained.digests.get(delivery.channel)
    if first and digest is not None:
        yield f"after an outage of its channel of over {format_duration(digest)}: with all else that waits"


def surroundings(explained: Explained, say: Say) -> Iterator[str]:
    """Yield what there is that speaks of the event: silences, and alerts that could cover it."""
    for each in explained.seen.silences:
        until = f"until {say(each.ends_at)}"
        state = standing(each, explained.at)
        yield f"Silence {each.id} matches it ({state}, {until}): {each.author}: {each.comment}"
    if explained.store and not explained.seen.silences:
        yield "No silence matches it."
    for inhibition, alerts in explained.seen.covers:
        yield f"It is not told while {larger(inhibition)} fires{_now(alerts, store=explained.store)}."


def _firing(explained: Explained) -> bool:
    return explained.found.event.status is Status.FIRING


def larger(inhibition: Inhibition) -> str:
    """Return in words which alert covers others."""
    if inhibition.rule is None:
        return "watch.failing of the whole cluster"
    source = words(inhibition.rule.source.model_dump(mode="json", exclude_defaults=True)) or "anything"
    equal = f", with the same {' and '.join(inhibition.equal)}" if inhibition.equal else ""
    return f"an alert ({source}{equal})"


def _now(alerts: Sequence[Alert], *, store: bool) -> str:
    if alerts:
        return ", and now does " + ", ".join(f"{each.id} ({each.summary})" for each in alerts)
    return ": none does now" if store else ""
