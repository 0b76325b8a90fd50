"""Planning: from a report to everything that becomes true because of it. Pure: no I/O, no clock."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from relay.engine.lifecycle import Change, advance, end, of_watch
from relay.engine.policy import Policy
from relay.engine.routing import OWN_RULE, Route, Router
from relay.engine.sight import SIGHT, Sight
from relay.model.alert import Alert, AlertState, Told
from relay.model.delivery import Delivery, DeliveryState
from relay.model.event import Event, Status
from relay.model.ids import stable_id
from relay.model.observation import Fact, Report, Watch
from relay.model.plan import Plan
from relay.model.text import storable, storable_tree

_UNDER_WAY = timedelta(seconds=5)
"""A firing that is due so soon may be sent before this plan is committed: then its end has to be told too."""


@dataclass(frozen=True, slots=True)
class World:
    """What planning knows: the open alerts by fingerprint, and what can be seen of each cluster."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    sights: Mapping[str, Sight] = field(default_factory=dict)


class _Draft:
    """A plan in the making."""

    def __init__(self, router: Router, at: datetime) -> None:
        self._router = router
        self._at = at
        self.events: list[Event] = []
        self.unrouted: set[str] = set()
        self.alerts: list[Alert] = []
        self.deliveries: list[Delivery] = []
        self.superseded: list[tuple[str, str]] = []
        self.released: list[str] = []

    def tell(self, event: Event, channels: tuple[str, ...] = ()) -> None:
        """Send a one-off event on its ways: to the channels, if any are given, else where the rules say."""
        routes = [Route(OWN_RULE, channel) for channel in channels] or self._router.route(event)
        self._add(event, routes)
        for route in routes:
            self._deliver(event, route, self._at)

    def apply(self, change: Change, *, inhibited: bool) -> None:
        """Take an alert's change, and tell it if it is to be told."""
        alert = change.alert
        if change.tell is Status.FIRING:
            alert = self._fire(alert, inhibited=inhibited)
        elif change.tell is Status.RESOLVED:
            self._resolve(alert)
        self.alerts.append(alert)

    def release(self, alert: Alert) -> None:
        """Let go what was held back of an alert that still fires."""
        self.alerts.append(replace(alert, inhibited=False))
        self.released.append(alert.id)

    def _fire(self, alert: Alert, *, inhibited: bool) -> Alert:
        # Those who know of its beginning must get its end too: what has been told is held back no more.
        inhibited = inhibited and (alert.inhibited or not alert.told)
        event = alert.event(Status.FIRING, self._at)
        routes = self._router.route(event)
        self._add(event, routes)
        told = {(each.channel): each for each in alert.told}
        for route in routes:
            due_at = self._at + route.after
            told.setdefault(route.channel, Told(route.rule, route.channel, due_at, route.on_resolve))
            self._deliver(event, route, due_at, inhibited=inhibited)
        return replace(alert, told=tuple(told.values()), inhibited=inhibited)

    def _resolve(self, alert: Alert) -> None:
        """Tell the end to exactly those who were told the beginning."""
        event = alert.event(Status.RESOLVED, self._at)
        routes = []
        for told in alert.told:
            # What was due at once has gone out, even where a clock that went back says otherwise.
            delayed = alert.fired_at is None or told.due_at > alert.fired_at
            if delayed and told.due_at - self._at > _UNDER_WAY:
                self.superseded.append((alert.id, told.channel))
            elif told.on_resolve and not alert.inhibited:
                routes.append(Route(told.rule, told.channel))
        self._add(event, routes, matters=not alert.told)
        templates = {route.channel: route.template for route in self._router.route(event)}
        for route in routes:
            self._deliver(event, replace(route, template=templates.get(route.channel)), self._at)

    def _add(self, event: Event, routes: list[Route], *, matters: bool = True) -> None:
        self.events.append(event)
        if matters and not routes:
            self.unrouted.add(event.id)

    def _deliver(self, event: Event, route: Route, due_at: datetime, *, inhibited: bool = False) -> None:
        known = route.channel in self._router.channels
        state = DeliveryState.PENDING if known else DeliveryState.HELD
        self.deliveries.append(
            Delivery(
                id=stable_id("dlv", event.id, route.channel),
                channel=route.channel,
                rule=route.rule,
                thread=event.thread,
                events=(event.id,),
                created_at=self._at,
                due_at=due_at,
                state=DeliveryState.INHIBITED if inhibited else state,
                template=route.template,
            )
        )


def event_of(fact: Fact, report: Report, policy: Policy) -> Event:
    """Return the event of a fact; its id depends only on the cluster, the type and the fact's identity."""
    cluster = report.watch.cluster
    about = policy.about(cluster)
    subject = fact.subject
    return Event(
        id=stable_id("evt", cluster or "", fact.type, *fact.identity),
        type=fact.type,
        status=Status.EVENT,
        cluster=cluster,
        severity=policy.severity(fact.type, fact.severity),
        subject=replace(
            subject,
            name=storable(subject.name),
            gun=None if subject.gun is None else storable(subject.gun),
        ),
        summary=storable(fact.summary),
        happened_at=fact.happened_at,
        seen_at=report.at,
        labels=about.labels,
        annotations=about.annotations,
        details=storable_tree(fact.details),
    )


def plan(
    report: Report,
    events: Iterable[Event],
    known: Collection[str],
    world: World,
    policy: Policy,
    router: Router,
) -> tuple[Plan, World]:
    """Return what a report makes true, and the world after it.

    ``events`` are those of the report's facts, in their order, ``known`` the ids of those that the store
    already has.
    """
    draft = _Draft(router, report.at)
    for fact, event in zip(report.facts, events, strict=True):
        if event.id not in known:
            draft.tell(event, fact.channels)
    cluster = report.watch.cluster
    sights = dict(world.sights)
    dark = False
    if cluster is not None:
        sight = sights.get(cluster) or Sight(cluster, policy.failures_of(cluster))
        sights[cluster] = sight = sight.after(report)
        dark = _look_around(sight, report, world, policy, draft)
    mine = of_watch(world.alerts.values(), report.watch)
    for change in advance(mine, report, policy):
        draft.apply(change, inhibited=dark or change.alert.inhibited)
    if not dark and report.complete:
        _release(draft, mine)
    return _finish(draft, report, world, sights)


def close(
    alerts: Iterable[Alert], at: datetime, because: str, world: World, router: Router
) -> tuple[Plan, World]:
    """Return the end of alerts whose condition nobody looks at any more, and the world after it."""
    draft = _Draft(router, at)
    for alert in alerts:
        draft.apply(end(alert, at, because), inhibited=False)
    report = Report(Watch(None, "configuration"), at, ())
    return _finish(draft, report, world, dict(world.sights))


def _look_around(sight: Sight, report: Report, world: World, policy: Policy, draft: _Draft) -> bool:
    """Advance the cluster's ``watch.failing``; tell whether the cluster is dark and that has been told."""
    condition = sight.condition()
    watch = Watch(report.watch.cluster, SIGHT)
    seen = Report(watch, report.at, ("",), () if condition is None else (condition,))
    mine = of_watch(world.alerts.values(), watch)
    firing = any(alert.state is AlertState.FIRING for alert in mine.values())
    for change in advance(mine, seen, policy):
        draft.apply(change, inhibited=False)
        firing = change.alert.state is AlertState.FIRING
    return firing and sight.whole


def _release(draft: _Draft, mine: Mapping[str, Alert]) -> None:
    """Let go what was held back, once the cluster can be seen again and its own watch still shows it."""
    drafted = {alert.id: alert for alert in draft.alerts}
    for alert in mine.values():
        latest = drafted.get(alert.id, alert)
        if latest.inhibited and latest.state is AlertState.FIRING and latest.absent_since is None:
            if latest.id in drafted:
                draft.alerts.remove(latest)
            draft.release(latest)


def _finish(draft: _Draft, report: Report, world: World, sights: dict[str, Sight]) -> tuple[Plan, World]:
    alerts = dict(world.alerts)
    for alert in draft.alerts:
        if alert.state is AlertState.RESOLVED:
            alerts.pop(alert.fingerprint, None)
        else:
            alerts[alert.fingerprint] = alert
    decided = Plan(
        events=tuple(draft.events),
        unrouted=frozenset(draft.unrouted),
        alerts=tuple(draft.alerts),
        deliveries=tuple(draft.deliveries),
        superseded=tuple(draft.superseded),
        released=tuple(draft.released),
        cursor=report.cursor,
    )
    return decided, World(alerts, sights)
