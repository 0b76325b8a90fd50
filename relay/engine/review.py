"""The last look before something is sent: is it still true, still wanted, and better told with others?

Everything that waits is decided here, when it is due: silences, inhibition, mute times, acknowledgement,
groups, repeats, ends that overtake their beginnings, digests after an outage. Pure: time, what holds (the
scene) and what waits are handed in; what comes out is written before anything is sent.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from relay.engine.holding import Hold, finish, held_back, put_off
from relay.engine.reminders import refresh
from relay.engine.scene import Scene
from relay.model.catalogue import stands_for
from relay.model.delivery import HELD_BACK, Delivery, DeliveryState, Reason
from relay.model.event import Event, Status
from relay.model.ids import stable_id
from relay.model.plan import Rewrite
from relay.store import Claim, Waiting

LISTED = 1000
"""So many events one message holds at the most; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of a group fits into one message of a channel: ``most`` bytes (None: everything).

    ``size`` returns the bytes that an event takes.
    """

    most: int | None = None
    size: Callable[[Event], int] = field(default=lambda _event: 0)


@dataclass(frozen=True, slots=True)
class _Item:
    """One event of a delivery."""

    row: Delivery
    event: Event


def review(claim: Claim, scene: Scene, now: datetime, sizes: Sizes = Sizes()) -> Rewrite | None:
    """Return what has to become of what waits before this claim can be sent; None: send it as it is."""
    first = claim.delivery
    if first.replay_of is not None or not claim.events:
        return None
    if first.reason is Reason.REPEAT and not first.attempts:
        return refresh(claim, scene, now)
    if claim.waiting is None:
        hold = held_back(first, claim.events[0], scene, now)
        changed = _awake(first, now) if hold is None else [put_off(first, hold, now)]
        return Rewrite(tuple(changed)) if changed else None
    return _together(first, _picked(first, claim.waiting, now), claim.waiting, scene, now, sizes)


def digest(
    waiting: Waiting,
    oldest: timedelta,
    scene: Scene,
    now: datetime,
    sizes: Sizes = Sizes(),
) -> Rewrite | None:
    """Return the one message that tells what of a rule has waited longer than ``oldest``, if it is several.

    What is fresh goes by itself: it must not wait with something that the receiver never takes.
    """
    told = [each for each in waiting.deliveries if each.reason is not Reason.REPEAT or each.attempts]
    stale = {each.seq: each.thread for each in told if now - each.waiting_since > oldest}
    if len(stale) < 2:
        return None
    # What has come since about the same things says how they stand.
    found = [each for each in told if each.seq in stale or each.thread in stale.values()]
    thread = stable_id("dgs", *(each.id for each in found))
    return _together(found[0], found, waiting, scene, now, sizes, thread=thread)


def _picked(first: Delivery, waiting: Waiting, now: datetime) -> list[Delivery]:
    """Return what of a thread is told together with its first: what is due of a group, and what makes the
    first one untrue."""
    others = [each for each in waiting.deliveries if each.seq != first.seq]
    about = {waiting.events[id].alert for id in first.events if id in waiting.events} - {None}

    def joins(other: Delivery) -> bool:
        if other.reason is Reason.REPEAT and not other.attempts:
            return False
        due = other.due_at <= now
        # What was put together a moment ago, and is one message, takes in the rest of a large group.
        open_still = other.gathered or (other.reason is Reason.GROUP and other.parts == 1)
        if open_still and due and not first.attempts and not other.attempts:
            return True
        alerts = {waiting.events[id].alert for id in other.events if id in waiting.events}
        return bool(alerts & about) and (due or other.reason is not Reason.ESCALATION)

    return sorted([first, *filter(joins, others)], key=lambda each: each.seq)


def _together(
    first: Delivery,
    rows: Sequence[Delivery],
    waiting: Waiting,
    scene: Scene,
    now: datetime,
    sizes: Sizes,
    thread: str | None = None,
) -> Rewrite | None:
    items = [_Item(row, waiting.events[id]) for row in rows for id in row.events if id in waiting.events]
    told: list[list[Event]] = []
    holds: list[tuple[_Item, Hold]] = []
    notes: dict[int, str] = {}
    for about in _by_thread(items):
        unit = _unit(about, waiting, scene, now)
        told += [unit.told] if unit.told else []
        holds += [unit.held] if unit.held else []
        for item in about:
            notes.setdefault(item.row.seq, unit.note)
    tells = [event.id for unit in told for event in unit]
    telling = {row.seq: row for row in rows if set(row.events) & set(tells)}
    if len(telling) == 1 and (len(rows) == 1 or not any(row.more for row in rows)):
        (only,) = telling.values()
        if list(only.events) == tells:
            # The others have nothing to add: this one goes out by itself.
            rest = [row for row in rows if row.seq != only.seq]
            changed = [*_finished(rest, holds, notes, None, now), *_awake(only, now)]
            kept = [_kept_back(item, hold, now) for item, hold in holds if len(item.row.events) > 1]
            return Rewrite(tuple(changed), tuple(kept)) if changed else None
    more = sum(row.more for row in rows)
    added = _messages(first, told, more, now, sizes, thread)
    into = added[0].id if added else None
    changed = _finished(rows, holds, notes, into, now, told=frozenset(telling))
    kept = [_kept_back(item, hold, now) for item, hold in holds if len(item.row.events) > 1]
    return Rewrite(tuple(changed), (*added, *kept))


def _awake(row: Delivery, now: datetime) -> list[Delivery]:
    """Return the delivery as one that is to be sent now; nothing if it is that already."""
    if row.state is DeliveryState.PENDING and row.due_at <= now:
        return []
    return [replace(row, state=DeliveryState.PENDING, due_at=min(row.due_at, now), note=None)]


def _by_thread(items: Iterable[_Item]) -> list[list[_Item]]:
    found: dict[str, list[_Item]] = {}
    for item in items:
        found.setdefault(item.event.thread, []).append(item)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class _Unit:
    """What is now to be told of one thing, what of it is held back, and what to note of the rest."""

    told: list[Event] = field(default_factory=list)
    held: tuple[_Item, Hold] | None = None
    note: str = ""


def _unit(items: Sequence[_Item], waiting: Waiting, scene: Scene, now: datetime) -> _Unit:
    last = items[-1]
    alert = last.event.alert
    if alert is None:
        return _unless_held(last, scene, now)
    resolved = next((item for item in items if item.event.status is Status.RESOLVED), None)
    if resolved is not None:
        end: Event | None = resolved.event
    else:
        end = None if alert in scene.alerts else waiting.ended.get(alert)
    if end is None:
        return _unless_held(_as_it_stands(_latest(items), scene, now), scene, now, "there is newer to tell")
    if alert in waiting.told:
        over = "it is over"
        return _Unit(note=over) if resolved is None else _unless_held(resolved, scene, now, over)
    for item in items:
        hold = held_back(item.row, item.event, scene, now)
        if hold is None and (_could_have_gone(item) or _lists(item)):
            return _Unit([item.event, end])
        if hold is not None and hold.state is DeliveryState.MUTED and _lists(item):
            return _Unit(held=(item, hold))
    return _Unit(note="it was over before it could be told")


def _lists(item: _Item) -> bool:
    """Tell whether this is told though it is over, whenever it can be: what it lists is told nowhere else.

    A silence is another matter: it was meant for that, and what is silenced of one-off events stays so.
    """
    firing = item.event.status is Status.FIRING
    return firing and item.row.state is not DeliveryState.SILENCED and stands_for(item.event.type) is not None


def _unless_held(item: _Item, scene: Scene, now: datetime, note: str = "") -> _Unit:
    hold = held_back(item.row, item.event, scene, now)
    return _Unit([item.event], note=note) if hold is None else _Unit(held=(item, hold), note=note)


def _latest(items: Sequence[_Item]) -> _Item:
    """Return what says best how an alert stands: news goes before reminders."""
    for reasons in ((Reason.NEW, Reason.GROUP, Reason.DIGEST), (Reason.ESCALATION,)):
        fitting = [item for item in items if item.row.reason in reasons]
        if fitting:
            return fitting[-1]
    return items[-1]


def _as_it_stands(item: _Item, scene: Scene, now: datetime) -> _Item:
    """Return the item with what is true by now: the alert may have become graver, or less grave."""
    alert = scene.alerts.get(item.event.alert or "")
    if alert is None or alert.last_event in (None, item.event.id) or item.event.status is not Status.FIRING:
        return item
    return replace(item, event=replace(alert.event(Status.FIRING, now), id=alert.last_event))


def _could_have_gone(item: _Item) -> bool:
    """Tell whether only the receiver kept a firing from being told."""
    return (
        item.event.status is Status.FIRING
        and item.row.state not in HELD_BACK
        and item.row.reason is not Reason.REPEAT
    )


def _finished(
    rows: Iterable[Delivery],
    holds: Sequence[tuple[_Item, Hold]],
    notes: dict[int, str],
    merged_into: str | None,
    now: datetime,
    told: frozenset[int] = frozenset(),
) -> list[Delivery]:
    """Return what becomes of the rows: held back, told by another delivery, or of no use any more."""
    held = {item.row.seq: hold for item, hold in holds if len(item.row.events) == 1}
    found = []
    for row in rows:
        if row.seq in held:
            found.append(put_off(row, held[row.seq], now))
        elif merged_into is not None and (row.seq in told or row.more):
            found.append(finish(row, DeliveryState.GROUPED, None, now, merged_into))
        else:
            found.append(finish(row, DeliveryState.SUPERSEDED, notes.get(row.seq) or "nothing to tell", now))
    return found


def _kept_back(item: _Item, hold: Hold, now: datetime) -> Delivery:
    """Return what keeps one event of a message that was already put together, for later."""
    row = item.row
    made = replace(
        row,
        id=stable_id("dlv", row.id, item.event.id),
        events=(item.event.id,),
        created_at=now,
        attempts=0,
        settled=(),
        delivered_to=(),
        receipt=None,
        last_error=None,
        reason=Reason.NEW,
        gathered=True,
        more=0,
        part=1,
        parts=1,
    )
    return put_off(made, hold, now)


def _messages(
    first: Delivery,
    told: Sequence[Sequence[Event]],
    more: int,
    now: datetime,
    sizes: Sizes,
    thread: str | None,
) -> list[Delivery]:
    """Return the deliveries that tell these together: one, or as many parts as the channel needs.

    ``thread`` is that of a digest, None for what stays in the thread of the first.
    """
    one = len(told) == 1 and not more
    reason = Reason.GROUP if first.group is not None or first.reason is Reason.GROUP else Reason.NEW
    if thread is not None and not one:
        reason = Reason.DIGEST
    if one and len(told[0]) == 1 and first.reason is Reason.ESCALATION:
        reason = Reason.ESCALATION
    pages = _pages(told, sizes)
    made = []
    for part, page in enumerate(pages, 1):
        listed, rest = _listed(page)
        events = tuple(event.id for unit in listed for event in unit)
        own = page[0][-1].thread if one else thread
        made.append(
            Delivery(
                id=stable_id("dlv", thread or first.thread, first.channel, first.id, str(part), *events),
                channel=first.channel,
                rule=first.rule,
                thread=first.thread if thread is None or own is None else own,
                events=events,
                created_at=now,
                due_at=now,
                template=first.template,
                reason=reason,
                group=first.group if thread is None else None,
                more=rest + (more if part == len(pages) else 0),
                part=part,
                parts=len(pages),
            )
        )
    return made


def _listed(page: Sequence[Sequence[Event]]) -> tuple[list[Sequence[Event]], int]:
    """Return what of a message is kept one by one, the worst if there is too much, and how much is not."""
    if len(page) <= LISTED:
        return list(page), 0
    worst = sorted(range(len(page)), key=lambda at: -max(event.severity.rank for event in page[at]))
    kept = [page[at] for at in sorted(worst[:LISTED])]
    return kept, len(page) - len(kept)


def _pages(told: Sequence[Sequence[Event]], sizes: Sizes) -> list[list[Sequence[Event]]]:
    if not told:
        return []
    pages: list[list[Sequence[Event]]] = [[]]
    used = 0
    for unit in told:
        size = sum(map(sizes.size, unit))
        if sizes.most is not None and pages[-1] and used + size > sizes.most:
            pages.append([])
            used = 0
        pages[-1].append(unit)
        used += size
    return pages
