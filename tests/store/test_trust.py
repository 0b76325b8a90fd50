"""What is kept of repositories' trust data, and what waits until it has been examined."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay.model.plan import Plan
from relay.model.trust import Head, Kept, trust_key
from relay.store import CursorMovedError, Store
from tests.store.things import NOW, event, later

KEY = trust_key("prod", "msr.example.com/prod/app")
NO_TIME = datetime(1, 1, 1, tzinfo=UTC)


def head(seconds: float = 0, version: int = 1, repository: str = "prod/app", **fields: Any) -> Head:
    deleted = version == 0
    given: dict[str, Any] = {
        "cluster": "prod",
        "gun": f"msr.example.com/{repository}",
        "repository": repository,
        "record": f"record {version}",
        "event": f"evt_{seconds}",
        "at": later(seconds),
        "version": version,
        "sha256": "" if deleted else f"{version:064x}",
        "deleted": deleted,
        "wanted": not deleted,
    }
    return Head(**(given | fields))


async def kept(store: Store, key: str = KEY) -> Kept:
    return (await store.kept_trust([key]))[key]


async def see(store: Store, *heads: Head, at: datetime = NOW) -> None:
    await store.commit(Plan(at=at, heads=heads))


async def keep(store: Store, found: Kept, **changes: Any) -> Kept:
    await store.commit(Plan(at=NOW, kept=(replace(found, **changes),)))
    return await kept(store, found.head.key)


async def test_the_newest_record_counts_wherever_it_stands(store: Store) -> None:
    await see(store, head(1, 1), head(3, 3), head(2, 2))
    assert (await kept(store)).head == replace(head(3, 3), wanted=False)
    await see(store, head(2.5, 9))
    assert (await kept(store)).head.version == 3
    await see(store, head(3, 4))
    assert (await kept(store)).head.version == 4
    await see(store, head(0, 7, at=NO_TIME))
    assert (await kept(store)).head.version == 7


async def test_what_is_seen_of_it_makes_it_another_revision(store: Store) -> None:
    await see(store, head(1))
    before = await kept(store)
    assert (before.revision, before.wanted_at, before.tries) == (0, NOW, 0)
    tried = await keep(store, before, tries=2, wanted_at=later(60), problem="root: broken")
    assert (tried.revision, tried.tries, tried.wanted_at, tried.problem) == (1, 2, later(60), "root: broken")
    await see(store, head(2, 2), at=later(5))
    now = await kept(store)
    assert (now.revision, now.tries, now.wanted_at) == (2, 0, later(5))
    # What was wrong is wrong until it has been examined anew.
    assert now.problem == "root: broken"


async def test_what_was_found_out_too_late_is_not_kept(store: Store) -> None:
    await see(store, head(1))
    before = await kept(store)
    await see(store, head(2, 0))
    with pytest.raises(CursorMovedError, match=r"prod/app changed while it was examined"):
        await store.commit(Plan(at=NOW, events=(event("evt_late"),), kept=(replace(before, state="{}"),)))
    assert (await kept(store)).state is None
    assert await store.known_events(["evt_late"]) == set()


async def test_a_deletion_leaves_what_was_lost(store: Store) -> None:
    await see(store, head(1))
    found = await keep(
        store,
        await kept(store),
        state='{"a": 1}',
        state_sha256="ab",
        state_at=later(1),
        expires_at=later(99),
        problem="x",
        missing_since=later(1),
    )
    assert found.state_at == later(1)
    await see(store, head(2, 0))
    gone = await kept(store)
    assert (gone.state, gone.state_sha256, gone.lost_at) == ('{"a": 1}', "ab", later(2))
    assert (gone.wanted_at, gone.expires_at, gone.problem, gone.missing_since) == (None, None, None, None)
    await see(store, head(3, 1), head(4, 0))
    # Since when the state is of a former life.
    assert (await kept(store)).lost_at == later(2)
    assert await store.trust_deletions("prod", "prod") == 2
    assert await store.trust_deletions("prod", "lab") == 0
    assert await store.trust_deletions("lab", "prod") == 0


async def test_what_waits(store: Store) -> None:
    await see(store, head(1), head(1, repository="prod/other"))
    app = event("evt_1").subject
    mine = replace(app, gun="msr.example.com/prod/app")
    other = replace(app, name="prod/other", gun="msr.example.com/prod/other")
    told = [
        event("evt_1", subject=mine, happened_at=later(2), seen_at=later(10)),
        event("evt_2", subject=mine, happened_at=later(1), seen_at=later(10)),
        event("evt_3", subject=other, seen_at=later(5)),
    ]
    await store.commit(Plan(at=NOW, waiting=tuple(told)))
    assert await store.known_events(["evt_1", "evt_3", "evt_4"]) == {"evt_1", "evt_3"}
    assert await store.still_waiting(["evt_1", "evt_4"]) == {"evt_1"}
    waiting = await store.waiting_trust("prod", 10)
    assert [each.kept.head.repository for each in waiting] == ["prod/other", "prod/app"]
    assert [each.id for each in waiting[1].events] == ["evt_2", "evt_1"]
    assert len(await store.waiting_trust("prod", 1)) == 1
    assert await store.waiting_trust("lab", 10) == []
    assert await store.clusters_waiting() == {"prod"}
    assert [each.id for each in await store.waited_since("prod", later(6))] == ["evt_3"]
    assert await store.waited_since("lab", later(60)) == []
    assert [each.id for each in (await store.waiting_for([KEY]))[KEY]] == ["evt_2", "evt_1"]
    await store.commit(Plan(at=NOW, events=(told[0],), examined=("evt_1", "evt_3")))
    assert await store.still_waiting(["evt_1", "evt_2", "evt_3"]) == {"evt_2"}
    assert await store.known_events(["evt_1", "evt_2", "evt_3"]) == {"evt_1", "evt_2"}


async def test_stock_is_taken_of_what_is_not_known(store: Store) -> None:
    await see(store, head(1, 5))
    old = timedelta(hours=1).total_seconds()
    newest_first = (
        head(0, 9, repository="prod/app"),
        head(-1, 2, repository="prod/new"),
        head(-old, 0, repository="prod/new"),
        head(-60, 0, repository="lab/gone"),
    )
    await store.commit(Plan(at=NOW, inventory=newest_first))
    assert (await kept(store)).head.version == 5
    new = await kept(store, trust_key("prod", "msr.example.com/prod/new"))
    assert (new.head.version, new.wanted_at, new.deletions) == (2, NOW, 1)
    gone = await kept(store, trust_key("prod", "msr.example.com/lab/gone"))
    # The watch of the feed is about to tell it, and counts it then.
    assert (gone.head.deleted, gone.wanted_at, gone.deletions) == (True, None, 0)


async def test_what_is_to_be_done(store: Store) -> None:
    names = ("prod/a", "prod/b", "prod/c")
    await see(store, *(head(1, repository=name) for name in names))
    a, b, c = [await kept(store, trust_key("prod", f"msr.example.com/{name}")) for name in names]
    await keep(store, a, wanted_at=later(9), checked_at=later(5), expires_at=later(50))
    await keep(store, b, wanted_at=later(3), checked_at=later(1), expires_at=later(40), problem="broken")
    assert c.checked_at == NOW
    await keep(store, c, wanted_at=None, checked_at=None)

    def listed(found: list[Kept]) -> list[str]:
        return [each.head.repository for each in found]

    assert listed(await store.wanted_trust("prod", later(9), 10)) == ["prod/b", "prod/a"]
    assert listed(await store.wanted_trust("prod", later(8), 10)) == ["prod/b"]
    assert listed(await store.wanted_trust("lab", later(9), 10)) == []
    # What was never asked about comes first, on every database.
    assert listed(await store.unchecked_trust("prod", later(6), 10)) == ["prod/c", "prod/b", "prod/a"]
    assert listed(await store.unchecked_trust("prod", later(2), 1)) == ["prod/c"]
    assert listed(await store.expiring_trust("prod", later(45), 10)) == ["prod/b"]
    assert listed(await store.invalid_trust("prod", 10)) == ["prod/b"]
    await see(store, head(2, 0, repository="prod/c"))
    assert listed(await store.unchecked_trust("prod", later(6), 10)) == ["prod/b", "prod/a"]


async def test_a_name_may_be_long(store: Store) -> None:
    name = f"{'n' * 2000}/{'r' * 2000}"
    await see(store, head(1, repository=name), head(2, 0, repository=name))
    found = await kept(store, trust_key("prod", f"msr.example.com/{name}"))
    assert found.head.repository == name
    assert await store.trust_deletions("prod", "n" * 2000) == 1
