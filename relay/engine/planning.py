"""Planning: from a report to everything that becomes true because of it. Pure: no I/O, no clock."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from relay.engine.deletions import FEED, Account, Deletions, memo, telling
from relay.engine.draft import Draft, Rules, World
from relay.engine.instead import listed
from relay.engine.lifecycle import advance, elapse, end, lately, of_watch
from relay.engine.policy import Policy
from relay.engine.sight import SIGHT, Sight
from relay.model.alert import Alert, AlertState
from relay.model.catalogue import stands_for
from relay.model.delivery import Delivery
from relay.model.event import Event, Status, Subject
from relay.model.hook_types import posted
from relay.model.ids import stable_id
from relay.model.observation import Fact, Report, Watch
from relay.model.plan import Plan
from relay.model.text import storable, storable_tree

_KEPT = timedelta(days=1)
_MANY = 1000
"""So many groups are remembered before those are forgotten that nobody has joined for a day."""


def event_of(fact: Fact, report: Report, policy: Policy) -> Event:
    """Return the event of a fact; its id depends only on the cluster, the type and the fact's identity."""
    cluster = report.watch.cluster
    about = policy.about(cluster)
    return Event(
        id=stable_id("evt", cluster or "", fact.type, *fact.identity),
        type=fact.type,
        status=Status.EVENT,
        cluster=cluster,
        severity=policy.severity(fact.type, fact.severity),
        subject=_storable(fact.subject),
        summary=storable(fact.summary),
        happened_at=fact.happened_at,
        seen_at=report.at,
        labels=about.labels,
        annotations=about.annotations,
        details=_storable_details(fact.details),
    )


def _storable_details(details: Mapping[str, Any]) -> Mapping[str, Any]:
    # Nearly all text is storable: only what proves not to be is gone through.
    try:
        written = to_json(details)
    except PydanticSerializationError:
        return storable_tree(details)  # type: ignore[no-any-return]
    return storable_tree(details) if b"\\u0000" in written else details


def _storable(subject: Subject) -> Subject:
    name, gun = storable(subject.name), None if subject.gun is None else storable(subject.gun)
    return subject if (name, gun) == (subject.name, subject.gun) else replace(subject, name=name, gun=gun)


def plan(
    report: Report,
    events: Iterable[Event],
    known: Collection[str],
    world: World,
    policy: Policy,
    rules: Rules,
) -> tuple[Plan, World]:
    """Return what a report makes true, and the world after it.

    ``events`` are those of the report's facts, in their order, ``known`` the ids of those that the store
    already has, or that are to wait.
    """
    world = replace(world, recent=lately(world.recent, report.at, policy))
    draft = Draft(world, rules, report.at)
    for event in report.events:
        draft.tell(replace(event, severity=policy.severity(event.type, None)))
    cluster = report.watch.cluster
    account = _account(cluster, report.at, world, policy)
    for fact, event in zip(report.facts, events, strict=True):
        if event.id in known:
            continue
        alert = account.take(event)
        if alert is None:
            draft.tell(event, fact.channels)
        else:
            draft.cover(event, alert)
    sights = dict(world.sights)
    readable = False
    if cluster is not None:
        sight = sights.get(cluster) or Sight(cluster, policy.failures_of(cluster))
        sights[cluster] = sight = sight.after(report)
        _look_around(sight, report, world, policy, draft)
        draft.remember(cluster, world.sights.get(cluster), sight)
        readable = report.watch.watcher == FEED and report.complete and sight.reads(FEED)
    world = _count_deletions(account, cluster, world, draft, readable=readable)
    mine = of_watch(world.alerts.values(), report.watch)
    draft.apply_all(advance(mine, report, policy, world.recent))
    if report.complete:
        draft.release(mine.values())
    # The relay's own troubles, and what is posted, are told when they turn: no later look will come.
    draft.release(each for each in world.alerts.values() if each.inhibited and _told_once(each))
    return _finish(draft, report, world, sights)


def foresee(event: Event, world: World, rules: Rules, at: datetime) -> tuple[Alert | None, list[Delivery]]:
    """Return the deliveries that an event would make if it were taken in at a time, in the rules' order.

    With them the alert that it begins or ends, marked as covered if a larger one that fires covers it; None
    for a one-off event. An end goes to those who would be told the beginning. Nothing comes of it.
    """
    draft = Draft(world, rules, at)
    if event.status is Status.EVENT:
        covering = telling(event, world.alerts.values())
        if covering is None:
            draft.tell(event)
        else:
            draft.cover(event, covering.id)
        return None, list(draft.deliveries.values())
    for each in listed(event) if stands_for(event.type) else ():
        draft.borrow(event.thread, rules.router.route(each))
    fired = draft.fire(_alert_of(event, at))
    if event.status is Status.RESOLVED:
        draft = Draft(world, rules, at)
        draft.resolve(replace(fired, state=AlertState.RESOLVED, ends_at=event.ends_at or at))
    return fired, list(draft.deliveries.values())


def _alert_of(event: Event, at: datetime) -> Alert:
    return Alert(
        id=event.thread,
        fingerprint=event.thread,
        type=event.type,
        cluster=event.cluster,
        watcher="",
        source="",
        state=AlertState.FIRING,
        severity=event.severity,
        subject=event.subject,
        summary=event.summary,
        starts_at=event.starts_at or event.happened_at,
        fired_at=at,
        labels=event.labels,
        annotations=event.annotations,
        details=event.details,
    )


def close(
    alerts: Iterable[Alert], at: datetime, because: str, world: World, rules: Rules
) -> tuple[Plan, World]:
    """Return the end of alerts whose condition nobody looks at any more, and the world after it."""
    draft = Draft(world, rules, at)
    for alert in alerts:
        draft.apply(end(alert, at, because))
    report = Report(Watch(None, "configuration"), at, ())
    return _finish(draft, report, world, dict(world.sights))


def pass_time(at: datetime, world: World, policy: Policy, rules: Rules) -> tuple[Plan, World]:
    """Return what becomes true of the relay's own alerts because time passes, and the world after it.

    What the relay sees of itself, and what others post, is reported only when it changes; in between no look
    lets it settle. And mass deletions are told in intervals, whether the cluster can be read or not.
    """
    draft = Draft(world, rules, at)
    for cluster in world.deletions:
        account = _account(cluster, at, world, policy)
        world = _count_deletions(account, cluster, world, draft, readable=False)
    draft.apply_all(elapse([alert for alert in world.alerts.values() if _told_once(alert)], at, policy))
    return _finish(draft, Report(Watch(None, "time"), at, ()), world, dict(world.sights))


def _told_once(alert: Alert) -> bool:
    """Tell whether an alert is reported only when it turns."""
    return alert.cluster is None or posted(alert.type)


def _look_around(sight: Sight, report: Report, world: World, policy: Policy, draft: Draft) -> None:
    """Advance the cluster's ``watch.failing``."""
    condition = sight.condition()
    watch = Watch(report.watch.cluster, SIGHT)
    seen = Report(watch, report.at, ("",), () if condition is None else (condition,))
    mine = of_watch(world.alerts.values(), watch)
    draft.apply_all(advance(mine, seen, policy, world.recent))


def _account(cluster: str | None, at: datetime, world: World, policy: Policy) -> Account:
    before = world.deletions.get(cluster or "", Deletions())
    return Account(cluster, before, world.alerts.values(), at, policy)


def _count_deletions(
    account: Account, cluster: str | None, world: World, draft: Draft, *, readable: bool
) -> World:
    """Advance the cluster's mass deletions; return the world with what is remembered of them."""
    if cluster is None:
        return world
    draft.apply_all(account.changes(readable=readable))
    before, after = world.deletions.get(cluster, Deletions()), account.after()
    if after == before:
        return world
    draft.memos[memo(cluster)] = after.write()
    return replace(world, deletions={**world.deletions, cluster: after})


def _finish(draft: Draft, report: Report, world: World, sights: dict[str, Sight]) -> tuple[Plan, World]:
    alerts, recent = dict(world.alerts), dict(world.recent)
    for alert in sorted(draft.alerts.values(), key=lambda each: each.state is not AlertState.RESOLVED):
        # An open alert has its changes with it, a resolved one leaves them to its next life.
        alerts.pop(alert.fingerprint, None)
        recent.pop(alert.fingerprint, None)
        if alert.state is not AlertState.RESOLVED:
            alerts[alert.fingerprint] = alert
        elif alert.changes:
            recent[alert.fingerprint] = alert.changes
    groups = {**world.groups, **draft.groups}
    if draft.groups and len(groups) > _MANY:
        groups = {key: each for key, each in groups.items() if report.at - each.due_at < _KEPT}
    decided = Plan(
        at=report.at,
        events=tuple(draft.events),
        unrouted=frozenset(draft.unrouted),
        alerts=tuple(draft.alerts.values()),
        deliveries=tuple(draft.deliveries.values()),
        over=tuple(draft.over),
        released=tuple(draft.released),
        groups=tuple(draft.groups.values()),
        memos=draft.memos,
        cursor=report.cursor,
    )
    return decided, replace(world, alerts=alerts, sights=sights, groups=groups, recent=recent)
