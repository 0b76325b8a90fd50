"""The pages that the server shows to people: ``templates/pages``, always the shipped ones."""

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Any, Final
from urllib.parse import quote

from jinja2 import ChoiceLoader, FileSystemLoader, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

import relay
from relay.model.clock import Clock
from relay.model.event import Event
from relay.render.clean import clean
from relay.render.compiled import Compiled
from relay.render.environment import Environment, Place, Said, say
from relay.render.renderer import shipped

FOLDER: Final = "pages"
_SPAN: Final = re.compile(r"`([^`]+)`")


def _codespans(value: object) -> Markup:
    """`codespans` without the style that mails need: no page may have one in its elements."""
    return Markup(_SPAN.sub(r"<code>\1</code>", str(escape(clean(str(value))))))  # noqa: S704


def _segment(value: object) -> str:
    """The text as one segment of an address's path."""
    return quote(str(value), safe="")


_COMPILED: Final = Compiled()


@pass_context
def _tell(context: Context, event: Event) -> Said:
    """`say`, and less of an event whose details are not those of its type: another release took it."""
    try:
        return say(context, event)
    except Exception:
        return Said(event.summary, [("Type", event.type), ("Subject", event.subject.name)], [])


class Pages:
    """Renders pages. Every value is cleaned and escaped as in mails.

    A user's own templates do not count here: a broken one must not take the way to acknowledge away.
    """

    def __init__(self, *, clock: Clock, timezone: tzinfo = UTC, asset: Callable[[str], str] = str) -> None:
        """``asset`` gives the address of a script, style or image by its name; templates call it."""
        self._asset = asset
        folder = shipped() / FOLDER
        style = (folder / "style.css").read_text()
        self._style = Markup(style)  # noqa: S704 - it is ours
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.policy = (
            f"default-src 'none'; script-src 'self'; style-src 'sha256-{digest}' 'self'; "
            "connect-src 'self'; img-src 'self' data:; frame-src 'self'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )
        """The Content-Security-Policy of the pages: what the relay itself serves, and nothing else.

        Scripts and styles inside of a page do not count, but for the one style of all pages.
        """
        # Behind them what messages say of events, in the shipped words.
        loader = ChoiceLoader([FileSystemLoader(folder), FileSystemLoader(shipped())])
        self._environment = Environment(Place.HTML, loader, clock, timezone)
        self._environment.filters |= {"codespans": _codespans, "segment": _segment}
        self._environment.globals |= {"say": _tell}
        self._environment.bytecode_cache = _COMPILED

    def render(self, name: str, **values: Any) -> str:
        """Return the page of a name."""
        template = self._environment.get_template(f"{name}.html.j2")
        return template.render(**values, style=self._style, asset=self._asset, version=relay.__version__)
