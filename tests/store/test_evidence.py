"""The evidence log: a chain in the order of the commits, in which every change is found."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from relay.engine.draft import Rules
from relay.engine.evidence import Verifier, drafts
from relay.engine.intake import Intake, Setting
from relay.engine.policy import Policy
from relay.engine.signing import Key
from relay.model.event import Subject, SubjectKind
from relay.model.evidence import (
    GENESIS,
    BrokenChainError,
    Draft,
    Head,
    Kind,
    canonical,
    link,
)
from relay.model.observation import CursorMove, Fact, Report, Watch
from relay.model.plan import Plan
from relay.store import CursorMovedError, EvidenceCut, Store, Stretch
from tests.engine.things import router
from tests.store.chains import (
    KEY,
    anchored,
    broken,
    change,
    deleted,
    entries,
    fill,
    insert,
    rewritten,
    verify,
)
from tests.store.conftest import OpenStore
from tests.store.things import HELL, NOW, event, later


async def test_records_are_chained_in_the_order_of_their_commits(store: Store) -> None:
    two = [event(f"evt_{name}", details={"version": 3}, summary=HELL) for name in "ab"]
    await store.commit(Plan(events=tuple(two), evidence=drafts(two)))
    await store.commit(deleted(3))
    first, second, third = await entries(store)
    assert (first.seq, first.prev) == (1, GENESIS)
    assert (second.prev, third.prev) == (first.hash, second.hash)
    assert await store.evidence_head() == Head(3, third.hash)
    assert (first.kind, first.cluster, first.subject, first.time) == ("record", "prod", "prod/app", NOW)
    assert first.content["details"] == {"version": 3}
    assert first.content["event"] == "evt_a"
    verdict = await verify(store)
    assert (verdict.broken, verdict.entries) == (None, 3)


async def test_whoever_makes_the_plan_decides_what_is_appended(store: Store) -> None:
    """An entry may be written before its event is, and then not again with it."""
    plan = deleted(1)
    await store.commit(Plan(at=plan.at, evidence=plan.evidence))
    await store.commit(replace(plan, evidence=()))
    assert len(await entries(store)) == 1
    assert await store.known_events(["evt_1"]) == {"evt_1"}


async def test_an_event_that_is_there_already_gives_no_entry(store: Store) -> None:
    await fill(store, 1)
    intake = Intake(store, Setting(Policy(), Rules(router()), {}), lambda channels: None)
    fact = Fact("trust.deleted", ("1",), Subject(SubjectKind.REPOSITORY, "prod/app"), "gone", NOW)
    await intake.take(Report(Watch("prod", "changefeed"), NOW, (), facts=(fact,)))
    await intake.take(Report(Watch("prod", "changefeed"), NOW, (), facts=(fact,)))
    assert len(await entries(store)) == 2


async def test_a_plan_that_is_not_committed_leaves_no_entry(store: Store) -> None:
    await store.commit(Plan(cursor=CursorMove("s", None, "1")))
    with pytest.raises(CursorMovedError):
        await store.commit(replace(deleted(1), cursor=CursorMove("s", "0", "2")))
    assert await entries(store) == []
    assert (await verify(store)).broken is None


async def test_many_plans_at_once_make_one_chain(store: Store) -> None:
    await asyncio.gather(*(store.commit(deleted(number)) for number in range(1, 41)))
    verdict = await verify(store)
    assert (verdict.broken, verdict.entries) == (None, 40)


async def test_two_processes_on_one_database_make_one_chain(url: str, open_store: OpenStore) -> None:
    one, other = open_store(url), open_store(url)
    await asyncio.gather(*((one, other)[number % 2].commit(deleted(number)) for number in range(1, 41)))
    verdict = await verify(one)
    assert (verdict.broken, verdict.entries) == (None, 40)


async def test_a_store_that_is_older_begins_its_chain(store: Store, url: str) -> None:
    await store.commit(Plan(events=(event("evt_before"),)))
    await store.commit(deleted(1))
    assert [each.seq for each in await entries(store)] == [1]


async def test_an_anchor_states_the_entry_just_before_it(store: Store) -> None:
    await fill(store, 2)
    head = await store.evidence_head()
    await store.commit(deleted(3))
    with pytest.raises(CursorMovedError):
        await store.commit(anchored(head, 4))
    await store.commit(anchored(await store.evidence_head(), 4))
    verdict = await verify(store, keys=(KEY.public,))
    assert (verdict.broken, verdict.signatures, verdict.signed_through) == (None, 1, 3)


SWAP = (
    "UPDATE evidence SET seq = -1 WHERE seq = :a",
    "UPDATE evidence SET seq = :a WHERE seq = :b",
    "UPDATE evidence SET seq = :b WHERE seq = -1",
)
SHIFT = (
    "DELETE FROM evidence WHERE seq = 4",
    "UPDATE evidence SET seq = seq - 1 WHERE seq = 5",
    "UPDATE evidence SET seq = seq - 1 WHERE seq = 6",
)


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (["UPDATE evidence SET body = body || ' ' WHERE seq = 4"], 4),
        (["UPDATE evidence SET cluster = NULL WHERE seq = 1"], 1),
        (["UPDATE evidence SET at = at + 1 WHERE seq = 6"], 6),
        (["UPDATE evidence SET hash = upper(hash) WHERE seq = 2"], 2),
        (["DELETE FROM evidence WHERE seq = 4"], 4),
        (["DELETE FROM evidence WHERE seq <= 2"], 1),
        (["DELETE FROM evidence WHERE seq >= 5"], 5),
        (["DELETE FROM evidence"], 1),
        (["UPDATE evidence SET seq = 40 WHERE seq = 4"], 4),
        (["UPDATE evidence SET seq = 0 WHERE seq = 4"], 0),
        (SWAP, 2),
        (SHIFT, 4),
        (["DELETE FROM cursors WHERE scope = 'evidence/head'"], 6),
    ],
)
async def test_what_is_changed_is_found_and_named(
    store: Store, url: str, statements: list[str], named: int
) -> None:
    await fill(store, 6)
    values = {"a": 2, "b": 5} if statements is SWAP else {}
    change(url, *statements, **values)
    assert broken(await verify(store)) == named


async def test_an_entry_that_somebody_added_is_found_though_it_fits(store: Store, url: str) -> None:
    await fill(store, 3)
    forged = link(
        4, Draft(later(9), Kind.RECORD, canonical({"event": "evt_x"})), (await entries(store))[2].hash
    )
    await insert(store, url, forged)
    assert broken(await verify(store)) == 4


async def test_after_tampering_the_relay_goes_on_and_it_is_still_found(store: Store, url: str) -> None:
    await fill(store, 6)
    change(url, "DELETE FROM evidence WHERE seq >= 5")
    await store.commit(deleted(7))
    assert broken(await verify(store)) == 5
    change(url, "UPDATE cursors SET value = 'nonsense' WHERE scope = 'evidence/head'")
    await store.commit(deleted(8))
    assert broken(await verify(store)) == 5


async def test_who_rewrites_it_all_contradicts_an_anchor(store: Store, url: str) -> None:
    await fill(store, 6)
    fourth, sixth = (Head(each.seq, each.hash) for each in (await entries(store))[3::2])
    assert (await verify(store, fourth, sixth)).anchored == 2
    await rewritten(store, url, count=6)
    assert (await verify(store)).broken is None, "nothing else can tell"
    assert broken(await verify(store, fourth)) == 4


async def test_a_truncated_end_is_found_by_an_anchor(store: Store, url: str) -> None:
    await fill(store, 6)
    anchor = await store.evidence_head()
    await rewritten(store, url, count=4)
    assert (await verify(store)).broken is None, "nothing else can tell"
    assert broken(await verify(store, anchor)) == 5


async def test_who_rewrites_it_all_contradicts_the_anchors_in_it(store: Store, url: str) -> None:
    await fill(store, 6, anchor_at=4)
    await rewritten(store, url, count=7)
    assert broken(await verify(store)) == 5


async def test_signatures_are_checked_by_a_key(store: Store, url: str) -> None:
    await fill(store, 3, anchor_at=2)
    await store.commit(anchored(await store.evidence_head(), 9, None))
    other = Key("whsk_" + "A" * 43 + "=")
    assert (await verify(store)).broken is None
    assert broken(await verify(store, keys=(KEY.public,))) == 5, "not signed"
    assert (await verify(store, keys=(KEY.public,), unsigned_until=5)).broken is None
    assert broken(await verify(store, keys=(other.public,), unsigned_until=5)) == 3, "signed by another"
    assert (await verify(store, keys=(other.public, KEY.public), unsigned_until=5)).broken is None


async def test_pruning_leaves_a_checkpoint(store: Store) -> None:
    await fill(store, 10)
    before = await entries(store)
    assert await store.prune_evidence(EvidenceCut(later(7.5), later(100), KEY, most=4)) == 4
    assert await store.prune_evidence(EvidenceCut(later(7.5), later(101), KEY, most=4)) == 3
    assert await store.prune_evidence(EvidenceCut(later(7.5), later(102), KEY, most=4)) == 0
    kept = await entries(store)
    assert kept[1:] == before[7:]
    verdict = await verify(store, Head(7, before[6].hash), Head(3, before[2].hash), keys=(KEY.public,))
    assert verdict.broken is None
    assert (verdict.pruned, verdict.pruned_from, verdict.signed_through) == (7, before[0].at, 7)
    assert verdict.unreached == (Head(3, before[2].hash),)
    assert verdict.anchored == 1
    await store.commit(deleted(11))
    assert (await verify(store)).broken is None
    assert broken(await verify(store, Head(7, GENESIS))) == 7


async def test_everything_may_be_pruned(store: Store) -> None:
    await fill(store, 3)
    assert await store.prune_evidence(EvidenceCut(later(100), later(100))) == 3
    assert [(each.kind, each.seq) for each in await entries(store)] == [("checkpoint", 3)]
    assert (await verify(store)).broken is None
    await store.commit(deleted(4))
    assert [each.seq for each in await entries(store)] == [3, 4]
    assert (await verify(store)).broken is None
    assert await store.evidence_span() == (3, 4)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evidence SET body = replace(body, '4', '3') WHERE seq = 4",
        "UPDATE evidence SET signature = NULL WHERE seq = 4",
        "UPDATE evidence SET at = at + 1 WHERE seq = 4",
        "UPDATE evidence SET kind = 'record' WHERE seq = 4",
    ],
)
async def test_a_changed_checkpoint_is_found(store: Store, url: str, statement: str) -> None:
    await fill(store, 6)
    await store.prune_evidence(EvidenceCut(later(4.5), later(100), KEY))
    assert (await verify(store)).broken is None
    change(url, statement)
    assert broken(await verify(store)) == 4


async def test_what_is_broken_is_not_pruned(store: Store, url: str) -> None:
    await fill(store, 6)
    change(url, "UPDATE evidence SET subject = 'x' WHERE seq = 3")
    with pytest.raises(BrokenChainError, match="entry 3 was changed"):
        await store.prune_evidence(EvidenceCut(later(100), later(100), KEY))
    assert len(await entries(store)) == 6


async def test_a_checkpoint_is_not_vouched_for_by_signing_the_next_one(store: Store, url: str) -> None:
    """Whoever removes the beginning can make a checkpoint, but not one that is signed."""
    await fill(store, 8)
    await store.prune_evidence(EvidenceCut(later(3.5), later(100), None))
    assert broken(await verify(store, keys=(KEY.public,))) == 3
    await store.prune_evidence(EvidenceCut(later(5.5), later(101), KEY))
    await store.prune_evidence(EvidenceCut(later(6.5), later(102), KEY))
    verdict = await verify(store, keys=(KEY.public,))
    assert verdict.broken is not None
    assert "its key did not vouch for, up to 3" in verdict.broken.why
    assert (await verify(store, keys=(KEY.public,), unsigned_until=3)).broken is None


async def test_what_is_appended_or_pruned_while_somebody_verifies_is_not_seen_half(
    store: Store, url: str, open_store: OpenStore
) -> None:
    drafted = [draft for number in range(1, 1202) for draft in deleted(number).evidence]
    await store.commit(Plan(evidence=tuple(drafted)))
    reader, verifier, loop = open_store(url), Verifier(), asyncio.get_running_loop()

    async def meanwhile() -> None:
        await store.prune_evidence(EvidenceCut(later(600), later(2000)))
        await store.commit(deleted(3000))

    def take(page: Any) -> bool:
        asyncio.run_coroutine_threadsafe(meanwhile(), loop).result(20)
        return verifier.take(page)

    verdict = verifier.finish(await reader.walk_evidence(Stretch(), take))
    assert (verdict.broken, verdict.entries, verdict.head.seq) == (None, 1201, 1201)
    verdict = await verify(store)
    assert (verdict.broken, verdict.head.seq, verdict.pruned) == (None, 1204, 599)


async def test_it_is_read_in_pages(store: Store) -> None:
    plans = [deleted(number) for number in range(1, 1202)]
    await store.commit(
        Plan(events=tuple(p.events[0] for p in plans), evidence=sum((p.evidence for p in plans), ()))
    )
    sizes: list[int] = []
    verifier = Verifier()

    def take(page: Any) -> bool:
        sizes.append(len(page))
        return verifier.take(page)

    verdict = verifier.finish(await store.walk_evidence(Stretch(), take))
    assert (verdict.broken, verdict.entries) == (None, 1201)
    assert sizes == [500, 500, 201]
    newest: list[int] = []
    wanted = Stretch(subject="prod/app", since=later(100), until=later(1100), newest_first=True)
    await store.walk_evidence(wanted, lambda page: newest.extend(each.seq for each in page) or True)
    assert newest == list(range(1099, 99, -1))
