"""One trace from the look that saw an event to every attempt to tell it, by OpenTelemetry.

A trace's id is the first 16 bytes of the event id's SHA-256, its first span's id the next 8: they follow from
what is stored anyway, so that a trace goes on in another process, after a restart, with nothing kept for it.
"""

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from relay import __version__
from relay.model.clock import Clock
from relay.model.delivery import Delivery, Outcome
from relay.model.event import Event
from relay.model.observation import Watch
from relay.model.plan import Plan
from relay.model.telemetry import Attempted, Telemetry

_PATH: Final = "/v1/traces"
_QUEUE: Final = 20_000
"""Spans that wait to be exported; a page of the changefeed is a thousand events."""
_MOST_LINKS: Final = 128
_CLOSING: Final = 3.0
_CLOSING_AT_ONCE: Final = 1.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class _Span:
    """One span to be told: its name, when it began and ended, and what it is about."""

    name: str
    context: SpanContext
    parent: SpanContext | None
    began: datetime
    ended: datetime
    about: Mapping[str, AttributeValue | None]
    kind: SpanKind = SpanKind.INTERNAL
    links: Sequence[Link] = ()
    status: Status = field(default_factory=Status)


class Tracing(Telemetry):
    """Exports spans to an OTLP receiver over HTTP, from a thread of its own: nobody waits for it.

    ``endpoint`` is the receiver's URL, with or without ``/v1/traces``. Sampling, batches, timeouts and
    resource attributes are those of the standard's environment variables.
    """

    def __init__(self, endpoint: str, headers: Mapping[str, str], clock: Clock) -> None:
        self._clock = clock
        ours = Resource({"service.name": "msr-relay", "service.version": __version__})
        self._provider = TracerProvider(
            resource=Resource.create().merge(ours).merge(OTELResourceDetector().detect()),
            shutdown_on_exit=False,
        )
        base = endpoint.rstrip("/")
        url = base if base.endswith(_PATH) else base + _PATH
        self._exporter = OTLPSpanExporter(endpoint=url, headers=dict(headers) or None)
        self._processor = BatchSpanProcessor(self._exporter, max_queue_size=_QUEUE)
        self._provider.add_span_processor(self._processor)
        self._scope = InstrumentationScope("relay", __version__)
        self._looks: dict[Watch, datetime] = {}

    def close(self) -> None:
        """Export what waits; blocks for a few seconds at most: whoever is gone must not hold up a stop."""
        # A daemon: what still hangs then ends with the process.
        ending = threading.Thread(target=self._provider.shutdown, name="traces end", daemon=True)
        ending.start()
        ending.join(_CLOSING)
        if ending.is_alive():
            # It would try again for a while.
            self._exporter.shutdown()  # type: ignore[no-untyped-call]
            ending.join(_CLOSING_AT_ONCE)

    def looking(self, watch: Watch, at: datetime) -> None:
        """Remember when a look began: the traces of what it sees begin there."""
        self._looks[watch] = at

    def committed(self, watch: Watch | None, plan: Plan) -> None:
        """Tell of each event how it was seen and how it was decided where it goes."""
        now = self._clock.now()
        began = None if watch is None else self._looks.get(watch)
        ways: dict[str, list[str]] = {}
        for delivery in plan.deliveries:
            for id in delivery.events:
                ways.setdefault(id, []).append(delivery.id)
        for event in plan.events:
            root = self._root(event.id)
            decided = event.seen_at if plan.at is None else plan.at
            about = _about(event)
            seen = event.seen_at if began is None else min(began, event.seen_at)
            name = "look" if watch is None else f"look {watch.watcher}"
            self._tell(_Span(name, root, None, seen, now, about))
            inner = self._context(event.id, "intake", event.id)
            took = ways.get(event.id, [])
            routed: dict[str, AttributeValue | None] = {"msr_relay.routed": event.id not in plan.unrouted}
            self._tell(_Span("intake", inner, root, decided, now, {**routed, "msr_relay.deliveries": took}))

    def attempted(self, attempted: Attempted) -> None:
        """Tell of an attempt in the trace of the first event that it tells, with links to the others'."""
        delivery = attempted.delivery
        first, *others = delivery.events
        links = [Link(self._root(id)) for id in others[:_MOST_LINKS]]
        failed = attempted.outcome is not Outcome.DELIVERED
        self._tell(
            _Span(
                f"deliver {attempted.kind}",
                self._attempt(delivery, delivery.attempts),
                self._root(first),
                attempted.at,
                self._clock.now(),
                {
                    "msr_relay.channel": delivery.channel,
                    "msr_relay.delivery.id": delivery.id,
                    "msr_relay.rule": delivery.rule,
                    "msr_relay.reason": delivery.reason.value,
                    "msr_relay.attempt": delivery.attempts,
                    "msr_relay.outcome": attempted.outcome.value,
                    "msr_relay.state": delivery.state.value,
                    "http.response.status_code": attempted.status,
                },
                SpanKind.CLIENT,
                links,
                Status(StatusCode.ERROR, attempted.error) if failed else Status(StatusCode.OK),
            )
        )

    def traceparent(self, delivery: Delivery) -> str | None:
        """Return the header by which the receiver goes on with the trace (https://www.w3.org/TR/trace-context/)."""
        context = self._attempt(delivery, delivery.attempts + 1)
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def _root(self, event: str) -> SpanContext:
        digest = hashlib.sha256(event.encode()).digest()
        return self._made(event, digest[16:24])

    def _attempt(self, delivery: Delivery, number: int) -> SpanContext:
        return self._context(delivery.events[0], "attempt", delivery.id, str(number))

    def _context(self, event: str, *what: str) -> SpanContext:
        return self._made(event, hashlib.sha256("/".join(what).encode()).digest()[:8])

    def _made(self, event: str, span: bytes) -> SpanContext:
        trace = int.from_bytes(hashlib.sha256(event.encode()).digest()[:16], "big")
        # By the trace's id alone: every process decides alike.
        decision = self._provider.sampler.should_sample(None, trace, "look").decision
        sampled = decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        return SpanContext(trace, int.from_bytes(span, "big"), is_remote=False, trace_flags=flags)

    def _tell(self, span: _Span) -> None:
        if not span.context.trace_flags.sampled:
            return
        self._processor.on_end(
            ReadableSpan(
                span.name,
                span.context,
                span.parent,
                self._provider.resource,
                {name: value for name, value in span.about.items() if value is not None},
                links=span.links,
                kind=span.kind,
                status=span.status,
                start_time=_nanoseconds(span.began),
                end_time=_nanoseconds(max(span.began, span.ended)),
                instrumentation_scope=self._scope,
            )
        )


def _about(event: Event) -> dict[str, AttributeValue | None]:
    return {
        "msr_relay.event.id": event.id,
        "msr_relay.event.type": event.type,
        "msr_relay.event.status": event.status.value,
        "msr_relay.alert.id": event.alert,
        "msr_relay.cluster": event.cluster,
        "msr_relay.severity": event.severity.value,
        "msr_relay.subject": event.subject.name,
    }


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000
