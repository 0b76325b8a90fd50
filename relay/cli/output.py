"""What commands print: tables and lines for people, JSON for programs."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

SHORT_ID = 12
"""Characters of a delivery's id that are shown where they tell it from the others of a listing."""
_WIDE = 1000
"""Columns where nobody looks: what goes into a file or a pipe is not cut."""
_STYLES = {
    "delivered": "green", "working": "green", "resolved": "green", "yes": "green", "matches": "green",
    "pending": "yellow", "retry": "yellow", "failing": "yellow", "held": "yellow", "partial": "yellow",
    "warning": "yellow", "no": "red", "dead": "red", "rejected": "red", "refused": "red", "gone": "red",
    "disabled": "red", "firing": "red", "critical": "bold red",
}  # fmt: skip


class _Console(Console):
    def on_broken_pipe(self) -> None:
        forget_pipe()


def console() -> Console:
    """Return a console for standard output: colours only on a terminal, and not where NO_COLOR is set."""
    out = sys.stdout
    # Not rich's own choice, which also colours where it finds FORCE_COLOR.
    on_terminal = out is not None and out.isatty()
    width = None if on_terminal or "COLUMNS" in os.environ else _WIDE
    return _Console(
        highlight=False, markup=False, emoji=False, soft_wrap=False, width=width, force_terminal=on_terminal
    )


def forget_pipe() -> None:
    """Go on without a reader of standard output that has gone, so that the exit status stays true."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def print_json(document: Any) -> None:
    """Print a document, indented; everything but ASCII is escaped, so that no terminal is written to."""
    print_text(json.dumps(document, indent=2, default=_json))


def print_text(text: str) -> None:
    """Print lines as they are."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        forget_pipe()
    except UnicodeEncodeError:
        sys.stdout.write(text.encode("ascii", "backslashreplace").decode() + "\n")


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    return str(value)


def stamp(at: datetime | None) -> str | None:
    """Return a time as RFC 3339, to the second, in UTC."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def clean(text: object) -> str:
    """Return one printable line: texts from outside must not write to the terminal."""
    line = " ".join(str(text).split())
    return "".join(char if char.isprintable() else "\ufffd" for char in line)


def word(value: object) -> Text:
    """Return a word in the colour of its meaning."""
    text = clean(value)
    return Text(text, _STYLES.get(text, ""))


def age(then: datetime | None, now: datetime) -> str:
    """Return how long ago something was, in one unit: `12s`, `5m`, `3h`, `8d`."""
    if then is None:
        return ""
    seconds = max(0, int((now - then).total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size * (1 if unit == "m" else 2):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, fold: Sequence[str] = ()) -> Table:
    """Return a table; the columns in ``fold`` give way where the terminal is narrow, the others never do."""
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold underline")
    for head in heads:
        made.add_column(head, overflow="fold", no_wrap=head not in fold)
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row))
    return made


def problem_line(where: str, text: str, kind: str) -> Text:
    """Return a problem in one line: what sort, where, what."""
    style = "bold red" if kind == "error" else "yellow"
    line = Text.assemble((f"{kind}: ", style))
    if where:
        line.append(f"{clean(where)}: ", "bold")
    line.append(clean(text))
    return line
