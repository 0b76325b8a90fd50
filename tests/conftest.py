import pytest

from tests.real import parts

pytest_plugins = ["tests.real.fixtures"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.real("notary")` says in the open what a test needs."""
    for mark in item.iter_markers("real"):
        for part in mark.args:
            parts.need(part)
