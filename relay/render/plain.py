"""The built-in form of a message: no template takes part in it, so no template can break it."""

from typing import Final

from relay.model.event import Event, Status
from relay.render.clean import cut, one_line, tame
from relay.render.telling import Telling, moment

_LISTED: Final = 10
_TITLE_CHARACTERS: Final = 200
_VALUE_CHARACTERS: Final = 400


def plain_text(telling: Telling, error: str | None) -> tuple[str, str]:
    """Title and text. `error` is what is wrong with the template in whose place this goes out."""
    events = [tame(event) for event in telling.events]
    if telling.grouped:
        title = f"{level(telling.event)}: {len(events)} messages, of which the worst: {telling.event.summary}"
        lines = [headline(event) for event in events[:_LISTED]]
        if len(events) > _LISTED:
            lines.append(f"… and {len(events) - _LISTED} more")
    else:
        title = headline(events[-1])
        lines = _facts(events[-1])
    if error is not None:
        lines += ["", f"The template failed, so this is the built-in form: {cut(one_line(error), 500)}"]
    return cut(one_line(title), _TITLE_CHARACTERS), "\n".join(lines)


def level(event: Event) -> str:
    """RESOLVED, or the severity in capitals."""
    return "RESOLVED" if event.status is Status.RESOLVED else event.severity.upper()


def headline(event: Event) -> str:
    """One line: where, how bad, what."""
    flapping = " (flapping)" if event.flapping else ""
    return one_line(f"[{event.cluster or 'msr-relay'}] {level(event)}: {event.summary}{flapping}")


def _facts(event: Event) -> list[str]:
    facts = {"type": event.type, "happened at": moment(event.happened_at), **event.details, "id": event.id}
    return [
        f"{name}: {cut(one_line(str(value)), _VALUE_CHARACTERS)}"
        for name, value in facts.items()
        if value not in (None, "", [], {})
    ]
