"""Charts of what was sent lately: where each bar and dot lies. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from relay.store import Slot, Statistics

WIDTH: Final = 600
HEIGHT: Final = 120
_GAP: Final = 2.0
_STEPS: Final = (1, 2, 5)
_SENT: Final = ("delivered", "partial")


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a column, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Row:
    """What a chart shows of one slot, in figures. Times are in seconds, None if nothing was sent."""

    at: datetime
    sent: int
    dead: int
    failed: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Rate:
    """Columns of what was sent, with what was refused for good above; ``top`` is what the axis ends at."""

    top: int
    sent: tuple[Bar, ...]
    dead: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """Columns up to the 95th percentile, a mark at the median; ``top`` in seconds."""

    top: float
    p95: tuple[Bar, ...]
    p50: tuple[Bar, ...]


def rows_of(found: Statistics) -> tuple[Row, ...]:
    """Return the figures of all channels together."""
    return tuple(_row(each) for each in found.total)


def _row(slot: Slot) -> Row:
    sent = sum(slot.finished.get(each, 0) for each in _SENT)
    return Row(slot.at, sent, slot.finished.get("dead", 0), slot.failed, slot.p50, slot.p95)


def rate(rows: Sequence[Row]) -> Rate:
    """Return the chart of how much was sent."""
    top = round(ceiling(max((each.sent + each.dead for each in rows), default=0)))
    sent, dead = [], []
    for n, each in enumerate(rows):
        low = _bar(n, len(rows), 0, each.sent, top)
        high = _bar(n, len(rows), each.sent, each.dead, top)
        sent += [low] if each.sent else []
        dead += [high] if each.dead else []
    return Rate(top, tuple(sent), tuple(dead))


def latency(rows: Sequence[Row]) -> Latency:
    """Return the chart of how long it took."""
    top = ceiling(max((each.p95 or 0 for each in rows), default=0))
    p95, p50 = [], []
    for n, each in enumerate(rows):
        if each.p50 is None or each.p95 is None:
            continue
        p95.append(_bar(n, len(rows), 0, each.p95, top))
        middle = _bar(n, len(rows), 0, each.p50, top)
        p50.append(Bar(middle.x, max(0.0, middle.y - 1.5), middle.width, 3))
    return Latency(top, tuple(p95), tuple(p50))


def ceiling(value: float) -> float:
    """Return what an axis ends at: 1, 2 or 5 times a power of ten, not less than the value; 1 for nothing."""
    if value <= 0:
        return 1
    power = 10.0**-3
    while True:
        for step in _STEPS:
            if step * power >= value:
                return step * power
        power *= 10


def _bar(n: int, count: int, below: float, value: float, top: float) -> Bar:
    width = WIDTH / count
    # What is more than nothing is to be seen.
    height = max(1.5, value / top * HEIGHT) if value else 0.0
    y = HEIGHT - below / top * HEIGHT - height
    return Bar(
        round(n * width + _GAP / 2, 1), round(max(0.0, y), 1), round(width - _GAP, 1), round(height, 1)
    )
