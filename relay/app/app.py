"""The running relay: starts everything, reloads, stops gracefully."""

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus

import structlog

from relay.app import build
from relay.app.build import Tools
from relay.app.chores import Chore, Heartbeat, Heartbeats, cancel, for_ever
from relay.app.clients import Clients
from relay.app.front import Behind, Front
from relay.app.insight import Insight
from relay.app.pruning import Pruner
from relay.app.reload import watch_files
from relay.engine.absence import Presence
from relay.engine.anchoring import Anchorer, Anchoring
from relay.engine.desk import Desk
from relay.engine.dispatch import Dispatcher
from relay.engine.emergency import Emergency
from relay.engine.heartbeat import Greeter, Pinger, State, Switch
from relay.engine.intake import Intake
from relay.engine.operate import Operator
from relay.engine.own import News
from relay.engine.rules import Rule
from relay.engine.scene import Scene
from relay.engine.sending import Sender
from relay.http import Http
from relay.model.clock import Clock
from relay.model.delivery import ChannelHealth, ChannelState
from relay.model.errors import ConfigError, StoreError
from relay.model.observation import Report
from relay.model.steps import Reach, Step, pass_by
from relay.server import Running, link_key
from relay.server.refused import RefusedError
from relay.settings import Configuration, Settings
from relay.store import Store
from relay.watch.supervisor import Supervisor

_log = structlog.get_logger("relay.app")

_CHORE_PAUSE = 5.0
_TIME_EVERY = 5.0
_LATE = 3
_LATE_SECONDS = 60.0

_FIXED: tuple[Callable[[Settings], object], ...] = (
    lambda settings: settings.store,
    lambda settings: settings.server.listen,
    lambda settings: settings.telemetry,
)
"""What counts from the start on, whatever is read later."""

Reread = Callable[[], Configuration]
"""Reads the configuration anew. Raises ConfigError."""


class App:
    """One relay. ``run`` returns when it is told to stop.

    Raises StoreError (StoreBusyError where another relay runs on the same store), ListenError, and
    ConfigError where it would listen for others though nobody can log in.
    """

    def __init__(
        self,
        configuration: Configuration,
        reread: Reread,
        *,
        clock: Clock,
        source: random.Random,
        reach: Reach = pass_by,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._settings = configuration.settings
        self._path = configuration.path
        self._files = configuration.files
        self._reread = reread
        self._clock = clock
        self._source = source
        self._since = clock.now()
        self._reach = reach
        self._random_bytes = random_bytes
        self._front = Front(self._settings, clock, random_bytes)
        self._insight = Insight(self._settings, clock)
        self._dispatcher = Dispatcher()
        self._senders: list[Sender] = []
        self._supervisors: list[Supervisor] = []
        self._looking: list[asyncio.Task[None]] = []
        self.stopping = asyncio.Event()
        self.reloading = asyncio.Event()
        self.ready = asyncio.Event()
        self.port = 0

    async def run(self) -> None:
        """Run until ``stopping`` is set; reload whenever ``reloading`` is."""
        settings = self._settings
        url = settings.store.get_secret_value()
        telemetry = self._insight.telemetry
        store = await asyncio.to_thread(
            lambda: Store.for_running(url, reach=self._reached, telemetry=telemetry)
        )
        async with AsyncExitStack() as stack:
            # In a thread: a database that hangs must not keep a second signal from being heard.
            stack.push_async_callback(asyncio.to_thread, store.close)
            http = Http(self._clock)
            stack.push_async_callback(http.close)
            clients = Clients(http, self._clock)
            key = await link_key(store, self._random_bytes)
            self._tools = Tools(self._clock, self._source, store, http, clients, self._reach, key, telemetry)
            stack.push_async_callback(self._insight.close)
            self._insight.begin(
                store,
                troubles=self.health,
                loops=lambda: self._dispatcher.loops,
                alerts=lambda: self._intake.alerts if self.ready.is_set() else (),
                supervisors=lambda: self._supervisors,
            )
            self._desk = Desk(store)
            self._emergency = Emergency(store, self._clock, self._enabled)
            stack.push_async_callback(self._front.close)
            behind = Behind(
                self.health, self._operator, self._running, self._take_posted, self._insight.scrape
            )
            self.port = await self._front.open(self._tools, behind)
            await self._start()
            stack.push_async_callback(self._stop)
            chores = [
                asyncio.create_task(for_ever(chore, self._clock))
                for chore in (
                    self._emergency.run,
                    self._insight.run,
                    Pruner(store, self._clock, lambda: self._settings, self._emergency.store_failed).run,
                    self._presence.beat,
                    self._presence.tell,
                    self._let_time_pass,
                    self._reload_when_told,
                    self._front.run,
                    lambda: watch_files(self._files, self.reloading, self._clock),
                )
            ]
            stack.push_async_callback(cancel, chores)
            self.ready.set()
            await self._heartbeats.follow(build.heartbeats(settings))
            _announce_unsafe(settings)
            _log.info(
                "running",
                clusters=len(settings.clusters),
                channels=len(settings.channels),
                rules=len(settings.effective_rules),
                listen=settings.server.listen,
            )
            await self.stopping.wait()
            _log.info("stopping", within=settings.stop_within.total_seconds())

    def _reached(self, step: Step) -> None:
        self._reach(step)
        self._front.step(step)

    def _enabled(self) -> list[Sender]:
        """Return what sends to the channels that nobody has disabled."""
        loops = self._dispatcher.loops
        off = {name for name, loop in loops.items() if loop.health.state is ChannelState.DISABLED}
        return [sender for sender in self._senders if sender.channel.name not in off]

    def health(self) -> Mapping[str, str]:
        """Return what is wrong, by part; nothing for a relay that is ready."""
        reasons: dict[str, str] = {}
        if not self.ready.is_set():
            reasons["relay"] = "starting"
        reasons.update(self._insight.troubles)
        if self._emergency.error is not None:
            reasons["store"] = self._emergency.error
        for supervisor in self._supervisors:
            late = self._late(supervisor)
            if late is not None:
                reasons[f"watcher {supervisor.watcher.watch}"] = f"has not looked for {late:.0f} seconds"
        return reasons

    def _running(self) -> Running:
        if not self.ready.is_set():
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The relay is starting.",
                "Try again in a second.",
                headers={"Retry-After": "1"},
            )
        return Running(
            since=self._since,
            router=self._intake.setting.rules.router,
            scene=self._scene(),
            watched=build.watched(self._supervisors, self._clock, self._late),
            senders=self._senders,
            troubles=self.health(),
        )

    def _late(self, supervisor: Supervisor) -> float | None:
        return supervisor.late(self._clock.monotonic(), _LATE, _LATE_SECONDS)

    async def _take_posted(self, report: Report) -> None:
        # Whoever posts while the relay starts waits for it.
        await self.ready.wait()
        try:
            await self._intake.take(report)
        except StoreError as error:
            self._emergency.store_failed(error)
            raise

    def _operator(self) -> Operator:
        return Operator(self._tools.store, self._clock, self._source, self._dispatcher, self._desk)

    async def _start(self) -> None:
        tools, settings = self._tools, self._settings
        found = list(build.watchers(settings, tools))
        self._intake = Intake(
            tools.store,
            build.setting(settings, found),
            lambda names: self._dispatcher.wake(names),
            reach=self._reach,
            telemetry=tools.telemetry,
        )
        await self._intake.start(self._clock.now())
        await self._desk.load(self._clock.now())
        self._presence = Presence(
            tools.store,
            self._clock,
            self._intake.take,
            lambda: [each.last for each in self._supervisors],
            lambda: self._settings.report_absence,
            self._emergency.store_failed,
        )
        await self._presence.start()
        broken = (
            alert.source
            for alert in self._intake.alerts
            # One that may yet resolve, or flaps, works again.
            if alert.type == "template.failing" and alert.absent_since is None
        )
        self._news = News(self._intake.take, self._clock, self._emergency.store_failed, broken)
        self._heartbeats = Heartbeats(self._heartbeat, self._clock)
        await self._know_channels()
        await self._tell_anew()
        await self._go_on(self._made(settings))
        self._look(build.supervisors(found, tools, self._intake.take, self._emergency.store_failed))

    def _heartbeat(self, each: Heartbeat) -> Chore:
        tools = self._tools
        if isinstance(each, Switch):
            return Pinger(each, tools.http, tools.clock, tools.source, self.health, self._news).run
        failed = self._emergency.store_failed
        if isinstance(each, Anchoring):
            return Anchorer(each, tools.store, tools.clock, self._intake.take, failed).run
        return Greeter(each, tools.store, tools.clock, self._intake.take, self._state, failed).run

    def _state(self) -> State:
        return State(
            running_since=self._since,
            clusters=[cluster.name for cluster in self._settings.clusters],
            looks=[each.last for each in self._supervisors],
            alerts=self._intake.alerts,
            troubles=self.health(),
        )

    async def _tell_anew(self) -> None:
        """Tell what the last process noted about itself but was killed before it could tell."""
        healths = await self._tools.store.healths()
        for channel in self._settings.destinations:
            health = healths.get(channel.name, ChannelHealth(channel.name))
            works = health.state is ChannelState.WORKING
            waiting = 0 if works else await self._tools.store.count_waiting(channel.name)
            await self._news.channel_turned(channel, health, waiting)
        await self._news.config_rejected(self._where, [])

    @property
    def _where(self) -> str:
        return str(self._path or "environment")

    async def _go_on(self, senders: list[Sender]) -> None:
        """Send by these from now on."""
        tools, grace = self._tools, self._settings.stop_within.total_seconds()
        self._senders = senders
        # First, so that the healths are those that the last attempts left.
        await self._dispatcher.stop(grace)
        loops = build.loops(self._senders, tools, self._news, await tools.store.healths(), self._scene)
        await self._dispatcher.replace(loops, grace)
        names = self._settings.channel_names
        self._insight.know(names, self._rules(), self._intake.setting.watched)

    def _scene(self) -> Scene:
        """Return what holds now."""
        rules, desk = self._intake.setting.rules, self._desk
        return Scene(self._intake.by_id, desk.silences, desk.acknowledged, rules.router.rules, rules.times)

    def _rules(self) -> Mapping[str, Rule]:
        return self._intake.setting.rules.router.rules

    def _made(self, settings: Settings) -> list[Sender]:
        """Return what sends by these settings."""
        return build.senders(
            settings, self._tools, self._rules, lambda thread: self._desk.acknowledged.get(thread)
        )

    async def _know_channels(self) -> None:
        names = self._settings.channel_names
        held = await self._tools.store.know_channels(names, self._clock.now())
        if held:
            _log.warning("deliveries wait for channels that are no longer configured", held=held)

    def _look(self, supervisors: list[Supervisor]) -> None:
        self._supervisors = supervisors
        self._looking = [
            asyncio.create_task(each.run(), name=f"watch {each.watcher.watch}") for each in supervisors
        ]

    async def _stop(self) -> None:
        await self._heartbeats.follow(())
        await cancel(self._looking)
        await self._dispatcher.stop(self._settings.stop_within.total_seconds())

    async def _reload_when_told(self) -> None:
        while True:
            await self.reloading.wait()
            self.reloading.clear()
            try:
                await self._reload()
            except StoreError as error:
                self._emergency.store_failed(error)
                await self._clock.sleep(_CHORE_PAUSE)
                self.reloading.set()
            except Exception:
                _log.exception("reloading failed")

    async def _reload(self) -> None:
        try:
            # In a thread: reading files must not hold up what is being sent.
            fresh = (await asyncio.to_thread(self._reread)).settings
        except ConfigError as error:
            _log.error("the changed configuration was rejected; the old one goes on", problems=str(error))
            await self._news.config_rejected(self._where, [str(problem) for problem in error.problems])
            return
        old = self._settings
        if any(fixed(fresh) != fixed(old) for fixed in _FIXED):
            _log.warning("a changed store, server.listen or telemetry counts only after a restart")
        tools = self._tools
        found = list(build.watchers(fresh, tools))
        # Everything that can fail is made before anything is changed.
        changed, senders, shown = build.setting(fresh, found), self._made(fresh), self._front.made(fresh)
        await cancel(self._looking)
        try:
            await self._intake.change(changed, self._clock.now())
            self._settings = fresh
            self._front.change(shown)
            await self._know_channels()
            await self._heartbeats.follow(build.heartbeats(fresh))
            await self._go_on(senders)
        finally:
            self._look(build.supervisors(found, tools, self._intake.take, self._emergency.store_failed))
        tools.clients.keep({cluster.name for cluster in fresh.clusters})
        await self._news.config_rejected(self._where, [])
        _log.info("reloaded", clusters=len(fresh.clusters), channels=len(fresh.channels))

    async def _let_time_pass(self) -> None:
        while True:
            await self._clock.sleep(_TIME_EVERY)
            try:
                await self._intake.pass_time(self._clock.now())
            except StoreError as error:
                self._emergency.store_failed(error)


def _announce_unsafe(settings: Settings) -> None:
    server = settings.server
    if server.anonymous in ("read", "operate"):
        _log.warning("unsafe: nobody has to log in (server.anonymous)", anonymous=server.anonymous)
    if server.insecure:
        _log.warning("unsafe: others may reach what nobody guards (server.insecure)", listen=server.listen)
    for cluster in settings.clusters:
        if not cluster.verify:
            _log.warning("unsafe: any certificate is accepted (verify: false)", cluster=cluster.name)
    for channel in settings.destinations:
        if getattr(channel, "verify", True) is False:
            _log.warning("unsafe: any certificate is accepted (verify: false)", channel=channel.name)
