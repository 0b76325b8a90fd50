"""The built-in form of a message: no template takes part in it, so no template can break it."""

from typing import Final

from relay.model.event import Event, Status
from relay.render.clean import cut, one_line, tame
from relay.render.payload import moment
from relay.render.telling import Telling

_TITLE_CHARACTERS: Final = 200
_VALUE_CHARACTERS: Final = 400


def plain_text(telling: Telling, error: str | None) -> tuple[str, str]:
    """Title and text. `error` is what is wrong with the template in whose place this goes out."""
    if telling.grouped:
        most, worst = telling.rule_about.most, tame(telling.event)
        title = f"{level(worst)}: {telling.count} messages, of which the worst: {worst.summary}"
        lines = [headline(tame(entry.event)) for entry in telling.entries[:most]]
        if telling.count > most:
            lines.append(f"… and {telling.count - most} more")
    else:
        event = tame(telling.event)
        title = headline(event)
        lines = _facts(event)
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
