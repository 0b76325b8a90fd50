"""Makes a TemplateError, with template and line, of whatever went wrong in Jinja."""

import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from jinja2 import TemplateNotFound, TemplateSyntaxError
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.tests import TESTS as JINJA_TESTS

from relay.render.clean import cut, one_line
from relay.render.environment import near
from relay.render.errors import TemplateError
from relay.render.filters import FILTERS, TIMED

_MESSAGE_CHARACTERS: Final = 400
_UNKNOWN: Final = re.compile(r"No (?P<sort>filter|test) named '(?P<name>[^']*)'\.")


def trouble(error: Exception, name: str, directories: Sequence[Path]) -> TemplateError:
    """What an error says about the template `name` or one that it uses."""
    if isinstance(error, TemplateError):
        return error
    if isinstance(error, TemplateSyntaxError):
        return TemplateError(error.name or name, error.lineno, _text(error.message or "syntax error"))
    place, line = _place(error.__traceback__, directories) or (name, None)
    if isinstance(error, TemplateNotFound):
        return TemplateError(place, line, f"there is no template {_text(str(error.name))!r}")
    if isinstance(error, RecursionError):
        return TemplateError(place, line, "the template includes or calls itself without end")
    return TemplateError(place, line, _text(str(error)) or type(error).__name__)


def _place(traceback: TracebackType | None, directories: Sequence[Path]) -> tuple[str, int] | None:
    # Jinja rewrites tracebacks: a template's frames carry its file and its line.
    found = None
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        for directory in directories:
            if file.suffix == ".j2" and file.is_relative_to(directory):
                found = file.relative_to(directory).as_posix(), traceback.tb_lineno
        traceback = traceback.tb_next
    return found


def _text(message: str) -> str:
    found = _UNKNOWN.fullmatch(message)
    if found:
        known = (*JINJA_FILTERS, *FILTERS, *TIMED) if found["sort"] == "filter" else JINJA_TESTS
        message = f"there is no {found['sort']} {found['name']!r}{near(found['name'], known)}"
    return cut(one_line(message), _MESSAGE_CHARACTERS)
