"""From settings to working parts."""

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from relay.app.chores import Heartbeat
from relay.app.clients import Clients
from relay.channels.base import secret_parts
from relay.engine.channel_loop import ChannelLoop
from relay.engine.draft import Rules
from relay.engine.inhibition import Inhibitions
from relay.engine.intake import Setting
from relay.engine.own import News
from relay.engine.policy import About, Damping, Flap, Mass, Policy
from relay.engine.routing import Expression, Router
from relay.engine.rules import Rule
from relay.engine.scene import Scene
from relay.engine.sending import Sender
from relay.hooks import Hook, HookKind
from relay.http import Http
from relay.model.catalogue import CATALOGUE
from relay.model.clock import Clock
from relay.model.delivery import ChannelHealth
from relay.model.errors import StoreError
from relay.model.event import Event
from relay.model.observation import Report
from relay.model.silence import Acknowledgement
from relay.model.steps import Reach
from relay.model.telemetry import Telemetry
from relay.render import ExpressionError, Pages, Renderer, expression
from relay.server import Access, Guesses, Links, Sessions, Watched, assets
from relay.settings import DampingSettings, Settings
from relay.store import Store
from relay.watch import WATCHERS, Place, Watcher
from relay.watch.supervisor import Supervisor, grids

_log = structlog.get_logger("relay.app")


@dataclass(frozen=True, slots=True)
class Tools:
    """What lasts from start to stop, whatever happens to the settings."""

    clock: Clock
    source: random.Random
    store: Store
    http: Http
    clients: Clients
    reach: Reach
    link_key: str
    telemetry: Telemetry = field(default_factory=Telemetry)


def renderer(settings: Settings, clock: Clock) -> Renderer:
    """Return the renderer of the settings' templates."""
    own = [settings.templates] if settings.templates is not None else []
    public_url = settings.server.public_url
    return Renderer(own, clock=clock, timezone=ZoneInfo(settings.timezone), public_url=public_url)


def router(settings: Settings) -> Router:
    """Return the settings' rules, ready to route."""
    return Router(settings.effective_rules, settings.channel_names, _compile_when)


def _compile_when(source: str) -> Expression:
    test = expression(source)

    def matches(event: Event) -> bool:
        try:
            return test(event)
        except ExpressionError as error:
            # Told once too often is better than lost.
            _log.error("a rule's when fails: taken for true", error=str(error), event_id=event.id)
            return True

    return matches


def policy(settings: Settings) -> Policy:
    """Return what the settings say about types of events and about clusters."""
    return Policy(
        damping={name: _damping(name, each) for name, each in settings.alerts.items()},
        severities=settings.severities,
        clusters={each.name: About(each.labels, each.notes) for each in settings.clusters},
        failures={each.name: each.failures for each in settings.clusters},
        keeping={each.name: keeping for each in settings.clusters if (keeping := each.keeping()) is not None},
        change_windows={
            each.name: tuple(chain.from_iterable(settings.times[name] for name in each.change_windows))
            for each in settings.clusters
            if each.change_windows
        },
        mass={
            each.name: Mass(found.count, found.within, found.per, found.update)
            for each in settings.clusters
            if (found := each.mass_deletion) is not None
        },
    )


def _damping(type_name: str, said: DampingSettings) -> Damping:
    hold = CATALOGUE[type_name].hold if said.hold is None else said.hold
    flap = None if said.flap is None else Flap(said.flap.changes, said.flap.within)
    return Damping(hold, said.keep, flap)


def setting(settings: Settings, watchers: list[Watcher[Any]]) -> Setting:
    """Return what intake works by."""
    watched = {watcher.watch: watcher.sources for watcher in watchers}
    rules = Rules(router(settings), Inhibitions(settings.inhibit), settings.times)
    pinged = [each.name for each in settings.heartbeats if each.url is not None]
    posting = [each.watch for each in hooks(settings).values() if each.kind is HookKind.ALERTMANAGER]
    return Setting(policy(settings), rules, watched, pinged, settings.evidence.enabled, posting)


def hooks(settings: Settings) -> dict[str, Hook]:
    """Return what may be posted to, by name."""
    return {each.name: each.built() for each in settings.hooks}


def watchers(settings: Settings, tools: Tools) -> Iterator[Watcher[Any]]:
    """Yield the watchers of all clusters."""
    for cluster in settings.clusters:
        place = Place(
            cluster=cluster.name,
            msr=tools.clients.get(cluster),
            clock=tools.clock,
            read_cursor=tools.store.cursor,
            trust=tools.store,
            repositories=cluster.repositories,
            failures=cluster.failures,
            each_replica=cluster.each_replica,
            horizon=settings.retention.events,
        )
        for name, options in cluster.watchers().items():
            yield WATCHERS[name][1](place, options)


def supervisors(
    found: list[Watcher[Any]],
    tools: Tools,
    take: Callable[[Report], Awaitable[None]],
    store_failed: Callable[[StoreError], None],
) -> list[Supervisor]:
    """Return what keeps the watchers looking."""
    clusters = dict.fromkeys(each.place.cluster for each in found)
    grid = grids(list(clusters), tools.clock.monotonic(), tools.source)
    return [
        Supervisor(each, take, tools.clock, grid[each.place.cluster], store_failed, tools.telemetry)
        for each in found
    ]


def links(settings: Settings, tools: Tools) -> Links:
    """Return what makes and reads the links by which people acknowledge."""
    server = settings.server
    return Links(tools.link_key, tools.clock, server.link_expires, server.public_url)


def acknowledge_url(settings: Settings, tools: Tools, channel: str) -> Callable[[str], str | None]:
    """Return what makes, for a thread, the link that a message to a channel carries; None: no public URL."""
    made = links(settings, tools)
    return lambda thread: made.acknowledge(thread, channel)


def pages(settings: Settings, clock: Clock) -> Pages:
    """Return what renders the server's pages."""
    return Pages(clock=clock, timezone=ZoneInfo(settings.timezone), asset=assets().url)


def access(
    settings: Callable[[], Settings],
    tools: Tools,
    guesses: Guesses,
    random_bytes: Callable[[int], bytes],
) -> Access:
    """Return what tells who sent a request; it lasts from start to stop."""
    sessions = Sessions(tools.link_key, tools.clock, random_bytes)
    return Access(lambda: settings().server, tools.store, tools.clock, guesses, sessions)


def watched(
    found: Iterable[Supervisor], clock: Clock, late: Callable[[Supervisor], float | None]
) -> list[Watched]:
    """Return what is known of watchers now."""
    now, monotonic = clock.now(), clock.monotonic()
    return [
        Watched(
            each.last,
            each.watcher.options.every,
            None if each.due is None else now + timedelta(seconds=each.due - monotonic),
            late(each),
            each.behind(monotonic),
        )
        for each in found
    ]


def heartbeats(settings: Settings) -> list[Heartbeat]:
    """Return the heartbeats, and the anchoring of the evidence, ready to beat."""
    anchoring = settings.evidence.anchoring(settings.timezone)
    beats: list[Heartbeat] = [each.built(settings.timezone) for each in settings.heartbeats]
    return beats if anchoring is None else [*beats, anchoring]


def senders(
    settings: Settings,
    tools: Tools,
    rules: Callable[[], Mapping[str, Rule]],
    acknowledged: Callable[[str], Acknowledgement | None],
) -> list[Sender]:
    """Return what sends to each channel, and looks up what it needs when it does."""
    shared = renderer(settings, tools.clock)
    return [
        Sender(
            channel,
            shared,
            tools.http,
            tools.clock,
            tools.reach,
            rules=rules,
            acknowledged=acknowledged,
            acknowledge_url=acknowledge_url(settings, tools, channel.name),
            traceparent=tools.telemetry.traceparent,
        )
        for channel in settings.destinations
    ]


def loops(
    found: list[Sender],
    tools: Tools,
    news: News,
    healths: dict[str, ChannelHealth],
    scene: Callable[[], Scene],
) -> list[ChannelLoop]:
    """Return the loops of all channels."""
    return [
        ChannelLoop(
            sender,
            tools.store,
            tools.clock,
            tools.source,
            news,
            healths.get(sender.channel.name),
            scene=scene,
            reach=tools.reach,
            telemetry=tools.telemetry,
        )
        for sender in found
    ]


def secrets(settings: Settings) -> tuple[str, ...]:
    """Return every secret that the settings hold, for redaction."""
    found = list(_of_store(settings.store.get_secret_value()))
    if settings.server.api_token is not None:
        found.append(settings.server.api_token.get_secret_value())
    for cluster in settings.clusters:
        found.append(cluster.password.get_secret_value())
        if cluster.proxy is not None:
            proxy = cluster.proxy.get_secret_value()
            found += [proxy, unquote(urlsplit(proxy).password or "")]
    for channel in settings.destinations:
        found.extend(channel.secrets())
    if settings.evidence.key is not None:
        key = settings.evidence.key.get_secret_value()
        found += [key, *(line for line in key.splitlines() if not line.startswith("-----"))]
    found += [hook.secret.get_secret_value() for hook in settings.hooks]
    for heartbeat in settings.heartbeats:
        for secret in (heartbeat.url, heartbeat.proxy):
            if secret is not None:
                found += [secret.get_secret_value(), *secret_parts(secret.get_secret_value())]
    for header in settings.telemetry.otlp_headers.values():
        found += [header.get_secret_value(), *secret_parts(header.get_secret_value())]
    return tuple(secret for secret in found if secret)


def _of_store(store: str) -> Iterator[str]:
    try:
        url = make_url(store)
    except (ArgumentError, ValueError):
        yield store
        return
    passwords = [str(url.password or ""), *url.normalized_query.get("password", ())]
    if any(passwords):
        yield from (store, *passwords)
