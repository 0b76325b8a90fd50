"""Text from outside, bounded and made harmless before a template sees it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from relay.model.event import Event

TEXT_CHARACTERS: Final = 4000
"""The most of one text that gets into a message."""
KEYS: Final = 100
"""The most members of a mapping that get into a message."""
ITEMS: Final = 1000
"""The most members of a list: a mass deletion lists so many deletions, and they are told nowhere else."""
DEPTH: Final = 8
"""How deep lists and mappings may nest; what lies deeper becomes a cut mark."""
CUT: Final = "…"

# Controls but newline and tab (C0, DEL, C1, among them ESC), what turns the reading direction or has no
# width (Unicode's bidirectional and default-ignorable formats, tags), line separators, lone surrogates.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def clean(text: str) -> str:
    """The text with U+FFFD for every character that steers a terminal, hides or reorders text."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub("\ufffd", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The text, clean, with every run of white space as one blank."""
    return " ".join(clean(text).split())


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of the text; a cut one ends in an ellipsis."""
    return text if len(text) <= limit else text[: max(0, limit - len(CUT))].rstrip() + CUT


def cut_bytes(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8 of the text, whole characters only; a cut one ends in an ellipsis."""
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return data.decode()
    room = limit - len(CUT.encode())
    return data[:room].decode(errors="ignore").rstrip() + CUT if room >= 0 else ""


def bounded(value: Any, depth: int = DEPTH) -> Any:
    """A JSON value with its texts clean and cut, its lists and mappings cut."""
    if isinstance(value, str):
        return clean(cut(value, TEXT_CHARACTERS))
    if isinstance(value, Mapping):
        if depth == 0:
            return CUT
        return {bounded(str(key)): bounded(item, depth - 1) for key, item in islice(value.items(), KEYS)}
    if isinstance(value, list | tuple):
        return CUT if depth == 0 else [bounded(item, depth - 1) for item in value[:ITEMS]]
    return value


def tame(event: Event) -> Event:
    """The event as templates see it: every text in it clean and bounded."""
    subject = event.subject
    return replace(
        event,
        id=bounded(event.id),
        type=bounded(event.type),
        cluster=bounded(event.cluster),
        subject=replace(
            subject,
            name=bounded(subject.name),
            gun=bounded(subject.gun),
            replicas=tuple(bounded(subject.replicas)),
        ),
        summary=bounded(event.summary),
        alert=bounded(event.alert),
        labels=bounded(event.labels),
        annotations=bounded(event.annotations),
        details=bounded(event.details),
    )
