"""``/api/v1/stream``: server-sent events (WHATWG HTML, 9.2), one per event of the relay's, as it happens."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final

from aiohttp import web

from relay.model.access import Scope
from relay.model.clock import Clock
from relay.model.errors import StoreError
from relay.model.patterns import Patterns
from relay.server.access import require
from relay.server.api.documents import EventDocument
from relay.server.api.handler import ROOT
from relay.server.api.problems import bad_request
from relay.server.refused import RefusedError
from relay.server.service import Service
from relay.server.stream import Item, Stream
from relay.server.turns import Turns

PATH: Final = ROOT + "/stream"
MOST: Final = 200
"""So many may listen at the same time."""
MOST_EACH: Final = 100
"""So many may listen under one name."""
_BEHIND: Final = 0.2
"""Seconds between two pages for who is behind."""
_QUIET: Final = 15.0
"""After so many seconds without anything to say a comment is sent, so that proxies keep the line open; and so
often it is asked again who listens."""
_WRITE: Final = 10.0
_WRITTEN: Final = 500
"""So many events are kept as they are sent."""
_TICK: Final = 1.0
"""Seconds between two words that something else than events has changed."""


class Live:
    """Serves the stream."""

    def __init__(
        self,
        service: Callable[[], Service],
        stream: Callable[[], Stream],
        clock: Clock,
        turns: Turns,
    ) -> None:
        self._service = service
        self._stream = stream
        self._clock = clock
        self._turns = turns
        self._listening: Counter[str] = Counter()
        self._texts: dict[int, bytes] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return what is to be routed here."""
        return [web.get(PATH, self.listen, allow_head=False)]

    async def listen(self, request: web.Request) -> web.StreamResponse:
        """Send what happens until the client goes. Raises RefusedError, StoreError."""
        service, stream = self._service(), self._stream()
        who = await service.access.principal(request)
        require(who, Scope.READ)
        place = _place(request, stream.newest)
        types = _patterns(request.query.get("type"))
        if self._listening.total() >= MOST or self._listening[who.name] >= MOST_EACH:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"{MOST} listen already, or {MOST_EACH} under your name.",
                "Try again later, or read /events.",
                headers={"Retry-After": "30"},
            )
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        self._listening[who.name] += 1
        try:
            await response.prepare(request)
            # How long a browser waits before it comes back, in milliseconds.
            await response.write(b"retry: 3000\n\n")
            await self._send(request, response, stream, place, types)
        except (ConnectionError, TimeoutError):
            # It went, or does not read: it comes back with the id of what it had last.
            pass
        except (RefusedError, StoreError):
            # The answer has begun, so there is no other: it ends, and who comes back is told why.
            pass
        finally:
            self._listening[who.name] -= 1
            self._listening += Counter()
        return response

    async def _send(
        self,
        request: web.Request,
        response: web.StreamResponse,
        stream: Stream,
        place: int,
        types: Patterns | None,
    ) -> None:
        changes, asked = stream.changes, self._clock.monotonic()
        if place > stream.newest:
            # Of another store, or of a later state of this one: what it counted from is not there.
            place = stream.newest
            await response.write(b"event: reset\ndata: {}\n\n")
        while not stream.closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_QUIET):
                    await stream.wait(place, changes)
            said = b""
            kept = stream.keeps(place)
            # What is no longer kept is read as pages are: in turn, and no more than so fast.
            items = await (stream.after(place) if kept else self._turns.take(partial(stream.after, place)))
            for item in items:
                place = item.seq
                if types is None or types.match(item.event.type):
                    said += self._written(item) if kept else _text(item)
            if not kept:
                await self._clock.sleep(_BEHIND)
            if stream.changes > changes:
                changes = stream.changes
                said += b"event: changed\ndata: {}\n\n"
            if self._clock.monotonic() - asked >= _QUIET:
                require(await self._service().access.principal(request), Scope.READ)
                asked = self._clock.monotonic()
            said = said or b": quiet\n\n"
            async with asyncio.timeout(_WRITE):
                await response.write(said)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await stream.wait(place, stream.changes + 1)

    def _written(self, item: Item) -> bytes:
        """Return an event as it is sent: written once for all who listen."""
        found = self._texts.get(item.seq)
        if found is None:
            found = _text(item)
            if len(self._texts) >= _WRITTEN:
                self._texts.clear()
            self._texts[item.seq] = found
        return found


def _text(item: Item) -> bytes:
    # JSON has no line break outside of its strings, and none inside.
    text = EventDocument.model_validate(item.event).model_dump_json()
    return f"id: {item.seq}\nevent: event\ndata: {text}\n\n".encode()


def _place(request: web.Request, newest: int) -> int:
    given = request.headers.get("Last-Event-ID", request.query.get("after", ""))
    if not given:
        return newest
    if not (given.isascii() and given.isdigit()) or len(given) > 18:
        raise bad_request("Last-Event-ID must be the id of an event of this stream.")
    return int(given)


def _patterns(given: str | None) -> Patterns | None:
    if given is None:
        return None
    return Patterns(given.split(","))
