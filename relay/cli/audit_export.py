"""``msr-relay audit export``: the evidence as a file, written entry by entry."""

import asyncio
import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from rich.text import Text

from relay.cli.audit import Wanted
from relay.cli.audit_commands import Form
from relay.cli.opening import configure, existing_store
from relay.cli.output import clean, console, exact, forget_pipe
from relay.engine import exports
from relay.engine.history import words
from relay.model.clock import SystemClock
from relay.model.errors import RelayError
from relay.model.evidence import Entry
from relay.settings import Configuration

_FORMULA: Final = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""What makes a spreadsheet compute a cell (OWASP, CSV injection): the ASCII characters, and their full-width
forms."""
_COLUMNS: Final = (
    "entry", "seen_at", "cluster", "kind", "about", "what", "gun", "happened_at", "version", "sha256",
    "record_id", "body", "signature", "prev", "hash",
)  # fmt: skip


class OutputError(RelayError):
    """What was to be written cannot be."""


def export(config: Path | None, wanted: Wanted, form: Form, output: Path | None) -> None:
    """Write entries, the oldest first."""
    asyncio.run(_export(configure(config), wanted, form, output))


async def _export(configuration: Configuration, wanted: Wanted, form: Form, output: Path | None) -> None:
    stretch = wanted.stretch(configuration.settings.timezone, SystemClock().now())
    written = 0
    async with existing_store(configuration) as store:
        with writing(output) as file:
            write = _lines if form is Form.JSONL else _cells
            file.write(b"" if form is Form.JSONL else _row(_COLUMNS))

            def take(page: Sequence[Entry]) -> bool:
                nonlocal written
                try:
                    for entry in page:
                        file.write(write(entry))
                    file.flush()
                except BrokenPipeError:
                    forget_pipe()
                    return False
                written += len(page)
                return True

            await store.walk_evidence(stretch, take)
    if output is not None:
        console(err=True).print(Text(clean(_said(written, form, output, part=not wanted.everything))))


def _said(written: int, form: Form, output: Path, *, part: bool) -> str:
    entries = f"{written} {'entry' if written == 1 else 'entries'} in {output}"
    if form is Form.CSV:
        return f"{entries}. It is for reading: --format jsonl can be verified."
    return f"{entries}: msr-relay audit verify --file {output}{' --partial' if part else ''}"


@contextmanager
def writing(output: Path | None) -> Iterator[BinaryIO]:
    """Open a file for what a command makes, standard output for None.

    The file is there only when it is whole. Raises OutputError.
    """
    if output is None:
        yield sys.stdout.buffer
        return
    unfinished = output.with_name(f"{output.name}.part")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(output)
    except OSError as error:
        raise OutputError(f"--output: {output} cannot be written: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _lines(entry: Entry) -> bytes:
    return f"{exports.line(entry)}\n".encode()


def _cells(entry: Entry) -> bytes:
    content = entry.content
    details: Any = content.get("details")
    found: Mapping[str, Any] = details if isinstance(details, Mapping) else {}
    return _row(
        (
            entry.seq,
            "" if entry.time is None else exact(entry.time),
            entry.cluster,
            entry.kind,
            entry.subject,
            words(entry),
            content.get("gun"),
            content.get("happened_at"),
            found.get("version"),
            found.get("sha256") or content.get("sha256"),
            found.get("record_id"),
            entry.body,
            entry.signature,
            entry.prev,
            entry.hash,
        )
    )


def _row(cells: Sequence[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(_safe(cell) for cell in cells)
    return line.getvalue().encode(errors="backslashreplace")


def _safe(cell: object) -> str:
    """Return a cell that neither computes nor writes to a terminal."""
    text = "" if cell is None else clean(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
