"""How a preview is shown: as the receiver shows it, as far as that is known."""

import json
from dataclasses import dataclass
from typing import Final

from relay.engine.preview import Preview
from relay.render.block_view import SlackView, slack_view
from relay.render.readable import readable
from relay.server.pages.base import Visitor
from relay.server.pages.mail_frames import MailFrames
from relay.server.trying import Looked

_WEBHOOK: Final = 20_000
"""Bytes that receivers of webhooks usually take (Standard Webhooks)."""


@dataclass(frozen=True, slots=True)
class Look:
    """A preview on a page.

    ``mail`` is the address of a mail, ``body`` what goes over the wire, for people to read, ``bytes`` how
    large that is and ``most`` how large it should be, if there is a measure. ``title`` and ``text`` are for
    kinds that show no more.
    """

    looked: Looked
    slack: SlackView | None = None
    mail: str | None = None
    title: str = ""
    text: str = ""
    body: str = ""
    bytes: int = 0
    most: int | None = None

    @property
    def preview(self) -> Preview:
        """The preview itself."""
        return self.looked.preview


def look_of(visitor: Visitor, looked: Looked, frames: MailFrames) -> Look:
    """Return how a preview is shown."""
    seen = looked.preview
    parts, body = seen.parts or {}, seen.body
    size = 0 if body is None else len(body.encode())
    match seen.kind:
        case "slack" if body is not None:
            return Look(looked, slack=slack_view(body), body=_pretty(body), bytes=size)
        case "email" if body is not None:
            mail = frames.add(visitor, parts["html"]) if parts["html"].strip() else None
            return Look(looked, mail=mail, text=parts["txt"], body=body, bytes=size)
        case "webhook" if body is not None:
            return Look(looked, body=_pretty(body), bytes=size, most=_WEBHOOK)
        case _:
            title = parts.get("title.txt", "")
            rest = "\n\n".join(text for part, text in parts.items() if part != "title.txt")
            return Look(looked, title=title, text=rest, bytes=size)


def _pretty(body: str) -> str:
    try:
        return readable(json.loads(body))
    except (ValueError, RecursionError):
        return body
