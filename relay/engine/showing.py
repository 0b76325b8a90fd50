"""What a message to look at tells: a sample of what a channel would be sent. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Final

from relay.model.catalogue import CATALOGUE
from relay.model.delivery import Reason
from relay.model.errors import Exit, NotFoundError, RelayError
from relay.model.event import Event, Status
from relay.model.near import near
from relay.model.samples import sample
from relay.render import Renderer, Telling

GROUP: Final = "group"
"""The name of the template for several things of different types."""
LISTED: Final = 1000
"""So many events one message holds at the most; the rest is counted."""
_STANDS: Final = timedelta(hours=8)
"""How long the alert of a repeat has fired."""
_WAITED: Final = timedelta(minutes=15)
"""How long the alert of an escalation has fired."""


class ReasonError(RelayError):
    """There is no such message."""

    exit = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Shape:
    """What message to show: of how many things (None: one), and why it is told."""

    group: int | None = None
    reason: Reason | None = None

    @classmethod
    def read(cls, group: int | None, reason: str | None) -> "Shape":
        """Return what the words ask for. Raises ReasonError for one that is no reason."""
        if reason is not None and reason not in list(Reason):
            raise ReasonError(f"there is no reason {reason}: {near(reason, Reason)}")
        return cls(group, None if reason is None else Reason(reason))

    def type_of(self, template: str) -> str:
        """Return the type to show for a template, if no event is given."""
        if template in CATALOGUE:
            return template
        return "replica.unhealthy" if self.reason is Reason.REPEAT else "trust.deleted"


def aged(event: Event, reason: Reason | None, now: datetime) -> Event:
    """Return a sample as one that began some time ago, where the message says for how long."""
    if reason not in (Reason.REPEAT, Reason.ESCALATION) or event.status is Status.RESOLVED:
        return event
    began = now - (_STANDS if reason is Reason.REPEAT else _WAITED)
    return replace(event, happened_at=began, seen_at=began, starts_at=event.starts_at and began)


def sample_link(public_url: str) -> str:
    """Return the link that a previewed message has in place of one that acknowledges."""
    return f"{public_url}/ack/sample"


def own_template(renderer: Renderer, kind: str, name: str, type_name: str) -> str | None:
    """Return the name if it is that of a template of somebody's own, None for what the event's type has.

    Raises NotFoundError if there is no such template.
    """
    if name in (type_name, GROUP):
        return None
    names = renderer.names(kind)
    if name not in names:
        raise NotFoundError(f"there is no template {name} for {kind}: {near(name, {*names, *CATALOGUE})}")
    return name


def telling_of(first: Event, shape: Shape, channel: str, *, mixed: bool = False) -> Telling:
    """Return what a message about an event, and maybe others like it, tells to a channel.

    ``mixed``: the others are of all types. Raises ReasonError for a message that there is not.
    """
    reason = shape.reason
    if reason is Reason.REPEAT and first.status is not Status.FIRING:
        raise ReasonError(f"only an alert that fires is repeated: {first.type} is {first.status}")
    most = shape.group or (len(CATALOGUE) if mixed else 1)
    if most == 1 and not mixed:
        if reason in (Reason.GROUP, Reason.DIGEST):
            raise ReasonError(f"a {reason} is about several things: say of how many (group)")
        events: tuple[Event, ...] = (first,)
    else:
        events = tuple(islice(_several(first, mixed), min(most, LISTED)))
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
