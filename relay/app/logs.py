"""The relay's own log: readable on a terminal, JSON lines otherwise, never with a secret."""

import logging
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import structlog

from relay.http import redact


class _Redaction:
    """Replaces secrets in everything that is logged: the last of several walls, not the only one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secrets)

    def __call__(self, _logger: Any, _method: str, entry: structlog.typing.EventDict) -> Any:
        return {key: self._clean(value) for key, value in entry.items()}

    def _clean(self, value: Any) -> Any:
        return redact(value, self._secrets) if isinstance(value, str) else value


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
) -> None:
    """Configure logging for the process."""
    out = stream or sys.stderr
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
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _printable,
            _Redaction(secrets),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Unfailing(out))),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard library; their warnings belong into the same place.
    logging.basicConfig(level=logging.WARNING, stream=out, format="%(name)s: %(message)s", force=True)


def _printable(_logger: Any, _method: str, entry: structlog.typing.EventDict) -> Any:
    """Take control characters out of one-line values: text from MSR must not write to a terminal."""
    for key, value in entry.items():
        if isinstance(value, str) and key not in ("exception", "stack") and not value.isprintable():
            entry[key] = "".join(char if char.isprintable() else "\ufffd" for char in value)
    return entry
