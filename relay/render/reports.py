"""Reports that a command writes: ``templates/report``, always the shipped ones."""

import base64
import hashlib
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final

from jinja2 import FileSystemLoader
from markupsafe import Markup

import relay
from relay.model.clock import Clock
from relay.render.environment import Environment, Place
from relay.render.renderer import shipped

FOLDER: Final = "report"


class Form(StrEnum):
    """The form of a report."""

    HTML = "html"
    MARKDOWN = "markdown"


_PLACES: Final = {Form.HTML: (Place.HTML, "html"), Form.MARKDOWN: (Place.MARKDOWN, "md")}


def _utc(at: datetime) -> str:
    """A time in UTC, to the millisecond: `2026-11-23 20:58:11.165 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} UTC"


def _sentence(text: str) -> str:
    """A text that begins as a sentence does."""
    return text[:1].upper() + text[1:]


class Reports:
    """Renders reports. Every value is cleaned and escaped for the place that it goes to.

    The HTML is whole in itself: it loads nothing, runs nothing and sends nothing.
    """

    def __init__(self, form: Form, *, clock: Clock, timezone: tzinfo = UTC) -> None:
        folder = shipped() / FOLDER
        place, self._suffix = _PLACES[form]
        self._environment = Environment(place, FileSystemLoader(folder), clock, timezone)
        self._environment.filters |= {"utc": _utc, "sentence": _sentence}
        style = (folder / "style.css").read_text()
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self._fixed = {
            "style": Markup(style),  # noqa: S704 - it is ours
            "policy": f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
            "version": relay.__version__,
            "now": clock.now(),
            "zone": str(timezone),
        }

    def render(self, name: str, **values: Any) -> str:
        """Return the report of a name."""
        template = self._environment.get_template(f"{name}.{self._suffix}.j2")
        return template.render(**self._fixed, **values).strip() + "\n"
