"""What commands print: tables and lines for people, JSON for programs."""

import itertools
import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from relay.cli.moments import span

SHORT_ID = 12
"""Characters of a delivery's id that are shown where they tell it from the others of a listing."""
_WIDE = 1000
"""Columns where nobody looks: what goes into a file or a pipe is not cut."""
_STYLES = {
    "delivered": "green", "working": "green", "resolved": "green", "yes": "green", "matches": "green",
    "valid": "green", "expired": "yellow", "revoked": "red",
    "pending": "yellow", "retry": "yellow", "failing": "yellow", "held": "yellow", "partial": "yellow",
    "warning": "yellow", "no": "red", "dead": "red", "rejected": "red", "refused": "red", "gone": "red",
    "holds": "green", "ahead": "yellow", "paused": "yellow", "silenced": "yellow", "inhibited": "yellow",
    "muted": "yellow", "acknowledged": "yellow", "disabled": "red", "firing": "red", "critical": "bold red",
}  # fmt: skip


class _Console(Console):
    def on_broken_pipe(self) -> None:
        forget_pipe()


def console(*, err: bool = False) -> Console:
    """Return a console for standard output or error: colours only on a terminal, and not with NO_COLOR."""
    out = sys.stderr if err else sys.stdout
    # Not rich's own choice, which also colours where it finds FORCE_COLOR.
    on_terminal = out is not None and out.isatty()
    width = None if on_terminal or "COLUMNS" in os.environ else _WIDE
    return _Console(
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
        width=width,
        force_terminal=on_terminal,
        stderr=err,
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


def exact(at: datetime) -> str:
    """Return a time as RFC 3339, to the microsecond, in UTC."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


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
    return "" if then is None else span(now - then)


def distinct(ids: Sequence[str]) -> int:
    """Return how many characters tell the ids apart."""
    ordered = sorted(set(ids))
    length = SHORT_ID
    for one, other in itertools.pairwise(ordered):
        while one[:length] == other[:length] and length < max(len(one), len(other)):
            length += 1
    return length


def print_fields(out: Console, fields: Iterable[tuple[str, object]]) -> None:
    """Print what there is to say of one thing, a line each; what is None or empty is left out."""
    for name, value in fields:
        if value not in (None, ""):
            shown = value if isinstance(value, Text) else Text(clean(value))
            out.print(Text.assemble((f"{name:<12} ", "bold"), shown))


WIDE = 120
"""From so many columns on, a listing shows more of them."""


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
