import warnings
from collections.abc import AsyncIterator

import pytest

from relay.http import Http
from relay.model.clock import SystemClock

with warnings.catch_warnings():
    # Apprise looks for a module that Python 3.13 no longer has.
    warnings.filterwarnings("ignore", "'imghdr' is deprecated", DeprecationWarning)
    from apprise.manager_plugins import NotificationManager

    NotificationManager().schemas()


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    client = Http(SystemClock())
    yield client
    await client.close()
