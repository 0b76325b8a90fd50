"""What measures the relay cannot do it harm: whatever it raises stays with it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from relay.model.errors import StoreError
from relay.model.plan import Plan
from relay.model.telemetry import Several, Telemetry
from tests.store.things import NOW, delivery


class Broken(Telemetry):
    """Raises whatever it is told."""

    def committed(self, watch: object, plan: object) -> None:
        raise ZeroDivisionError("committed")

    def traceparent(self, delivery: object) -> str | None:
        raise ZeroDivisionError("traceparent")

    @contextmanager
    def storing(self, operation: str) -> Iterator[None]:
        yield
        raise ZeroDivisionError(operation)


class Counting(Telemetry):
    """Counts what it is told."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def committed(self, watch: object, plan: object) -> None:
        self.seen.append("committed")

    def traceparent(self, delivery: object) -> str | None:
        return "00-trace"

    @contextmanager
    def storing(self, operation: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            self.seen.append(f"{operation} failed")
            raise
        self.seen.append(operation)


def test_the_others_are_told_all_the_same() -> None:
    errors: list[str] = []
    counting = Counting()
    both = Several([Broken(), counting], lambda error: errors.append(str(error)))
    both.committed(None, Plan(at=NOW))
    assert both.traceparent(delivery("dlv_1")) == "00-trace"
    with both.storing("read"):
        pass
    assert counting.seen == ["committed", "read"]
    assert errors == ["committed", "traceparent", "read"]


def test_what_the_store_raises_passes_through() -> None:
    errors: list[str] = []
    counting = Counting()
    both = Several([Broken(), counting], lambda error: errors.append(str(error)))
    with pytest.raises(StoreError, match="gone"), both.storing("commit"):
        raise StoreError("gone")
    assert (counting.seen, errors) == (["commit failed"], [])
