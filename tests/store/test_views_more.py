"""What people look at: deeds, evidence, repositories, statistics, and what waits."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.model.delivery import Delivery, DeliveryState
from relay.model.plan import Plan
from relay.model.trust import trust_key
from relay.store import (
    Count,
    Deed,
    DeedQuery,
    RepositoryQuery,
    Slot,
    Store,
    Stretch,
    TrustStanding,
    standing_of,
)
from relay.store.views import statistics
from tests.store.chains import deleted
from tests.store.test_trust import head, keep, kept, see
from tests.store.test_views import walk
from tests.store.things import HELL, NOW, claims, delivery, later, plan_of, settled

MINUTE = timedelta(minutes=1)


async def test_deeds_are_filtered_and_paged(store: Store) -> None:
    deeds = [Deed(later(n), "ab"[n % 2], "xy"[n // 3], f"dlv_{n}", f"note {n}") for n in range(6)]
    for deed in deeds:
        await store.record(deed)
    for given, wanted in (
        ({}, "543210"),
        ({"who": "a"}, "420"),
        ({"action": "y"}, "543"),
        ({"who": "b", "action": "y"}, "53"),
        ({"subject": "dlv_2"}, "2"),
        ({"since": later(1), "until": later(3)}, "21"),
        ({"who": HELL}, ""),
    ):
        page = await store.views.deeds(DeedQuery(**given))  # type: ignore[arg-type]
        assert list(page.rows) == [deeds[int(n)] for n in wanted], given
    found = await walk(lambda before: store.views.deeds(DeedQuery(before=before, limit=4)))
    assert found == deeds[::-1]


async def test_evidence_is_filtered_and_paged(store: Store) -> None:
    for n in range(1, 6):
        await store.commit(deleted(n, cluster="lab" if n % 2 else "prod"))

    async def seqs(**given: Any) -> list[int]:
        return [each.seq for each in (await store.views.evidence(Stretch(**given))).rows]

    assert await seqs() == [5, 4, 3, 2, 1]
    assert await seqs(cluster="prod") == [4, 2]
    assert await seqs(subject="prod/app") == [5, 4, 3, 2, 1]
    assert await seqs(subject="prod/app", cluster="lab", before=5) == [3, 1]
    assert await seqs(subject="prod/ap") == []
    assert await seqs(kind="anchor") == []
    assert await seqs(since=later(2), until=later(4)) == [3, 2]
    pages = await walk(lambda before: store.views.evidence(Stretch(before=before), 2))
    assert [each.seq for each in pages] == [5, 4, 3, 2, 1]
    assert await store.views.entry(3) == pages[2]
    assert await store.views.entry(9) is None


async def test_evidence_that_was_tampered_with_is_shown_as_it_is(
    sqlite_url: str, tmp_path: Path, open_store: Any
) -> None:
    store = open_store(sqlite_url)
    for n in range(1, 4):
        await store.commit(deleted(n))
    with sqlite3.connect(tmp_path / "relay.db") as raw:
        raw.execute("UPDATE evidence SET subject = CAST(x'ff' AS TEXT), at = 'never' WHERE seq = 2")
    page = await store.views.evidence(Stretch(since=NOW))
    assert {each.seq for each in page.rows} >= {1, 3}
    entry = await store.views.entry(2)
    assert entry is not None
    assert (entry.subject, entry.at) == ("\udcff", "never")


NAMES = ["prod/app", "prod/zoo", "Prod/Äpfel", "lab/app", "x" * 300 + "/1", "x" * 300 + "/2"]


async def test_repositories_are_filtered_and_paged(store: Store) -> None:
    await see(store, *(head(1, repository=name) for name in NAMES))
    await see(store, head(1, repository="prod/app", cluster="other"))
    await see(store, head(2, 0, repository="prod/zoo"))
    keys = {name: trust_key("prod", f"msr.example.com/{name}") for name in NAMES}
    await keep(store, await kept(store, keys["lab/app"]), state="{}", state_sha256="1")
    await keep(store, await kept(store, keys["Prod/Äpfel"]), problem="it does not verify")

    async def names(**given: Any) -> set[str]:
        page = await store.views.repositories(RepositoryQuery(**({"cluster": "prod"} | given)))
        assert all(standing_of(each) == given.get("standing", standing_of(each)) for each in page.rows)
        return {each.head.repository for each in page.rows}

    assert await names() == set(NAMES)
    assert await names(cluster="other") == {"prod/app"}
    assert await names(namespace="prod") == {"prod/app", "prod/zoo"}
    assert await names(namespace="x" * 300) == set(NAMES[4:])
    assert await names(standing=TrustStanding.DELETED) == {"prod/zoo"}
    assert await names(standing=TrustStanding.PROBLEM) == {"Prod/Äpfel"}
    assert await names(standing=TrustStanding.SIGNED) == {"lab/app"}
    assert await names(standing=TrustStanding.UNEXAMINED) == {"prod/app", *NAMES[4:]}
    assert await names(search="PROD/a") == {"prod/app"}
    assert await names(search="äpf") == {"Prod/Äpfel"}
    assert await names(search="od/ä", namespace="prod") == set()
    assert (await store.views.repository(keys["prod/app"])) == await kept(store, keys["prod/app"])
    assert await store.views.repository("rep_x") is None


@pytest.mark.parametrize("most", [2, 100])
@pytest.mark.parametrize("given", [{}, {"search": "x"}, {"search": "Ä"}, {"cluster": "prod"}])
async def test_pages_of_repositories_leave_nothing_out(
    given: dict[str, Any], most: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.store.views.repositories.MOST_SEARCHED", most)
    many = [f"x/ä{n}" for n in range(7)] + ["x" * 300 + f"/ä{n}" for n in range(4)]
    await see(store, *(head(1, repository=name) for name in many))
    found = await walk(lambda after: store.views.repositories(RepositoryQuery(**given, after=after, limit=2)))
    assert sorted(each.head.repository for each in found) == sorted(many)
    assert [each.head.repository for each in found][:7] == many[:7]


def finished(name: str, ends: float, took: float, **fields: Any) -> Delivery:
    given: dict[str, Any] = {"state": DeliveryState.DELIVERED, "attempts": 1, "finished_at": later(ends)}
    return replace(delivery(name, ready_at=later(ends - took)), **(given | fields))


async def test_what_finished_is_added_up_by_slots(store: Store) -> None:
    """NOW is 21:00:00.1, so that the last slot begins at 21:00."""
    told = (
        finished("dlv_1", 0, 0.2),
        finished("dlv_2", 59, 2.0, attempts=3),
        finished("dlv_3", 30, 40.0, channel="mail", state=DeliveryState.DEAD, attempts=2),
        finished("dlv_4", -30, 5.0),
        finished("dlv_5", -119, 9.0),
        finished("dlv_6", -121, 9.0),
        finished("dlv_7", 61, 9.0),
        finished("dlv_8", 10, -5.0, channel="mail"),
        delivery("dlv_9"),
    )
    await store.commit(plan_of(*told))
    found = await store.views.statistics(NOW, MINUTE, 3)
    begins = NOW.replace(microsecond=0)
    assert (found.every, found.since, found.one_of) == (MINUTE, begins - 2 * MINUTE, 1)
    assert set(found.channels) == {"soc", "mail"}
    early, middle, last = found.channels["soc"]
    assert early == Slot(begins - 2 * MINUTE, {"delivered": 1}, 0, 9.0, 9.0, 9.0, 9.0)
    assert middle == Slot(begins - MINUTE, {"delivered": 1}, 0, 5.0, 5.0, 5.0, 5.0)
    assert last == Slot(begins, {"delivered": 2}, 2, pytest.approx(1.1), 0.25, 2.0, 2.0)  # type: ignore[arg-type]
    mail = found.channels["mail"]
    assert mail[:2] == (Slot(begins - 2 * MINUTE), Slot(begins - MINUTE))
    assert (mail[2].finished, mail[2].failed) == ({"dead": 1, "delivered": 1}, 2)
    # The clock went back meanwhile.
    assert (mail[2].mean, mail[2].most) == (0.0, 0.0)
    assert (found.total[2].finished, found.total[2].failed) == ({"delivered": 3, "dead": 1}, 4)


async def test_of_many_some_are_looked_at_and_that_is_said(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_SAMPLE", 500)
    # As with a rule of four channels: each fourth delivery is of the same one.
    told = [finished(f"dlv_{n}", 1, 1.0, channel="abcd"[n % 4]) for n in range(2000)]
    await store.commit(Plan(events=plan_of(*told[:1]).events, deliveries=tuple(told)))
    found = await store.views.statistics(NOW, MINUTE, 1)
    assert found.one_of == 4
    for slots in found.channels.values():
        assert slots[0].finished["delivered"] == pytest.approx(500, rel=0.2)
    assert found.total[0].finished["delivered"] == pytest.approx(2000, rel=0.1)
    assert found.total[0].mean == pytest.approx(1.0)


async def test_what_is_not_counted_is_not_shown_as_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_MOST", 3)
    await store.commit(plan_of(*(finished(f"dlv_{n}", -60.0 * n, 1.0) for n in range(5))))
    found = await store.views.statistics(NOW, MINUTE, 5)
    begins = NOW.replace(microsecond=0)
    # The third one's slot may have more than was counted.
    assert found.since == begins - MINUTE
    assert [slot.finished for slot in found.total] == [{}, {}, {}, {"delivered": 1}, {"delivered": 1}]


async def test_what_waits_in_a_channel(store: Store) -> None:
    told = (
        delivery("dlv_1", ready_at=later(-60)),
        delivery("dlv_2", ready_at=later(-90), due_at=later(30)),
        delivery("dlv_3", ready_at=later(30), due_at=later(30)),
        delivery("dlv_4", ready_at=later(-99), state=DeliveryState.MUTED),
        delivery("dlv_5", ready_at=later(-99), state=DeliveryState.DELIVERED, finished_at=NOW),
        delivery("dlv_6", ready_at=later(-99), channel="mail"),
    )
    await store.commit(plan_of(*told))
    found = await store.views.backlogs(["soc", "idle"], NOW)
    assert (found["soc"].ready, found["soc"].later) == (Count(2), Count(1))
    assert found["soc"].oldest == later(-90)
    assert found["soc"].held_back == {"muted": Count(1)}
    assert (found["idle"].ready, found["idle"].oldest, found["idle"].held_back) == (Count(0), None, {})


async def test_what_waits_is_counted_up_to_a_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics.backlogs, "__defaults__", (3,))
    await store.commit(plan_of(*(delivery(f"dlv_{n}", ready_at=later(n)) for n in range(5))))
    found = (await store.views.backlogs(["soc"], later(60)))["soc"]
    assert (found.ready, found.oldest) == (Count(3, more=True), NOW)
    (claim,) = await claims(store, now=later(60), limit=1)
    await store.settle(settled(claim.delivery))
    for claim in await claims(store, now=later(60), limit=1):
        await store.settle(settled(claim.delivery))
    assert (await store.views.backlogs(["soc"], later(60)))["soc"].ready == Count(3)
