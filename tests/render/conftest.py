import pytest

from relay.render import Renderer
from tests.render.helpers import PUBLIC, StillClock


@pytest.fixture(scope="session")
def renderer() -> Renderer:
    return Renderer([], clock=StillClock(), public_url=PUBLIC)
