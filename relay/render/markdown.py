"""Texts from outside in Markdown (CommonMark and GitHub's), where they may be neither markup nor a link."""

import re
from typing import Final

from markupsafe import Markup

from relay.render.clean import one_line

# What begins something inside a line: the values of a document never begin one. Both ways of GitHub to make
# links of bare addresses (https://, www.) are broken up too.
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>|~&$#]|:(?=//)|(?<=www)\.(?=.)", re.IGNORECASE)
_TICKS: Final = re.compile("`+")


def markdown_escape(value: object) -> Markup:
    """The text on one line, with a backslash before whatever Markdown would take for markup."""
    if isinstance(value, Markup):
        return value
    return Markup(_MARKUP.sub(r"\\\g<0>", one_line(str(value))))  # noqa: S704 - it is escaped


def markdown_code(value: object) -> Markup:
    """The text on one line as a code span, in which nothing is markup and nobody is mentioned."""
    text = one_line(str(value))
    if not text:
        return Markup("(empty)")
    # A span ends at as many backticks as it begins with.
    fence = "`" * (max((len(run) for run in _TICKS.findall(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return Markup(f"{fence}{pad}{text}{pad}{fence}")  # noqa: S704 - nothing ends it early
