"""Keeping a log readable when something is broken for hours: the same trouble is told now and then."""

import logging
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import structlog

from relay.model.clock import Clock

_CAUSE: Final = ("error", "reason")
_VARIES: Final = frozenset(
    {
        *(
            "event_id",
            "events",
            "alert",
            "delivery",
            "thread",
            "rule",
            "type",
            "status",
            "severity",
            "summary",
        ),
        *("attempt", "again_at", "seconds", "crashes", "timestamp", "exc_info", "exception", "since"),
        *_CAUSE,
    }
)
"""What is no part of a trouble's subject: the same with the next delivery, or once more, is no news."""
_TROUBLE: Final = frozenset({"warning", "error", "critical"})
_MOST: Final = 1000
_CAUSES: Final = 5
"""So many causes of one trouble are told each at once; a text that is never the same is no cause."""

Key = tuple[str, ...]


@dataclass(slots=True)
class _Told:
    """What was told of one trouble since a moment (monotonic seconds), and how often it was not."""

    since: float
    causes: set[str] = field(default_factory=set)
    left_out: int = 0


class Repeats:
    """Lets the first line of a trouble through at once, and its like after ``every``, with their number.

    Lines of level info and debug are decisions, each of which is told. May be used from any thread.
    """

    def __init__(self, clock: Clock, every: timedelta = timedelta(minutes=10)) -> None:
        self.every = every
        self._clock = clock
        self._told: OrderedDict[Key, _Told] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, _logger: Any, _method: str, entry: structlog.typing.EventDict) -> Any:
        """Drop a line that says what was said a while ago, or note in ``left_out`` how many were dropped."""
        if entry.get("level") not in _TROUBLE:
            return entry
        subject = (f"{name}={value}" for name, value in sorted(entry.items()) if name not in _VARIES)
        left_out = self.left_out(tuple(subject), _cause(entry))
        if left_out is None:
            raise structlog.DropEvent
        return {**entry, "left_out": left_out} if left_out else entry

    def left_out(self, key: Key, cause: str) -> int | None:
        """Return how many lines of a trouble were left out since the last one; None: leave this one out."""
        now = self._clock.monotonic()
        with self._lock:
            told = self._told.get(key)
            if told is None or now - told.since >= self.every.total_seconds():
                self._told[key] = _Told(now, {cause})
                self._told.move_to_end(key)
                if len(self._told) > _MOST:
                    self._told.popitem(last=False)
                return 0 if told is None else told.left_out
            if cause in told.causes or len(told.causes) >= _CAUSES:
                told.left_out += 1
                return None
            told.causes.add(cause)
            return 0


class ForeignRepeats(logging.Filter):
    """The same for what libraries log."""

    def __init__(self, repeats: Repeats) -> None:
        super().__init__()
        self._repeats = repeats

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the record is to be written."""
        left_out = self._repeats.left_out((record.name, str(record.msg)), "")
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more like it)", ()
        return left_out is not None


def _cause(entry: structlog.typing.EventDict) -> str:
    """Return why it happened, as far as the line says so."""
    said = next((entry[name] for name in _CAUSE if entry.get(name) is not None), None)
    if said is not None:
        return str(said)
    found = entry.get("exc_info")
    if isinstance(found, BaseException):
        return type(found).__name__
    kind = found[0] if isinstance(found, tuple) else sys.exc_info()[0] if found else None
    return "" if kind is None else kind.__name__
