"""What the relay counts and measures of itself, in Prometheus' form.

Names and units follow https://prometheus.io/docs/practices/naming/. Labels are what is configured, and words
of the product: never a repository, an id or a text, of which there may be any number.
"""

import collections
import platform
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder

from relay import __version__
from relay.model.alert import Alert
from relay.model.catalogue import CATALOGUE
from relay.model.clock import Clock
from relay.model.delivery import ChannelHealth, ChannelState, Delivery, DeliveryState, Outcome, Reason
from relay.model.errors import StoreError
from relay.model.event import Status
from relay.model.observation import Watch
from relay.model.plan import Plan, Rewrite
from relay.model.telemetry import STORING, Attempted, Looked, LookOutcome, Telemetry, cause_of
from relay.store import CursorMovedError, Queue

_PREFIX: Final = "msr_relay"
_SENT: Final = (DeliveryState.DELIVERED, DeliveryState.PARTIAL)
_STORE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ANSWER_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)
_WAIT_BUCKETS: Final = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 21600, 86400)


@dataclass(frozen=True, slots=True)
class WatchAge:
    """How long ago, in seconds, a watcher's last look ended, and the last one began that read everything.

    Before there was one, both count from the start of the relay.
    """

    watch: Watch
    looked: float
    read: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at the moment of a scrape; ``queues`` is None where the store could not be read.

    ``troubles`` is what keeps the relay from being ready. ``holder`` is who runs on the store.
    """

    now: datetime
    holder: str
    troubles: Mapping[str, str] = field(default_factory=dict)
    channels: Sequence[ChannelHealth] = ()
    queues: Mapping[str, Queue] | None = None
    alerts: Collection[Alert] = ()
    watches: Sequence[WatchAge] = ()


@dataclass(frozen=True, slots=True)
class Described:
    """One metric, for those who read about it: its full name, its type, labels, and what it says."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


class _Family:
    """Makes metrics in one registry, and remembers what they are."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.described: list[Described] = []

    def counter(self, name: str, about: str, *labels: str) -> Counter:
        self._describe(f"{name}_total", "counter", about, labels)
        return Counter(name, about, labels, namespace=_PREFIX, registry=self._registry)

    def gauge(self, name: str, about: str, *labels: str) -> Gauge:
        self._describe(name, "gauge", about, labels)
        return Gauge(name, about, labels, namespace=_PREFIX, registry=self._registry)

    def histogram(self, name: str, about: str, buckets: Sequence[float], *labels: str) -> Histogram:
        self._describe(name, "histogram", about, labels)
        return Histogram(name, about, labels, namespace=_PREFIX, registry=self._registry, buckets=buckets)

    def _describe(self, name: str, kind: str, about: str, labels: tuple[str, ...]) -> None:
        self.described.append(Described(f"{_PREFIX}_{name}", kind, labels, about))


class Metrics(Telemetry):
    """Counts what it is told; ``exposition`` adds how things stand. ``registry`` holds all of it."""

    def __init__(self, clock: Clock, registry: CollectorRegistry | None = None) -> None:
        # They double the number of series, and say nothing that a restart does not show anyway.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry or CollectorRegistry()
        self._clock = clock
        make = _Family(self.registry)
        self._look = make.histogram(
            "look_seconds",
            "How long looks of watchers took, by how they ended (read, partial, unread, store, crashed).",
            _ANSWER_BUCKETS,
            *("cluster", "watcher", "outcome"),
        )
        self._look_failures = make.counter(
            "look_failures",
            "Sources that a look could not read, by sort of cause; replica is empty where it is a feed.",
            *("cluster", "watcher", "replica", "cause"),
        )
        self._events = make.counter(
            "events", "Events that were committed; status tells one-offs, firing and resolved alerts apart.",
            *("cluster", "type", "status"),
        )  # fmt: skip
        self._unrouted = make.counter("events_unrouted", "Events that no rule took.", "type")
        self._event_lag = make.histogram(
            "event_lag_seconds",
            "From when a one-off event happened, by the clock of who told it, until the relay saw it.",
            _WAIT_BUCKETS,
            "cluster",
        )
        self._matches = make.counter("rule_matches", "Events that a rule took.", "rule")
        self._evidence = make.counter("evidence_entries", "Entries added to the evidence.", "kind")
        self._decided = make.counter(
            "deliveries_decided",
            "Deliveries that were decided, without replays, by why they are told.",
            "channel",
            "reason",
        )
        self._deliveries = make.counter(
            "deliveries",
            "Deliveries that came to a state other than pending: sent, given up, held back, put together. "
            "Those that the end of an alert makes needless before they are due are not counted. Replays are, "
            "though nothing was decided anew: so there may be more than in deliveries_decided_total.",
            *("channel", "state", "reason"),
        )
        self._delivery = make.histogram(
            "delivery_seconds",
            "From when a delivery could first have gone out until the receiver had it, retries and all.",
            _WAIT_BUCKETS,
            "channel",
        )
        self._attempt = make.histogram(
            "attempt_seconds", "How long attempts took, by outcome.", _ANSWER_BUCKETS, "channel", "outcome"
        )
        self._store = make.histogram(
            "store_seconds",
            "How long uses of the store took until they were durable, or read, with the wait for their turn.",
            _STORE_BUCKETS,
            "operation",
        )
        self._store_errors = make.counter("store_errors", "Uses of the store that failed.", "operation")
        self._gauges = _Gauges(make)
        self.described: Sequence[Described] = tuple(make.described)
        ProcessCollector(registry=self.registry)

    def know(self, channels: Iterable[str], rules: Iterable[str], watches: Iterable[Watch]) -> None:
        """Show what is configured with zeros before anything has happened, so that a rate sees the first."""
        for channel in channels:
            self._delivery.labels(channel)
            for outcome in Outcome:
                self._attempt.labels(channel, outcome)
            for state, reason in product((*_SENT, DeliveryState.DEAD), Reason):
                self._deliveries.labels(channel, state, reason)
        for rule in rules:
            self._matches.labels(rule)
        # Of the outcomes only those that are waited for: each is a histogram, and watches may be thousands.
        for watch, ended in product(watches, (LookOutcome.READ, LookOutcome.CRASHED)):
            self._look.labels(watch.cluster or "", watch.watcher, ended)
        for event_type in CATALOGUE:
            self._unrouted.labels(event_type)
        for operation in STORING:
            self._store.labels(operation)
            self._store_errors.labels(operation)

    def exposition(self, standing: Standing, accept: str) -> tuple[bytes, str]:
        """Return everything as it stands now, in the form that is accepted, with its content type."""
        self._gauges.set(standing)
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def looked(self, looked: Looked) -> None:
        """Count a look, and what it could not read."""
        cluster, watcher = looked.watch.cluster or "", looked.watch.watcher
        self._look.labels(cluster, watcher, looked.outcome).observe(looked.seconds)
        for failure in looked.failures:
            replica = failure.source if failure.source in looked.replicas else ""
            self._look_failures.labels(cluster, watcher, replica, cause_of(failure)).inc()

    def committed(self, watch: Watch | None, plan: Plan) -> None:
        """Count events, who takes them, and what is to be sent."""
        del watch
        kinds = collections.Counter((event.cluster or "", event.type, event.status) for event in plan.events)
        for labels, many in kinds.items():
            self._events.labels(*labels).inc(many)
        unrouted = collections.Counter(event.type for event in plan.events if event.id in plan.unrouted)
        for type_name, many in unrouted.items():
            self._unrouted.labels(type_name).inc(many)
        for cluster in {cluster for cluster, _, status in kinds if status is Status.EVENT and cluster}:
            lag = self._event_lag.labels(cluster)
            for event in plan.events:
                if event.status is Status.EVENT and event.cluster == cluster:
                    lag.observe(_seconds(event.happened_at, event.seen_at))
        for rule, _ in {(each.rule, id) for each in plan.deliveries for id in each.events}:
            self._matches.labels(rule).inc()
        for delivery in plan.deliveries:
            self._create(delivery)
        for kind, many in collections.Counter(draft.kind for draft in plan.evidence).items():
            self._evidence.labels(kind).inc(many)

    def attempted(self, attempted: Attempted) -> None:
        """Count an attempt, and what it made of its delivery."""
        delivery = attempted.delivery
        self._attempt.labels(delivery.channel, attempted.outcome).observe(attempted.seconds)
        if delivery.state is not DeliveryState.PENDING:
            self._come_to(delivery)
        if delivery.state in _SENT:
            ended = delivery.finished_at or self._clock.now()
            self._delivery.labels(delivery.channel).observe(_seconds(delivery.waiting_since, ended))

    def rewritten(self, before: Mapping[str, Delivery], rewrite: Rewrite) -> None:
        """Count what became of what waits; what stays as it was counts no second time."""
        for delivery in rewrite.changed:
            was = before.get(delivery.id)
            if delivery.state is not DeliveryState.PENDING and (
                was is None or was.state is not delivery.state
            ):
                self._come_to(delivery)
        for delivery in rewrite.added:
            self._create(delivery)

    @contextmanager
    def storing(self, operation: str) -> Iterator[None]:
        """Measure one use of the store."""
        began = self._clock.monotonic()
        try:
            yield
        except CursorMovedError:
            # The store works: somebody else was faster.
            raise
        except StoreError:
            self._store_errors.labels(operation).inc()
            raise
        finally:
            self._store.labels(operation).observe(self._clock.monotonic() - began)

    def _create(self, delivery: Delivery) -> None:
        self._decided.labels(delivery.channel, delivery.reason).inc()
        if delivery.state is not DeliveryState.PENDING:
            self._come_to(delivery)

    def _come_to(self, delivery: Delivery) -> None:
        self._deliveries.labels(delivery.channel, delivery.state, delivery.reason).inc()


class _Gauges:
    """What is not counted but looked up when somebody asks."""

    def __init__(self, make: _Family) -> None:
        self._look_age = make.gauge(
            "look_age_seconds", "How long ago a watcher's last look ended.", "cluster", "watcher"
        )
        self._lag = make.gauge(
            "changefeed_lag_seconds",
            "How long ago the last look began that read every feed of the cluster to its end, or the relay "
            "started: what was in the feed before that is known.",
            "cluster",
        )
        self._alerts = make.gauge(
            "alerts", "Alerts that are pending or firing.", "cluster", "type", "severity", "state"
        )
        self._queue = make.gauge(
            "queue_deliveries", "Deliveries that are not finished, by state.", "channel", "state"
        )
        self._ready_deliveries = make.gauge(
            "queue_ready_deliveries",
            "Deliveries that could have gone out by now: they wait for their turn, or for their receiver.",
            "channel",
        )
        self._oldest = make.gauge(
            "queue_oldest_ready_age_seconds",
            "For how long the oldest of those has waited; 0 where there is none.",
            "channel",
        )
        self._channel = make.gauge(
            "channel_state",
            "1 for the state that a channel is in: working, failing (its circuit is open), held, disabled.",
            *("channel", "state"),
        )
        self._failures = make.gauge(
            "channel_consecutive_failures",
            "Attempts that failed in a row, up to now.",
            "channel",
        )
        self._ready = make.gauge("ready", "1 if /readyz says that the relay is ready, else 0.")
        self._store_up = make.gauge(
            "store_up", "1 if the store could be read for this scrape; where it is 0, the queues are missing."
        )
        self._holder = make.gauge(
            "lease_holder", "1 for the machine whose process runs on the store; only one can.", "holder"
        )
        build = make.gauge("build_info", "1; the labels are the release and its Python.", "version", "python")
        build.labels(__version__, platform.python_version()).set(1)

    def set(self, standing: Standing) -> None:
        for each in (self._look_age, self._lag, self._alerts, self._queue, self._ready_deliveries):
            each.clear()
        for each in (self._oldest, self._channel, self._failures, self._holder):
            each.clear()
        self._holder.labels(standing.holder).set(1)
        self._ready.set(not standing.troubles)
        self._store_up.set(standing.queues is not None)
        for watched in standing.watches:
            cluster, watcher = watched.watch.cluster or "", watched.watch.watcher
            self._look_age.labels(cluster, watcher).set(watched.looked)
            if watcher == "changefeed":
                self._lag.labels(cluster).set(watched.read)
        for alert in standing.alerts:
            self._alerts.labels(alert.cluster or "", alert.type, alert.severity.value, alert.state).inc()
        for health in standing.channels:
            for state in ChannelState:
                self._channel.labels(health.channel, state).set(health.state is state)
            self._failures.labels(health.channel).set(health.failures)
        if standing.queues is not None:
            names = {health.channel for health in standing.channels} | set(standing.queues)
            for name in names:
                self._set_queue(name, standing.queues.get(name, Queue()), standing.now)

    def _set_queue(self, channel: str, queue: Queue, now: datetime) -> None:
        self._queue.labels(channel, DeliveryState.PENDING).set(0)
        for state, count in queue.states.items():
            self._queue.labels(channel, state).set(count)
        self._ready_deliveries.labels(channel).set(queue.ready)
        age = 0.0 if queue.ready_since is None else _seconds(queue.ready_since, now)
        self._oldest.labels(channel).set(age)


def _seconds(since: datetime, until: datetime) -> float:
    """Return the seconds between two times, 0 where a clock says that they passed backwards."""
    return max(0.0, (until - since).total_seconds())
