"""From settings to working parts."""

import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from relay.app.clients import Clients
from relay.channels.base import secret_parts
from relay.engine.dispatch import ChannelLoop
from relay.engine.heartbeat import Greeting, Switch
from relay.engine.intake import Setting
from relay.engine.own import News
from relay.engine.policy import About, Damping, Policy
from relay.engine.routing import Expression, Router
from relay.engine.sending import Sender
from relay.http import Http
from relay.model.clock import Clock
from relay.model.delivery import ChannelHealth
from relay.model.errors import StoreError
from relay.model.event import Event
from relay.model.observation import Report
from relay.model.steps import Reach
from relay.render import ExpressionError, Renderer, expression
from relay.settings import Settings
from relay.store import Store
from relay.watch import WATCHERS, Place, Watcher
from relay.watch.supervisor import Supervisor

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


def setting(settings: Settings, watchers: list[Watcher[Any]]) -> Setting:
    """Return what intake works by."""
    policy = Policy(
        damping={name: Damping(each.hold, each.keep) for name, each in settings.alerts.items()},
        severities=settings.severities,
        clusters={each.name: About(each.labels, each.annotations) for each in settings.clusters},
        failures={each.name: each.failures for each in settings.clusters},
    )
    watched = {watcher.watch: watcher.sources for watcher in watchers}
    pinged = [each.name for each in settings.heartbeats if each.url is not None]
    return Setting(policy, router(settings), watched, pinged)


def watchers(settings: Settings, tools: Tools) -> Iterator[Watcher[Any]]:
    """Yield the watchers of all clusters."""
    for cluster in settings.clusters:
        place = Place(
            cluster=cluster.name,
            msr=tools.clients.get(cluster),
            clock=tools.clock,
            read_cursor=tools.store.cursor,
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
    return [Supervisor(each, take, tools.clock, tools.source, store_failed) for each in found]


def heartbeats(settings: Settings) -> list[Switch | Greeting]:
    """Return the heartbeats, ready to beat."""
    return [each.built(settings.timezone) for each in settings.heartbeats]


def senders(settings: Settings, tools: Tools) -> list[Sender]:
    """Return what sends to each channel."""
    shared = renderer(settings, tools.clock)
    return [
        Sender(channel, shared, tools.http, tools.clock, tools.reach) for channel in settings.destinations
    ]


def loops(
    found: list[Sender], tools: Tools, news: News, healths: dict[str, ChannelHealth]
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
            reach=tools.reach,
        )
        for sender in found
    ]


def secrets(settings: Settings) -> tuple[str, ...]:
    """Return every secret that the settings hold, for redaction."""
    found = list(_of_store(settings.store.get_secret_value()))
    for cluster in settings.clusters:
        found.append(cluster.password.get_secret_value())
        if cluster.proxy is not None:
            proxy = cluster.proxy.get_secret_value()
            found += [proxy, unquote(urlsplit(proxy).password or "")]
    for channel in settings.destinations:
        found.extend(channel.secrets())
    for heartbeat in settings.heartbeats:
        for secret in (heartbeat.url, heartbeat.proxy):
            if secret is not None:
                found += [secret.get_secret_value(), *secret_parts(secret.get_secret_value())]
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
