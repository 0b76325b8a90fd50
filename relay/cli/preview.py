"""``msr-relay render``: a message as a channel would get it, without sending it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count, islice
from pathlib import Path

from rich.text import Text

from relay.app import build
from relay.channels import channel_type, kinds
from relay.cli.event_source import find_event
from relay.cli.opening import configure, near
from relay.cli.output import clean, console, print_json
from relay.model.catalogue import CATALOGUE
from relay.model.clock import Clock, SystemClock
from relay.model.delivery import Reason
from relay.model.errors import Exit, NotFoundError, RelayError
from relay.model.event import Event, Status
from relay.model.samples import sample
from relay.render import Telling
from relay.settings import Settings

_GROUP = "group"
_LISTED = 1000
"""So many events one message holds at the most; the rest is counted."""
_STANDS = timedelta(hours=8)
"""How long the alert of a repeat has fired."""


class ReasonError(RelayError):
    """There is no such message."""

    exit = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Shape:
    """What message to show: of how many things (None: one), and why it is told."""

    group: int | None = None
    reason: Reason | None = None


def shape(group: int | None, reason: str | None) -> Shape:
    """Return what the options ask for. Raises ReasonError for a word that is no reason."""
    if reason is not None and reason not in list(Reason):
        raise ReasonError(f"there is no reason {clean(reason)}: {near(reason, Reason)}")
    return Shape(group, None if reason is None else Reason(reason))


def render(
    config: Path | None,
    template: str,
    event: str | None,
    kind: str | None,
    status: str | None,
    channel: str | None,
    wanted: Shape,
    *,
    as_json: bool,
) -> None:
    """Print the parts of a message.

    Raises TemplateError, NotFoundError for names that there are not, ReasonError.
    """
    settings = configure(config).settings
    folder, _, name = template.rpartition("/")
    kind = _kind(settings, folder or kind, channel)
    name = name.removesuffix(".j2")
    source = event or _source(name, wanted)
    clock = SystemClock()
    found = find_event(source, status, settings)
    first = _aged(found.event, wanted.reason, clock) if source in CATALOGUE else found.event
    mixed = name == _GROUP and event is None
    telling = _telling(first, mixed, wanted, channel or "sample")
    if channel_type(kind).ACKNOWLEDGES and settings.server.public_url:
        link = f"{settings.server.public_url}/acknowledge/sample"
        telling = replace(telling, acknowledge_url=lambda _thread: link)
    renderer = build.renderer(settings, clock)
    if name not in renderer.names(kind) and name not in (found.event.type, _GROUP):
        known = {*renderer.names(kind), *CATALOGUE}
        raise NotFoundError(f"there is no template {name} for {kind}: {near(name, known)}")
    own = None if name in (found.event.type, _GROUP) else name
    parts = renderer.render(kind, channel_type(kind).PARTS, telling, own)
    if as_json:
        document = {"kind": kind, "template": name, "event": found.event.type, "note": found.note}
        print_json({**document, "parts": parts})
        return
    out = console()
    if found.note:
        out.print(Text(f"note: {found.note}", "dim"))
    for part, text in parts.items():
        out.print(Text.assemble((f"── {part} ──", "bold")))
        out.print(Text(_shown(part, text)), soft_wrap=True)


def _source(name: str, wanted: Shape) -> str:
    """Return the type to show if no event is given."""
    if name in CATALOGUE:
        return name
    return "replica.unhealthy" if wanted.reason is Reason.REPEAT else "trust.deleted"


def _aged(event: Event, reason: Reason | None, clock: Clock) -> Event:
    """Return a sample as one that began some time ago, where the message says for how long."""
    if reason not in (Reason.REPEAT, Reason.ESCALATION) or event.status is Status.RESOLVED:
        return event
    began = clock.now() - (_STANDS if reason is Reason.REPEAT else timedelta(minutes=15))
    return replace(event, happened_at=began, seen_at=began, starts_at=event.starts_at and began)


def _telling(first: Event, mixed: bool, wanted: Shape, channel: str) -> Telling:
    reason = wanted.reason
    if reason is Reason.REPEAT and first.status is not Status.FIRING:
        raise ReasonError(f"only an alert that fires is repeated: {first.type} is {first.status}")
    most = wanted.group or (len(CATALOGUE) if mixed else 1)
    if most == 1 and not mixed:
        if reason in (Reason.GROUP, Reason.DIGEST):
            raise ReasonError(f"a {reason} is about several things: give --group N")
        events: tuple[Event, ...] = (first,)
    else:
        events = tuple(islice(_several(first, mixed), min(most, _LISTED)))
        reason = reason or Reason.GROUP
    about = None if first.cluster is None else {"cluster": first.cluster}
    return Telling(
        events,
        "sample",
        channel,
        "dlv_sample",
        thread=events[0].thread if len(events) == 1 else "grp_sample",
        reason=reason or Reason.NEW,
        group=about if reason in (Reason.GROUP, Reason.REPEAT) and most > 1 else None,
        more=most - len(events),
    )


def _several(first: Event, mixed: bool) -> Iterator[Event]:
    """Yield events like the first one, each about a thing of its own; or the samples of all types."""
    if mixed:
        yield from (sample(each) for each in CATALOGUE)
    else:
        yield first
    for number in count(2):
        name = f"{first.subject.name}-{number}"
        yield replace(
            first,
            id=f"{first.id}{number}",
            alert=first.alert and f"{first.alert}{number}",
            subject=replace(first.subject, name=name),
            summary=first.summary.replace(first.subject.name, name),
        )


def _shown(part: str, text: str) -> str:
    if part.endswith("json"):
        text = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in text.splitlines())


def _kind(settings: Settings, wanted: str | None, channel: str | None) -> str:
    if channel is not None:
        known = {each.name: each.kind for each in settings.destinations}
        if channel not in known:
            raise NotFoundError(f"there is no channel {clean(channel)}: {near(channel, known)}")
        if wanted not in (None, known[channel]):
            raise NotFoundError(f"channel {channel} is of kind {known[channel]}, not {wanted}")
        return known[channel]
    if wanted is None:
        raise NotFoundError("for which kind of channel? Give KIND/TEMPLATE, --kind or --channel")
    if wanted not in kinds():
        raise NotFoundError(f"there is no kind of channel {clean(wanted)}: {near(wanted, kinds())}")
    return wanted
