import pytest
from hypothesis import settings

from tests.real import parts

pytest_plugins = ["tests.real.fixtures"]

# How long one example takes says how busy the machine is, and nothing about the code.
settings.register_profile("relay", deadline=None)
settings.load_profile("relay")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """`@pytest.mark.real("notary")` says in the open what a test needs."""
    for mark in item.iter_markers("real"):
        for part in mark.args:
            parts.need(part)
