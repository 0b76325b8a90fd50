"""What commands print: tables for people, JSON for programs, colour only on a terminal."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

STYLES = {
    "critical": "bold red",
    "error": "red",
    "warning": "yellow",
    "firing": "red",
    "dead": "bold red",
    "held": "yellow",
    "partial": "yellow",
    "failing": "yellow",
    "disabled": "yellow",
    "pending": "cyan",
    "delivered": "green",
    "resolved": "green",
    "working": "green",
    "ok": "green",
}
"""How words that stand for a state are coloured."""


def console() -> Console:
    """Return where people's output goes; it knows NO_COLOR and whether there is a terminal."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """Print a value as JSON; times as RFC 3339."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)


def print_table(headings: Sequence[str], rows: Iterable[Sequence[Any]], nothing: str) -> None:
    """Print rows for people; where there are none, the sentence ``nothing``."""
    listed = [[_cell(cell) for cell in row] for row in rows]
    out = console()
    if not listed:
        out.print(escape(nothing))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for at, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=at == 0)
    for row in listed:
        table.add_row(*row)
    out.print(table)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    text = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
    style = STYLES.get(text)
    return f"[{style}]{escape(text)}[/]" if style else escape(text)


def age(moment: datetime | None, now: datetime) -> str:
    """Return how long ago (or, with a plus, in how long) a moment is: ``5m``, ``+30s``, ``3d``."""
    if moment is None:
        return ""
    span = now - moment
    ahead = span < timedelta(0)
    seconds = int(abs(span).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size or (unit == "m" and seconds >= size):
            return f"{'+' if ahead else ''}{seconds // size}{unit}"
    return f"{'+' if ahead else ''}{seconds}s"


def short(identifier: str) -> str:
    """Return the beginning of an id: enough for people, and accepted wherever an id is."""
    return identifier[:12]
