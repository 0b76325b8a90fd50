"""The changefeed into the real intake and a real store: what is committed survives, and only once."""

from contextlib import closing
from pathlib import Path

from relay.engine.draft import Rules
from relay.engine.intake import Intake, Setting
from relay.engine.policy import Policy
from relay.http import Http
from relay.model.observation import Watch
from relay.store import Filter, Store
from relay.watch import WATCHERS, Place
from tests.engine.things import router
from tests.support.clock import ManualClock

from .things import Serve, Watched


async def test_a_restart_between_pages_repeats_nothing(
    clock: ManualClock, http: Http, serve: Serve, tmp_path: Path
) -> None:
    watched = await Watched(clock, http, "SQL").start(serve)
    names = [f"prod/{number}" for number in range(7)]
    await watched.sign(*names)
    model, made = WATCHERS["changefeed"]
    setting = Setting(Policy(), Rules(router()), {Watch("prod", "changefeed"): ["all repositories"]})
    for pages in (1, 1, 2, 9, 9):
        with closing(Store(f"sqlite:///{tmp_path / 'relay.db'}")) as store:
            intake = Intake(store, setting, lambda _: None)
            await intake.start(clock.now())
            place = Place("prod", watched.msr(), clock, store.cursor, store)
            looking = made(place, model.model_validate({"start": "beginning", "page": 2})).look()
            async for report in looking:
                await intake.take(report)
                pages -= 1
                if not pages:
                    break
            await looking.aclose()
    with closing(Store(f"sqlite:///{tmp_path / 'relay.db'}")) as store:
        events = [event.subject.name for _, _, event in await store.list_events(Filter(limit=100))]
        assert sorted(events) == names
        assert sum((await store.count_deliveries()).values()) == len(names)
