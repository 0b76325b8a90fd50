"""The relay's own log: readable on a terminal, JSON lines otherwise, never with a secret."""

import logging
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import structlog

from relay.app.repeats import ForeignRepeats, Repeats
from relay.http import redact


class _Redaction:
    """Replaces secrets in everything that is logged: the last of several walls, not the only one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secrets)

    def __call__(self, _logger: Any, _method: str, entry: structlog.typing.EventDict) -> Any:
        return {key: self._clean(value) for key, value in entry.items()}

    def _clean(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, list | tuple):
            return [self._clean(each) for each in value]
        if isinstance(value, dict):
            return {key: self._clean(each) for key, each in value.items()}
        return redact(str(value), self._secrets)


class _Foreign(logging.Formatter):
    """What libraries log, tracebacks and all, behind the same walls."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__("%(name)s: %(message)s")
        self._secrets = tuple(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return _shown(redact(super().format(record), self._secrets), lines=True)


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
    out, hidden = stream or sys.stderr, tuple(secrets)
    pretty = form == "console" or (form == "auto" and out.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=out.isatty())
        if pretty
        else structlog.processors.JSONRenderer(default=str)
    )
    least = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *([] if repeats is None else [repeats]),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            # Before control characters go: a secret of several lines would not be known again.
            _Redaction(hidden),
            _printable,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Unfailing(out))),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; their warnings belong into the same place.
    foreign = logging.StreamHandler(cast(TextIO, _Unfailing(out)))
    foreign.setFormatter(_Foreign(hidden))
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
    return "".join(char if char.isprintable() or char in kept else "\ufffd" for char in text)
