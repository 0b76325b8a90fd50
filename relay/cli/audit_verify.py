"""``msr-relay audit verify``: whether the evidence holds together, in the store or in an export of it."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from relay.cli import verdicts
from relay.cli.output import clean, console, print_fields, print_json
from relay.engine.evidence import Verdict, Verifier
from relay.engine.exports import LONGEST, read_line
from relay.engine.signing import public
from relay.model.errors import Exit, RelayError
from relay.model.evidence import Broken, Entry, Head
from relay.settings import Configuration, Settings
from relay.store import Stretch

_MANY = 20_000
"""Fewer entries are verified before anybody wonders how long it takes."""
_MANY_BYTES = 10_000_000
_LONGEST_KEY = 10_000
_PRIVATE = ("whsk_", "-----BEGIN PRIVATE")


class GivenError(RelayError):
    """A key or anchor that was given is none."""

    exit = Exit.USAGE


@dataclass(frozen=True, slots=True)
class Given:
    """What to verify by, as it was typed."""

    keys: Sequence[str]
    anchors: Sequence[str]
    unsigned_until: int

    def verifier(self, settings: Settings | None, *, gaps: bool = False) -> Verifier:
        """Return what verifies by it. Without a key it is the configured one, if there is one.

        Raises GivenError.
        """
        keys = [_key(text) for text in self.keys]
        signer = None if settings is None or keys else settings.evidence.signer
        return Verifier(
            keys if signer is None else [signer.public],
            [_anchor(text) for text in self.anchors],
            self.unsigned_until,
            # Who gives a key wants something to be signed by it.
            signed=bool(self.keys) and not gaps,
            gaps=gaps,
        )


def _key(text: str) -> str:
    try:
        return public(_key_text(text))
    except ValueError as error:
        raise GivenError(f"--key: {error}") from None


def _key_text(text: str) -> str:
    if text.startswith("whpk_"):
        return text
    if not text.startswith(_PRIVATE):
        try:
            with Path(text).open(encoding="ascii", errors="replace") as file:
                text = file.read(_LONGEST_KEY)
        except OSError as error:
            raise ValueError(
                f"{text[:100]!r} is no public key (whpk_…), and no file of one: {error.strerror}"
            ) from None
    if text.strip().startswith(_PRIVATE):
        raise ValueError(
            "this is the private key, which stays with the relay: verifying takes the public one"
        )
    return text


def _anchor(text: str) -> Head:
    try:
        return Head.read(text)
    except ValueError as error:
        raise GivenError(f"--anchor: {error}") from None


def verify_store(config: Path | None, given: Given, *, as_json: bool) -> None:
    """Verify the store's evidence."""
    from relay.cli.opening import configure

    configuration = configure(config)
    verifier = given.verifier(configuration.settings)
    verdict = asyncio.run(_verify(configuration, verifier))
    _tell(verdict, verifier, as_json=as_json)


async def _verify(configuration: Configuration, verifier: Verifier) -> Verdict:
    noted = await walk_all(configuration, verifier.take)
    return verifier.finish(noted)


async def walk_all(configuration: Configuration, take: Callable[[Sequence[Entry]], bool]) -> Head | None:
    """Give all the evidence to ``take``, and return the store's note of its end.

    On a terminal it shows how far it has come, if that takes long.
    """
    from relay.cli.opening import existing_store

    async with existing_store(configuration) as store:
        first, last = await store.evidence_span()
        count = last - first + 1
        with _progress(count, shown=count > _MANY) as advance:

            def step(page: Sequence[Entry]) -> bool:
                advance(len(page))
                return take(page)

            return await store.walk_evidence(Stretch(), step)


@contextmanager
def _progress(total: int | None, *, shown: bool) -> Iterator[Callable[[int], None]]:
    out = console(err=True)
    columns = (
        TextColumn("verifying"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True, disable=not (shown and out.is_terminal)) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.update(task, advance=count)


def verify_file(name: str, given: Given, *, partial: bool, as_json: bool) -> None:
    """Verify an export, of which nothing else is known."""
    verifier = given.verifier(None, gaps=partial)
    try:
        if name == "-":
            verdict = _verify_lines(sys.stdin.buffer, verifier, None)
        else:
            with Path(name).open("rb") as file:
                verdict = _verify_lines(file, verifier, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise GivenError(f"--file: {name} cannot be read: {error.strerror}") from None
    _tell(verdict, verifier, as_json=as_json, file=True, partial=partial)


class _NoEntryError(Exception):
    """A line is no entry."""


def _verify_lines(file: BinaryIO, verifier: Verifier, size: int | None) -> Verdict:
    with _progress(size, shown=size is None or size > _MANY_BYTES) as advance:
        try:
            for entry in _read(file, advance):
                if not verifier.take([entry]):
                    break
        except _NoEntryError as error:
            verdict = verifier.verdict
            verdict.broken = verdict.broken or Broken(verifier.next, str(error))
    return verifier.finish_file()


def _read(file: BinaryIO, advance: Callable[[int], None]) -> Iterator[Entry]:
    number = 0
    while raw := file.readline(LONGEST + 2):
        number += 1
        advance(len(raw))
        text = raw.decode(errors="surrogateescape").strip()
        if not text:
            continue
        try:
            yield read_line(text)
        except ValueError as error:
            raise _NoEntryError(f"cannot be read: line {number} is no line of an export: {error}") from None


def _tell(
    verdict: Verdict, verifier: Verifier, *, as_json: bool, file: bool = False, partial: bool = False
) -> None:
    if as_json:
        print_json(verdicts.document(verdict, verifier))
    else:
        _print(verdict, verifier, file=file, partial=partial)
    if verdict.broken is not None:
        raise typer.Exit(Exit.BROKEN)


def _print(verdict: Verdict, verifier: Verifier, *, file: bool, partial: bool) -> None:
    out = console()
    if verdict.broken is not None:
        out.print(Text.assemble(("BROKEN: ", "bold red"), clean(verdict.broken)))
    elif not verdict.entries:
        out.print(Text("There is no evidence yet: nothing to verify."))
        return
    elif partial:
        out.print(Text("Every entry of this part fits its hash.", "green"))
    else:
        out.print(Text("The evidence holds.", "green"))
    print_fields(out, verdicts.fields(verdict, verifier))
    for note in verdicts.notes(verdict, verifier, file=file, partial=partial):
        out.print(Text(f"→ {clean(note)}", "yellow"))
