"""What a measurement found: figures, tables of them, and the section of the document that they make."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The same figure measured several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.values)

    def shown(self, form: str = ".2f") -> str:
        """Return ``median (min to max)``; of a figure that was measured once just that."""
        if len(self.values) == 1:
            return f"{self.values[0]:{form}}"
        low, high = min(self.values), max(self.values)
        return f"{self.median:{form}} ({low:{form}} to {high:{form}})"


def spread(values: Sequence[float]) -> Spread:
    """Return figures of the same kind as one."""
    return Spread(tuple(values))


def ratios(found: Sequence[float], yardstick: Sequence[float]) -> Spread:
    """Return each figure divided by the yardstick that was measured in the same round."""
    return Spread(tuple(mine / theirs for mine, theirs in zip(found, yardstick, strict=True)))


def quantile(values: Sequence[float], part: float) -> float:
    """Return a quantile by the nearest rank: ``part`` is 0.99 for p99."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


@dataclass(frozen=True, slots=True)
class Table:
    """Figures, as texts."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def shown(self) -> str:
        """Return it as Markdown."""
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@dataclass(frozen=True, slots=True)
class Section:
    """What one benchmark has to say: how it was measured, what was found, and what limits it."""

    title: str
    how: str
    tables: tuple[Table, ...]
    notes: str = ""

    def shown(self) -> str:
        """Return it as Markdown, without its title."""
        parts = [self.how, *(table.shown() for table in self.tables), self.notes]
        return "\n\n".join(part.strip() for part in parts if part.strip())
