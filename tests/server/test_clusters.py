"""Clusters over the API: what was read lately, and nothing that is no longer known."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from relay.engine.scene import Scene
from relay.model.alert import AlertState
from relay.model.observation import Look, Watch
from relay.server import Watched
from relay.settings import Settings
from tests.server.conftest import Site
from tests.store import things
from tests.store.things import NOW, later

SOURCES = ("msr-1", "msr-2")


def looked(*unread: str, at: Any = NOW, late: float | None = None) -> Watched:
    look = Look(Watch("prod", "ping"), SOURCES, 1.0, at, dict.fromkeys(unread, "refused"))
    return Watched(look, timedelta(seconds=10), later(10), late, 12.5)


@pytest.fixture
def prod(site: Site) -> Site:
    cluster = {"name": "prod", "url": "https://msr.example.com", "username": "relay", "password": "secret"}
    site.settings = Settings.model_validate({"clusters": [cluster]})
    return site


@pytest.mark.parametrize(
    ("watched", "readable"),
    [
        ([], None),
        ([looked(at=None)], None),
        ([looked()], True),
        ([looked("msr-1")], True),
        ([looked(*SOURCES)], False),
        ([looked(late=600.0)], None),
        ([looked(late=600.0), looked(*SOURCES)], False),
    ],
)
async def test_readable_is_what_was_read_lately(
    prod: Site, watched: list[Watched], readable: bool | None
) -> None:
    prod.running = replace(prod.running, watched=watched)
    status, said = await prod.call("/clusters/prod", None, "GET")
    assert (status, said["readable"]) == (200, readable)


async def test_what_it_says(prod: Site) -> None:
    firing = things.alert("alr_1", cluster="prod")
    pending = replace(firing, id="alr_2", state=AlertState.PENDING)
    alerts = [firing, pending, things.alert("alr_3", cluster="lab")]
    scene = Scene({each.id: each for each in alerts})
    prod.running = replace(prod.running, watched=[looked("msr-2")], scene=scene)
    _, said = await prod.call("/clusters", None, "GET")
    [cluster] = said["items"]
    assert (cluster["name"], cluster["firing"]) == ("prod", 1)
    [watcher] = cluster["watchers"]
    assert (watcher["every"], watcher["due_at"]) == ("10s", "2026-11-23T21:00:10.123456Z")
    assert (watcher["lag_seconds"], watcher["late_seconds"]) == (12.5, None)
    assert watcher["sources"] == [
        {"source": "msr-1", "unread": None},
        {"source": "msr-2", "unread": "refused"},
    ]
    assert "secret" not in str(said)


async def test_one_that_there_is_not(prod: Site) -> None:
    status, said = await prod.call("/clusters/stage", None, "GET")
    assert (status, "configured: prod" in said["detail"]) == (404, True)
