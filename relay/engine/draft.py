"""A plan in the making: what is told, to whom, and what becomes of alerts. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from relay.engine.deletions import Deletions
from relay.engine.grouping import common, join, key_of
from relay.engine.holding import RECHECK
from relay.engine.inhibition import Inhibitions
from relay.engine.instead import covered, ways
from relay.engine.intervals import Times
from relay.engine.lifecycle import Change, Recent
from relay.engine.routing import OWN_RULE, Route, Router
from relay.engine.rules import GroupOptions
from relay.engine.sight import Sight
from relay.model.alert import Alert, AlertState, Told
from relay.model.catalogue import stands_for
from relay.model.delivery import Delivery, DeliveryState, Reason
from relay.model.event import Event, Status
from relay.model.ids import stable_id
from relay.model.plan import Group


@dataclass(frozen=True, slots=True)
class World:
    """What planning knows: the open alerts by fingerprint, what can be seen of each cluster, the groups by
    key, how often alerts that have lately resolved came and went, and each cluster's deletions."""

    alerts: Mapping[str, Alert] = field(default_factory=dict)
    sights: Mapping[str, Sight] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    recent: Recent = field(default_factory=dict)
    deletions: Mapping[str, Deletions] = field(default_factory=dict)


def sight_memo(cluster: str) -> str:
    """Return under which name what can be seen of a cluster is kept."""
    return f"sight/{cluster}"


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides who is told and when: rules for events, those by which alerts cover others, and times."""

    router: Router
    inhibitions: Inhibitions = field(default_factory=Inhibitions)
    times: Times = field(default_factory=dict)


class Draft:
    """A plan in the making."""

    def __init__(self, world: World, setting: Rules, at: datetime) -> None:
        self._world = world
        self._router = setting.router
        self._inhibitions = setting.inhibitions
        self._at = at
        self.events: list[Event] = []
        self.unrouted: set[str] = set()
        self.alerts: dict[str, Alert] = {}
        self.deliveries: dict[str, Delivery] = {}
        self.over: list[str] = []
        self.released: list[str] = []
        self.groups: dict[str, Group] = {}
        self.memos: dict[str, str] = {}
        self._borrowed: dict[str, list[Route]] = {}

    def remember(self, cluster: str, before: Sight | None, sight: Sight) -> None:
        """Keep what can be seen of a cluster across restarts, if it has changed."""
        text = sight.write()
        if before is None or before.write() != text:
            self.memos[sight_memo(cluster)] = text

    def tell(self, event: Event, channels: tuple[str, ...] = ()) -> None:
        """Send a one-off event on its ways: to the channels, if any are given, else where the rules say."""
        routes = [Route(OWN_RULE, channel) for channel in channels] or self._router.route(event)
        self._add(event, routes)
        for route in routes:
            escalation = route.reason is Reason.ESCALATION
            self._deliver(event, route, self._at + route.after if escalation else self._at)

    def cover(self, event: Event, alert: str) -> None:
        """Keep a one-off event that an alert tells in its place, on each way that it would have gone."""
        routes = self._router.route(event)
        self._add(event, routes)
        for route in routes:
            made = self._deliver(event, replace(route, group=None), self._at)
            self.deliveries[made.id] = covered(made, alert, self._at)
        self.borrow(alert, routes)

    def borrow(self, alert: str, routes: Iterable[Route]) -> None:
        """Let an alert go where something goes that it tells."""
        known = self._borrowed.setdefault(alert, [])
        for route in routes:
            if route not in known:
                known.append(route)

    def apply(self, change: Change) -> None:
        """Take an alert's change, and tell it if it is to be told."""
        alert = change.alert
        if change.tell is Status.FIRING:
            alert = self.fire(alert)
        elif change.tell is Status.RESOLVED:
            self.resolve(alert)
        elif alert.state is AlertState.FIRING:
            alert = self._join(alert) if stands_for(alert.type) else self._note(alert)
        self.alerts[alert.id] = alert

    def apply_all(self, changes: Iterable[Change]) -> None:
        """Take changes; those that may cover others come first."""
        drafted = list(changes)
        drafted.sort(key=lambda change: not self._inhibitions.is_source(change.alert))
        for change in drafted:
            self.apply(change)
            if change.tell is Status.FIRING and self._inhibitions.is_source(change.alert):
                self._cover()

    def release(self, mine: Iterable[Alert]) -> None:
        """Let go what was held back, of alerts that their own watch still shows, where nothing covers it."""
        for alert in mine:
            latest = self.alerts.get(alert.id, alert)
            shown = latest.state is AlertState.FIRING and latest.absent_since is None
            if latest.inhibited and shown and not self._covered(latest):
                self.alerts[latest.id] = replace(latest, inhibited=False)
                self.released.append(latest.id)

    def _cover(self) -> None:
        """Mark what a larger alert that fires now covers."""
        for alert in self._open():
            if alert.state is AlertState.FIRING and not alert.inhibited and self._covered(alert):
                self.alerts[alert.id] = replace(alert, inhibited=True)

    def _covered(self, alert: Alert) -> bool:
        return self._inhibitions.covered(alert, self._open())

    def _open(self) -> Iterator[Alert]:
        # Nothing is gone through before it is asked for: most alerts can be covered by nothing.
        latest = (self.alerts.get(alert.id, alert) for alert in self._world.alerts.values())
        known = {alert.id: alert for alert in latest} | self.alerts
        yield from (alert for alert in known.values() if alert.state is not AlertState.RESOLVED)

    def fire(self, alert: Alert, only: Sequence[Route] | None = None) -> Alert:
        """Tell an alert that fires, by some routes ``only`` if they are given; return it as it is then."""
        alert = replace(alert, inhibited=alert.inhibited or self._covered(alert))
        event = alert.event(Status.FIRING, self._at)
        routes = self._routes(alert, event) if only is None else only
        self._add(event, routes)
        told = {each.channel: each for each in alert.told}
        for route in routes:
            escalated = route.reason is Reason.ESCALATION
            if route.channel in told and told[route.channel].escalated and not escalated:
                del told[route.channel]
            due_at = self._due_at(alert, route, told.get(route.channel))
            sent = self._deliver(event, route, due_at, inhibited=alert.inhibited)
            group = sent.thread if sent.gathered else None
            told.setdefault(
                route.channel,
                Told(route.rule, route.channel, sent.due_at, route.on_resolve, group, escalated),
            )
        return replace(alert, told=tuple(told.values()), last_event=event.id)

    def _routes(self, alert: Alert, event: Event) -> list[Route]:
        own = self._router.route(event)
        return own if not stands_for(alert.type) else ways(own, alert.told, self._borrowed.get(alert.id, ()))

    def _join(self, alert: Alert) -> Alert:
        """Tell an alert to those who would have got what it tells now, and have not heard of it yet."""
        told = {each.channel for each in alert.told}
        new = [route for route in ways((), (), self._borrowed.get(alert.id, ())) if route.channel not in told]
        return self.fire(replace(alert, revision=alert.revision + 1), new) if new else alert

    def _due_at(self, alert: Alert, route: Route, told: Told | None) -> datetime:
        if route.reason is Reason.ESCALATION:
            # What stands for events may come to another rule later, and is news there.
            begun = None if stands_for(alert.type) else alert.fired_at
            return (begun or self._at) + route.after
        due_at = self._at + route.after
        # What became graver need not wait anew.
        return due_at if told is None else max(self._at, min(due_at, told.due_at))

    def _note(self, alert: Alert) -> Alert:
        """Keep how an alert stands that became less grave: nobody is told, but what repeats it says so."""
        before = self._world.alerts.get(alert.fingerprint)
        if before is None or before.id != alert.id or before.severity == alert.severity:
            return alert
        event = alert.event(Status.FIRING, self._at)
        self._add(event, [], matters=False)
        return replace(alert, last_event=event.id)

    def resolve(self, alert: Alert) -> None:
        """Tell the end to those who are told the beginning; the dispatcher knows whether they were."""
        event = alert.event(Status.RESOLVED, self._at)
        wanted = [told for told in alert.told if told.on_resolve]
        if stands_for(alert.type):
            # That it is over makes what it lists no less bad: it is escalated all the same.
            wanted = [told for told in wanted if not told.escalated or told.due_at <= self._at]
        else:
            self.over.append(alert.id)
        self._add(event, [Route(told.rule, told.channel) for told in wanted], matters=not alert.told)
        templates = {route.channel: route.template for route in self._router.route(event)}
        for told in wanted:
            rule = self._router.rules.get(told.rule)
            options = None if rule is None or told.group is None else rule.group
            route = Route(told.rule, told.channel, templates.get(told.channel), group=options)
            self._deliver(event, route, self._at, thread=told.group)

    def _add(self, event: Event, routes: Sequence[Route], *, matters: bool = True) -> None:
        self.events.append(event)
        if matters and not routes:
            self.unrouted.add(event.id)

    def _deliver(
        self,
        event: Event,
        route: Route,
        due_at: datetime,
        *,
        inhibited: bool = False,
        thread: str | None = None,
    ) -> Delivery:
        known = route.channel in self._router.channels
        what: tuple[str, ...] = (event.id, route.channel)
        if route.reason is Reason.ESCALATION:
            # Once in an alert's life, however often it becomes graver.
            what = (event.thread, route.channel, route.reason, route.rule, str(route.step))
        made = Delivery(
            id=stable_id("dlv", *what),
            channel=route.channel,
            rule=route.rule,
            thread=thread or event.thread,
            events=(event.id,),
            created_at=self._at,
            due_at=due_at,
            state=DeliveryState.PENDING if known else DeliveryState.HELD,
            template=route.template,
            reason=route.reason,
        )
        if route.group is not None:
            made = self._gather(made, event, route.group, thread)
        elif thread is not None:
            # Its rule no longer groups, or is gone: what belongs to the group is told at once.
            made = replace(made, gathered=True)
        if inhibited and known:
            # Shown as what it is from the beginning; the dispatcher decides anew when it is due.
            made = replace(made, state=DeliveryState.INHIBITED, due_at=max(made.due_at, self._at + RECHECK))
        self.deliveries[made.id] = made
        return made

    def _gather(self, made: Delivery, event: Event, options: GroupOptions, thread: str | None) -> Delivery:
        having = common(event, options)
        key = key_of(made.rule, having)
        known = self.groups.get(key) or self._world.groups.get(key)
        lasts = known is not None and self._lasts(known)
        group = join(known, key, self._at, options, lasts=lasts)
        if thread is not None and thread != group.id:
            # The group that it began in is over; its end still belongs there, in order.
            return replace(made, gathered=True, group=having, due_at=self._at)
        self.groups[key] = group
        return replace(made, gathered=True, group=having, thread=group.id, due_at=group.due_at)

    def _lasts(self, group: Group) -> bool:
        return any(told.group == group.id for alert in self._open() for told in alert.told)
