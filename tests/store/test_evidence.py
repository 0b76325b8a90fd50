"""The evidence log: a chain in the order of the commits, in which every change is found."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from relay.engine.evidence import Verdict, Verifier, drafts
from relay.engine.intake import Intake, Setting
from relay.engine.planning import Rules
from relay.engine.policy import Policy
from relay.engine.signing import Key
from relay.model.event import Subject, SubjectKind
from relay.model.evidence import (
    GENESIS,
    BrokenChainError,
    Draft,
    Entry,
    Head,
    Kind,
    anchor_body,
    canonical,
    link,
    statement,
)
from relay.model.observation import CursorMove, Fact, Report, Watch
from relay.model.plan import Plan
from relay.store import CursorMovedError, EvidenceCut, Store, Stretch
from relay.store.database import connect, parse_url
from tests.engine.things import router
from tests.store.conftest import OpenStore
from tests.store.things import HELL, NOW, event, later

SEED = "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
KEY = Key(SEED)
COLUMNS = ("seq", "at", "cluster", "kind", "subject", "body", "signature", "prev", "hash")


def deleted(number: int, **fields: Any) -> Plan:
    seen = event(f"evt_{number}", seen_at=later(number), details={"record_id": str(number)}, **fields)
    return Plan(at=later(number), events=(seen,), evidence=drafts([seen]))


def anchored(head: Head, at: float, key: Key | None = KEY) -> Plan:
    body = anchor_body(head)
    signature = None if key is None else key.sign(statement(Kind.ANCHOR, body))
    draft = Draft(later(at), Kind.ANCHOR, body, subject="security", signature=signature)
    return Plan(at=later(at), evidence=(draft,))


async def fill(store: Store, count: int, *, anchor_at: int = 0) -> None:
    for number in range(1, count + 1):
        await store.commit(deleted(number))
        if number == anchor_at:
            await store.commit(anchored(await store.evidence_head(), number))


async def entries(store: Store) -> list[Entry]:
    found: list[Entry] = []

    def take(page: Any) -> bool:
        found.extend(page)
        return True

    await store.walk_evidence(Stretch(), take)
    return found


async def verify(
    store: Store, *anchors: Head, keys: tuple[str, ...] = (), unsigned_until: int = 0
) -> Verdict:
    verifier = Verifier(keys, anchors, unsigned_until)
    return verifier.finish(await store.walk_evidence(Stretch(), verifier.take))


def broken(verdict: Verdict) -> int | None:
    return None if verdict.broken is None else verdict.broken.seq


def change(url: str, *statements: str, **values: Any) -> None:
    engine = connect(parse_url(url), writing=True)
    with engine.begin() as connection:
        for each in statements:
            connection.execute(text(each), values)
    engine.dispose()


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


async def insert(store: Store, url: str, entry: Entry) -> None:
    names = ", ".join(COLUMNS)
    change(
        url,
        f"INSERT INTO evidence ({names}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})",
        **{name: getattr(entry, name) for name in COLUMNS},
    )


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


async def rewritten(store: Store, url: str, *, count: int) -> None:
    """The work of somebody who can write the store and computes all hashes: entry 2 tells something else."""
    found = await entries(store)
    change(url, "DELETE FROM evidence")
    head = Head()
    for entry in found[:count]:
        body = entry.body.replace('"record_id":"2"', '"record_id":"9"')
        time = entry.time
        assert time is not None
        draft = Draft(time, entry.kind, body, entry.cluster, entry.subject, signature=entry.signature)
        made = link(entry.seq, draft, head.hash)
        await insert(store, url, made)
        head = Head(made.seq, made.hash)
    change(url, "UPDATE cursors SET value = :value WHERE scope = 'evidence/head'", value=str(head))


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


async def test_it_is_read_in_pages_and_by_one_state_of_things(store: Store) -> None:
    """What is appended while somebody verifies is not seen half."""
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


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with a signed checkpoint, records and a signed anchor."""
    path = tmp_path_factory.mktemp("chain") / "relay.db"

    async def make() -> None:
        store = Store(f"sqlite:///{path}")
        try:
            await fill(store, 8, anchor_at=6)
            await store.prune_evidence(EvidenceCut(later(3.5), NOW + timedelta(days=1), KEY))
        finally:
            store.close()

    asyncio.run(make())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    return path


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_one_byte_anywhere_is_found_and_the_entry_named(
    chain: Path, tmp_path: Path, data: st.DataObject
) -> None:
    copy = tmp_path / "relay.db"
    copy.write_bytes(chain.read_bytes())
    seq = data.draw(st.integers(3, 9), label="entry")
    column = data.draw(st.sampled_from(COLUMNS), label="column")
    with closing(sqlite3.connect(copy)) as connection:
        connection.text_factory = bytes
        (old,) = connection.execute(f"SELECT {column} FROM evidence WHERE seq = ?", (seq,)).fetchone()
        if isinstance(old, int):
            new: Any = old ^ (1 << data.draw(st.integers(0, 62), label="bit"))
            if column == "seq" and 3 <= new <= 9:
                connection.execute("DELETE FROM evidence WHERE seq = ?", (new,))
        elif not old:
            new = b"\x00"
        else:
            place = data.draw(st.integers(0, len(old) - 1), label="byte")
            other = data.draw(st.integers(0, 255).filter(lambda byte: byte != old[place]), label="value")
            new = old[:place] + bytes([other]) + old[place + 1 :]
        value = "CAST(? AS TEXT)" if isinstance(new, bytes) else "?"
        connection.execute(f"UPDATE evidence SET {column} = {value} WHERE seq = ?", (new, seq))
        connection.commit()
    store = Store(f"sqlite:///{copy}")
    try:
        verdict = asyncio.run(verify(store))
    finally:
        store.close()
    # An entry whose number was changed is missing where it was, or does not fit where it is; if it was the
    # first one, all before the next one are missing.
    allowed = {seq} if column != "seq" else {seq, new, 1}
    assert broken(verdict) in allowed
