"""Trying things without consequences: what a message would look like, what would become of an event."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from relay.channels import Channel, channel_type, kinds
from relay.channels.samples import sample_channel
from relay.engine.draft import Rules
from relay.engine.explanation import GROUPS, Explained, explain
from relay.engine.given import EventError, Found, given_document, given_type
from relay.engine.inhibition import Inhibitions
from relay.engine.preview import Preview, Sketch, preview
from relay.engine.showing import GROUP, ReasonError, Shape, aged, telling_of
from relay.model.errors import NotFoundError
from relay.model.near import near
from relay.render.aside import RenderingError, TooManyError
from relay.server.refused import RefusedError
from relay.server.service import Service

TYPED: Final = 64 * 1024
"""Characters that a typed template may have."""
MANY: Final = 20
"""So many things a previewed message is about at the most."""
_FAR: Final = timedelta(days=366)
_PASTED: Final = "document"


@dataclass(frozen=True, slots=True)
class Given:
    """The event that is meant: the sample of a type, a stored one by its id, or a pasted document."""

    type: str | None = None
    id: str | None = None
    document: Mapping[str, Any] | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The message that is to be looked at: for a kind of channel, or for a configured one."""

    kind: str | None = None
    channel: str | None = None
    template: str | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
    given: Given = field(default_factory=Given)
    shape: Shape = field(default_factory=Shape)


@dataclass(frozen=True, slots=True)
class Looked:
    """A preview, with what it is of."""

    found: Found
    template: str
    channel: str | None
    preview: Preview


async def look(service: Service, wanted: Wanted) -> Looked:
    """Return how a message would look.

    Raises NotFoundError for names that there are not, and RefusedError for what makes no message.
    """
    now = service.operator.clock.now()
    channel = _channel(service, wanted)
    kind = _kind(wanted, channel)
    name = (wanted.template or "").removesuffix(".j2")
    plain = wanted.given == Given(status=wanted.given.status)
    given = replace(wanted.given, type=wanted.shape.type_of(name)) if plain else wanted.given
    with _refused():
        found = await find(service, given)
        event = found.event if given.type is None else aged(found.event, wanted.shape.reason, now)
        mixed = name == GROUP and plain
        telling = telling_of(event, wanted.shape, wanted.channel or "sample", mixed=mixed)
        sketch = Sketch(kind, channel or sample_channel(kind), telling, name or None, wanted.typed)
        seen = await preview(sketch, service.aside, service.renderer, service.settings.timezone, now)
    return Looked(found, name or telling.type, wanted.channel, seen)


async def find(service: Service, given: Given) -> Found:
    """Return the event that is meant. Raises NotFoundError, EventError."""
    world = service.settings.surroundings
    if given.id is not None:
        stored = (await service.operator.store.events([given.id])).get(given.id)
        if stored is None:
            raise NotFoundError(f"there is no event {given.id}: it may be no longer kept")
        return Found(stored)
    if given.document is not None:
        return given_document(_PASTED, dict(given.document), given.status, world)
    return given_type(given.type or "trust.deleted", given.status, world)


async def explained(service: Service, given: Given, at: datetime | None) -> Explained:
    """Return what would become of an event that is taken in at a time, now by default.

    Raises NotFoundError, RefusedError.
    """
    now = service.operator.clock.now()
    when = now if at is None else at
    if abs(when - now) > _FAR:
        raise _unusable("at: has to be within a year from now.")
    with _refused():
        found = await find(service, given)
        settings, running = service.settings, service.running()
        rules = Rules(running.router, Inhibitions(settings.inhibit), settings.times)
        groups = await service.operator.store.groups(when - GROUPS)
        digests = {each.name: each.digest_after for each in settings.destinations}
        return explain(found, rules, running.scene, groups, digests, when)


@contextmanager
def _refused() -> Iterator[None]:
    try:
        yield
    except (EventError, ReasonError) as error:
        raise _unusable(f"{error}.") from None
    except OverflowError:
        raise _unusable("A time in it is beyond the calendar.") from None
    except (TooManyError, RenderingError) as error:
        wait = {"Retry-After": "5"}
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}.", headers=wait) from None


def _unusable(text: str) -> RefusedError:
    return RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, text[:1].upper() + text[1:])


def _channel(service: Service, wanted: Wanted) -> Channel | None:
    if wanted.channel is None:
        return None
    known = {each.name: each for each in service.settings.destinations}
    if wanted.channel not in known:
        raise NotFoundError(f"there is no channel {wanted.channel}: {near(wanted.channel, known)}")
    return known[wanted.channel]


def _kind(wanted: Wanted, channel: Channel | None) -> str:
    kind = wanted.kind
    if channel is not None:
        if kind not in (None, channel.kind):
            raise NotFoundError(f"channel {channel.name} is of kind {channel.kind}, not {kind}")
        return channel.kind
    if kind is None or kind not in kinds():
        raise NotFoundError(f"there is no kind of channel {kind or ''}: {near(kind or '', kinds())}")
    channel_type(kind)
    return kind
