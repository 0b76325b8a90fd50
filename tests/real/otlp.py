"""A receiver of OTLP over HTTP that reads what is sent as the standard's own messages."""

import gzip
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.real.inbox import Inbox
from tests.real.loops import LoopThread, Site


@dataclass(frozen=True)
class Span:
    """A span as it came; ids as hexadecimal digits, `parent` empty for a first one, times in nanoseconds."""

    name: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    error: bool
    attributes: dict[str, Any] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    """The traces of what it is linked to."""
    resource: dict[str, Any] = field(default_factory=dict)


class OtlpReceiver:
    """Keeps every span; with `status` other than 200 it takes none."""

    def __init__(self, thread: LoopThread) -> None:
        self.spans: Inbox[Span] = Inbox()
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self._site = Site(thread, self._take)

    @property
    def url(self) -> str:
        return self._site.url

    def stop(self) -> None:
        self._site.stop()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if (request.method, request.path) != ("POST", "/v1/traces"):
            return web.Response(status=404)
        self.headers.append(dict(request.headers))
        if self.status != 200:
            return web.Response(status=self.status)
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = _plain(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                for each in of_scope.spans:
                    self.spans.add(_span(each, resource))
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")


def _span(each: Any, resource: dict[str, Any]) -> Span:
    return Span(
        name=each.name,
        trace=each.trace_id.hex(),
        id=each.span_id.hex(),
        parent=each.parent_span_id.hex(),
        start=each.start_time_unix_nano,
        end=each.end_time_unix_nano,
        error=each.status.code == 2,
        attributes=_plain(each.attributes),
        links=tuple(link.trace_id.hex() for link in each.links),
        resource=resource,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind)
