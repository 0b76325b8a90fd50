"""How a message would look: rendered aside, composed by its channel, sent to nobody."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from relay.channels import BadBody, Channel, SendError, channel_type
from relay.engine.showing import own_template, sample_link
from relay.model.delivery import Message
from relay.model.errors import NotFoundError
from relay.model.near import near
from relay.render import Renderer, Telling, TemplateError
from relay.render.aside import Aside
from relay.render.jobs import Job

_DOUBTS: Final = 20


@dataclass(frozen=True, slots=True)
class Sketch:
    """A message to look at: for a channel or, where there is none, a kind of channel; and what it tells.

    ``template`` is the name of one; None: that of the event's type. ``typed`` are templates by the part that
    they make, in place of those of that name.
    """

    kind: str
    channel: Channel | None
    telling: Telling
    template: str | None = None
    typed: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """How a message would look, as far as it got.

    ``body`` is what would be sent, None for a kind that cannot say; ``headers`` go with it. ``doubts`` are
    for its author. ``error`` tells that a template is wrong: the relay would send a plain form.
    """

    kind: str
    parts: Mapping[str, str] | None = None
    message: Message | None = None
    body: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    doubts: tuple[str, ...] = ()
    error: TemplateError | None = None


async def preview(sketch: Sketch, aside: Aside, renderer: Renderer, zone: str, now: datetime) -> Preview:
    """Return how a message would look. ``renderer`` has the configured templates.

    Raises NotFoundError for a template or part that there is not, TooManyError and RenderingError.
    """
    try:
        parts = await aside.render(_job(sketch, renderer, zone, now))
    except TemplateError as error:
        return Preview(sketch.kind, error=error)
    return await asyncio.to_thread(_composed, sketch, parts, now)


def _job(sketch: Sketch, renderer: Renderer, zone: str, now: datetime) -> Job:
    kind, telling = sketch.kind, sketch.telling
    wanted = channel_type(kind)
    name = sketch.template or telling.type
    for part in sketch.typed or ():
        if part not in wanted.PARTS:
            raise NotFoundError(f"{kind} has no part {part}: {near(part, wanted.PARTS)}")
    own = name if sketch.typed else own_template(renderer, kind, name, telling.type)
    link = sample_link(renderer.public_url) if renderer.public_url else None
    return Job(
        kind,
        wanted.PARTS,
        telling,
        now,
        template=own,
        typed={f"{kind}/{name}.{part}.j2": text for part, text in (sketch.typed or {}).items()},
        directories=renderer.directories,
        zone=zone,
        public_url=renderer.public_url,
        acknowledge=link if wanted.ACKNOWLEDGES else None,
    )


def _composed(sketch: Sketch, parts: Mapping[str, str], now: datetime) -> Preview:
    telling, channel = sketch.telling, sketch.channel
    message = Message(
        id=telling.delivery,
        type=telling.type,
        status=telling.event.status,
        severity=telling.severity,
        timestamp=telling.events[-1].happened_at,
        at=now,
        thread=telling.thread,
        parts=parts,
        whole=not telling.grouped,
    )
    found = Preview(sketch.kind, parts, message)
    if channel is None:
        return found
    try:
        body = channel.compose(message)
        headers, doubts = channel.headers_shown(message), channel.doubts(message, body)[:_DOUBTS]
    except (BadBody, SendError) as error:
        said = error.message
    except RecursionError:
        said = "what it makes is nested too deeply"
    else:
        return replace(found, body=body, headers=headers, doubts=doubts)
    name = f"{sketch.kind}/{sketch.template or telling.type}"
    return replace(found, error=TemplateError(name, None, said))
