"""Lists of values in parts that every database takes in one statement."""

from collections.abc import Collection, Iterable
from typing import TypeVar

T = TypeVar("T")

_MANY = 500


def parts(ids: Collection[T]) -> Iterable[list[T]]:
    """Yield the values in lists that fit into one IN."""
    everything = list(ids)
    for start in range(0, len(everything), _MANY):
        yield everything[start : start + _MANY]
