"""The relay's own log: readable on a terminal, JSON lines otherwise, never with a secret."""

import json
import logging
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, Literal, TextIO, cast

import structlog

from relay.app.repeats import ForeignRepeats, Repeats
from relay.http import Redactor


class _Redaction:
    """Replaces secrets in everything that is logged: the last of several walls, not the only one."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor

    def __call__(self, _logger: Any, _method: str, entry: structlog.typing.EventDict) -> Any:
        texts: list[str] = []
        plain = {key: _plain(value, texts.append) for key, value in entry.items()}
        # One search in the whole line: hardly any has a secret.
        if not self._redactor.finds("\0".join(texts)):
            return plain
        return {key: self._clean(value) for key, value in plain.items()}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._clean(each) for each in value]
        if isinstance(value, dict):
            return {key: self._clean(each) for key, each in value.items()}
        return self._redactor(value) if isinstance(value, str) else value


def _plain(value: Any, note: Callable[[str], None]) -> Any:
    """Return a value as JSON has it, and note each text in it."""
    if isinstance(value, str):
        note(value)
        return value
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each, note) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each, note) for key, each in value.items()}
    return _plain(str(value), note)


_JSON: Final = json.JSONEncoder(default=str)


def _json(entry: structlog.typing.EventDict, **_options: Any) -> str:
    return _JSON.encode(entry)


class _Foreign(logging.Formatter):
    """What libraries log, tracebacks and all, behind the same walls."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(name)s: %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return _shown(self._redactor(super().format(record)), lines=True)


class _Unfailing:
    """A stream that loses what it cannot write: a full disk or a closed pipe must stop only the log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def set_up(
    level: Literal["debug", "info", "warning", "error"],
    form: Literal["auto", "console", "json"],
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
    repeats: Repeats | None = None,
) -> None:
    """Configure logging for the process. ``repeats`` keeps what is broken for hours from filling it."""
    out, redactor = stream or sys.stderr, Redactor(secrets)
    pretty = form == "console" or (form == "auto" and out.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=out.isatty())
        if pretty
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            *([] if repeats is None else [repeats]),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            # Before control characters go: a secret of several lines would not be known again.
            _Redaction(redactor),
            _printable,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        # One write for a line: several processes may share the stream, and each write costs a system call.
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Unfailing(out))),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; their warnings belong into the same place.
    foreign = logging.StreamHandler(cast(TextIO, _Unfailing(out)))
    foreign.setFormatter(_Foreign(redactor))
    if repeats is not None:
        foreign.addFilter(ForeignRepeats(repeats))
    logging.basicConfig(level=logging.WARNING, handlers=[foreign], force=True)


def _printable(_logger: Any, _method: str, entry: structlog.typing.EventDict) -> Any:
    """Take control characters out of one-line values: text from MSR must not write to a terminal."""
    for key, value in entry.items():
        if isinstance(value, str):
            entry[key] = _shown(value, lines=key in ("exception", "stack"))
    return entry


def _shown(text: str, *, lines: bool) -> str:
    kept = "\n\t" if lines else ""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in kept else "\ufffd" for char in text)
