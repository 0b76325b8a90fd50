"""Intake: the one door through which observations become events, alerts and deliveries."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from relay.engine.decisions import log_plan
from relay.engine.deletions import DELETIONS, FEED, Deletions, memo, still_counted
from relay.engine.draft import Rules, World, sight_memo
from relay.engine.evidence import drafts
from relay.engine.keeping import (
    DELETED,
    GONE,
    UPDATED,
    Known,
    heads_of,
    key_of,
    that_wait,
    with_losses,
)
from relay.engine.lifecycle import recent_of
from relay.engine.planning import close, event_of, pass_time, plan
from relay.engine.policy import Policy
from relay.engine.sight import SIGHT, Sight
from relay.model.alert import Alert
from relay.model.event import Event, namespace_of
from relay.model.hook_types import posted
from relay.model.observation import Report, Watch
from relay.model.plan import Plan
from relay.model.steps import Reach, Step, pass_by
from relay.model.telemetry import Telemetry
from relay.model.trust import INVENTORY_DONE, Head, inventory_scope, unexamined
from relay.store import Store

Wake = Callable[[Collection[str]], None]
"""Called with the names of channels that have something to send."""

OWN_WATCHERS = ("channels", "templates", "store", "configuration", "heartbeats")
"""What the relay watches of itself."""
_CHANNELS = Watch(None, "channels")
_HEARTBEATS = Watch(None, "heartbeats")
_AHEAD = timedelta(days=3650)
_GROUPS = timedelta(days=7)
"""A group that was told longer ago is a new one when something joins it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The part of the configuration that intake works by; replaced whole when it is reloaded.

    ``watched`` are the sources of each watch. ``evidence`` tells whether the evidence log is kept.
    ``hooks`` are the watches of the hooks that alerts may be posted to.
    """

    policy: Policy
    rules: Rules
    watched: Mapping[Watch, Collection[str]]
    heartbeats: Collection[str] = ()
    evidence: bool = True
    hooks: Collection[Watch] = ()


class Intake:
    """Takes one report at a time and commits what it makes true.

    What it knows of open alerts is a copy of what the store has: it changes only with a commit.
    """

    def __init__(
        self,
        store: Store,
        setting: Setting,
        wake: Wake,
        *,
        reach: Reach = pass_by,
        telemetry: Telemetry = Telemetry(),  # noqa: B008
    ) -> None:
        self._store = store
        self._telemetry = telemetry
        self._setting = setting
        self._wake = wake
        self._reach = reach
        self._world = World()
        self._by_id: tuple[World, Mapping[str, Alert]] = (self._world, {})
        self._lock = asyncio.Lock()

    @property
    def alerts(self) -> Collection[Alert]:
        """The alerts that are pending or firing."""
        return self._world.alerts.values()

    @property
    def by_id(self) -> Mapping[str, Alert]:
        """The same by id."""
        if self._by_id[0] is not self._world:
            self._by_id = (self._world, {alert.id: alert for alert in self._world.alerts.values()})
        return self._by_id[1]

    @property
    def setting(self) -> Setting:
        """What it works by."""
        return self._setting

    async def start(self, now: datetime) -> None:
        """Take up the alerts where the last process left them. Raises StoreError."""
        alerts = {alert.fingerprint: alert for alert in await self._store.open_alerts()}
        policy = self._setting.policy
        sights, deletions = {}, {}
        for cluster in {watch.cluster for watch in self._setting.watched} - {None}:
            kept = await self._store.cursor(sight_memo(str(cluster)))
            if kept is not None:
                sights[str(cluster)] = Sight.read(str(cluster), policy.failures_of(cluster), kept)
            counted = await self._store.cursor(memo(str(cluster)))
            if counted is not None:
                deletions[str(cluster)] = Deletions.read(counted)
        groups = {group.key: group for group in await self._store.groups(now - _GROUPS)}
        recent = recent_of(await self._store.recent_alerts(now - policy.memory))
        self._world = World(alerts, sights, groups, recent, deletions)
        await self.change(self._setting, now)

    async def change(self, setting: Setting, now: datetime) -> None:
        """Go on with another configuration: alerts of what is no longer watched end, and that is told.

        Raises StoreError, and then goes on with the old one.
        """
        async with self._lock:
            sights = {
                cluster: sight.within(_sources(setting, cluster), setting.policy.failures_of(cluster))
                for cluster, sight in self._world.sights.items()
                if any(watch.cluster == cluster for watch in setting.watched)
            }
            world = replace(self._world, sights=sights)
            orphans = [alert for alert in world.alerts.values() if not _watched(alert, setting)]
            decided, world = close(orphans, now, "no longer watched", world, setting.rules)
            await self._commit(decided, world, None)
            self._setting = setting
            await self._tell_what_waits_for_nothing(now)

    async def take(self, report: Report) -> None:
        """Commit what a report makes true, and wake the channels that have something to send.

        Raises StoreError or CursorMovedError; then nothing has changed, and the next look tells the same.
        A caller that is cancelled meanwhile does not interrupt it: what is known here has to stay a copy of
        what the store has.
        """
        await asyncio.shield(self._take(report))

    async def pass_time(self, now: datetime) -> None:
        """Let the relay's own alerts settle that have changed long enough ago. Raises StoreError."""
        await asyncio.shield(self._pass_time(now))

    async def _pass_time(self, now: datetime) -> None:
        async with self._lock:
            setting = self._setting
            await self._commit(*pass_time(now, self._world, setting.policy, setting.rules), None)
            for cluster in await self._store.clusters_waiting() & setting.policy.keeping.keys():
                patience = setting.policy.keeping[cluster].patience
                waited = await self._store.waited_since(cluster, now - patience)
                await self._tell_unexamined(
                    waited, now, "there was no time: MSR could not be asked soon enough"
                )

    async def _tell_unexamined(self, waited: Sequence[Event], now: datetime, why: str) -> None:
        if not waited:
            return
        setting = self._setting
        events = tuple(unexamined(event, why) for event in waited)
        report = Report(Watch(None, "trust"), now, (), events=events, complete=False)
        decided, world = plan(report, (), (), self._world, setting.policy, setting.rules)
        examined = tuple(event.id for event in waited)
        await self._commit(replace(decided, examined=examined), world, None)

    async def _tell_what_waits_for_nothing(self, now: datetime) -> None:
        """Tell what waits in clusters whose trust data is no longer examined."""
        for cluster in await self._store.clusters_waiting() - set(self._setting.policy.keeping):
            while waited := await self._store.waited_since(cluster, now + _AHEAD):
                await self._tell_unexamined(waited, now, "the watcher `trust` was turned off")

    async def _take(self, report: Report) -> None:
        self._reach(Step.READ)
        async with self._lock:
            setting = self._setting
            report = _of_this_setting(report, setting)
            events = [event_of(fact, report, setting.policy) for fact in report.facts]
            known = await self._store.known_events([event.id for event in events]) if events else set()
            report = await self._still_to_be_told(report)
            report = await self._with_what_is_gone(report, events, known)
            events, heads, waiting = await self._about_trust(events, known, report)
            new = [event for event in events if event.id not in known]
            known |= {event.id for event in waiting}
            decided, world = plan(report, events, known, self._world, setting.policy, setting.rules)
            decided = replace(
                decided,
                heads=heads,
                waiting=waiting,
                examined=tuple(event.id for event in report.events),
                kept=report.kept,
                inventory=report.inventory,
                evidence=drafts(new, report.snapshots) if setting.evidence else (),
            )
            self._reach(Step.PLANNED)
            await self._commit(decided, world, report.watch)

    async def _about_trust(
        self, events: list[Event], known: Collection[str], report: Report
    ) -> tuple[list[Event], tuple[Head, ...], tuple[Event, ...]]:
        """Return the events with what was lost, what the new ones say of repositories, and which wait."""
        cluster = report.watch.cluster
        fresh = [event for event in events if event.id not in known and event.type in (UPDATED, DELETED)]
        if cluster is None or not fresh:
            return events, (), ()
        policy = self._setting.policy
        keeping = policy.keeping.get(cluster)
        gone = [event for event in fresh if event.type == DELETED]
        if gone:
            about = await self._known(cluster, gone)
            told = with_losses(fresh, about, keeping, policy.change_windows.get(cluster))
            with_loss = {event.id: event for event in told}
            events = [with_loss.get(event.id, event) for event in events]
        return events, heads_of(fresh, keeping), that_wait(fresh, keeping)

    async def _still_to_be_told(self, report: Report) -> Report:
        """Return the report without events that were told unexamined while they were being examined."""
        if not report.events:
            return report
        waiting = await self._store.still_waiting([event.id for event in report.events])
        return replace(report, events=tuple(event for event in report.events if event.id in waiting))

    async def _with_what_is_gone(
        self, report: Report, events: Sequence[Event], known: Collection[str]
    ) -> Report:
        """Return the report with the updates that wait for what it deletes: they are told before that."""
        gone = {key_of(event) for event in events if event.type == DELETED and event.id not in known}
        if not gone:
            return report
        waited = await self._store.waiting_for(gone)
        released = tuple(unexamined(event, GONE) for key in gone for event in waited[key])
        return replace(report, events=(*released, *report.events))

    async def _known(self, cluster: str, gone: Sequence[Event]) -> Known:
        complete = await self._store.cursor(inventory_scope(cluster)) == INVENTORY_DONE
        counts = {
            namespace: await self._store.trust_deletions(cluster, namespace) if complete else None
            for namespace in {namespace_of(event.subject.name) for event in gone}
        }
        return Known(await self._store.kept_trust({key_of(event) for event in gone}), counts)

    async def _commit(self, decided: Plan, world: World, watch: Watch | None) -> None:
        if not decided.empty:
            await self._store.commit(decided)
        self._world = world
        channels = {delivery.channel for delivery in decided.deliveries}
        # What they are about to send may be over, or be let go.
        turned = {*decided.over, *decided.released}
        channels.update(t.channel for alert in decided.alerts if alert.id in turned for t in alert.told)
        if channels:
            self._wake(channels)
        if not decided.empty:
            self._telemetry.committed(watch, decided)
        log_plan(decided)


def _sources(setting: Setting, cluster: str) -> dict[str, Collection[str]]:
    return {watch.watcher: found for watch, found in setting.watched.items() if watch.cluster == cluster}


def _of_this_setting(report: Report, setting: Setting) -> Report:
    """Return the report without conditions that nobody would ever end: a reload lets attempts end that are
    under way, and then a channel may be in trouble that has just been removed. So may a hook be."""
    here = [
        each
        for each in report.conditions
        if not _removed(report.watch, each.source, setting)
        and (not posted(each.type) or report.watch in setting.hooks)
    ]
    return replace(report, conditions=tuple(here))


def _removed(watch: Watch, source: str, setting: Setting) -> bool:
    if watch == _HEARTBEATS:
        return source not in setting.heartbeats
    return watch == _CHANNELS and source not in setting.rules.router.channels


def _watched(alert: Alert, setting: Setting) -> bool:
    if alert.cluster is None:
        gone = _removed(Watch(None, alert.watcher), alert.source, setting)
        return alert.watcher in OWN_WATCHERS and not gone
    if posted(alert.type):
        return Watch(alert.cluster, alert.watcher) in setting.hooks
    if alert.watcher == DELETIONS:
        return Watch(alert.cluster, FEED) in setting.watched and still_counted(alert, setting.policy)
    if alert.watcher == SIGHT:
        return any(watch.cluster == alert.cluster for watch in setting.watched)
    sources = setting.watched.get(Watch(alert.cluster, alert.watcher))
    return sources is not None and (not alert.source or alert.source in sources)
