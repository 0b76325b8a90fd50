"""Whoever can write the store can change anything in it, but nothing of the evidence unnoticed."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.engine.signing import Key
from relay.model.errors import StoreError
from relay.model.evidence import (
    Draft,
    Entry,
    Head,
    Kind,
    anchor_body,
    canonical,
    link,
    statement,
)
from relay.store import EvidenceCut, Store
from tests.store.chains import (
    COLUMNS,
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
from tests.store.things import NOW, later

NUMBERS = ("seq", "at")


def other_value(column: str, value: Any) -> Any:
    if column in NUMBERS:
        return value + 1000
    return "x" if value is None else f"{value[:-1]}{'x' if value[-1:] != 'x' else 'y'}"


async def test_whatever_is_changed_in_any_column_is_found(store: Store, url: str) -> None:
    """The first, one in the middle, an anchor and the last, in SQLite and PostgreSQL."""
    await fill(store, 6, anchor_at=3)
    found = {entry.seq: entry for entry in await entries(store)}
    assert (await verify(store, keys=(KEY.public,))).broken is None
    for seq in (1, 4, 5, 7):
        for column in COLUMNS:
            old = getattr(found[seq], column)
            new = other_value(column, old)
            where = new if column == "seq" else seq
            change(url, f"UPDATE evidence SET {column} = :new WHERE seq = :seq", new=new, seq=seq)
            assert broken(await verify(store)) == seq, (seq, column)
            change(url, f"UPDATE evidence SET {column} = :old WHERE seq = :where", old=old, where=where)
    assert (await verify(store, keys=(KEY.public,))).broken is None


@pytest.mark.parametrize("database", [pytest.param("postgresql", marks=pytest.mark.real("postgresql"))])
async def test_postgresql_in_detail(store: Store, url: str) -> None:
    await fill(store, 3)
    body = (await entries(store))[1].body
    for place in range(0, len(body), 7):
        new = body[:place] + chr(ord(body[place]) ^ 1) + body[place + 1 :]
        change(url, "UPDATE evidence SET body = :body WHERE seq = 2", body=new)
        assert broken(await verify(store)) == 2, place
    change(url, "UPDATE evidence SET body = :body WHERE seq = 2", body=body)
    assert (await verify(store)).broken is None


@pytest.mark.parametrize("column", [name for name in COLUMNS if name not in NUMBERS])
async def test_the_same_bytes_as_a_blob_are_not_the_same(
    sqlite_url: str, tmp_path: Path, column: str
) -> None:
    store = Store(sqlite_url)
    await fill(store, 4, anchor_at=2)
    seq = 3 if column == "signature" else 2
    change(sqlite_url, f"UPDATE evidence SET {column} = CAST({column} AS BLOB) WHERE seq = {seq}")
    assert broken(await verify(store)) == seq
    store.close()


@pytest.mark.parametrize("value", ["CAST('6:0' AS BLOB)", "CAST(x'ff3a' AS TEXT)", "'nonsense'", "7"])
async def test_a_note_that_was_changed_stops_nothing_and_is_found(
    sqlite_url: str, tmp_path: Path, value: str
) -> None:
    store = Store(sqlite_url)
    await fill(store, 2)
    change(sqlite_url, f"UPDATE cursors SET value = {value} WHERE scope = 'evidence/head'")
    assert broken(await verify(store)) == 2
    await store.commit(deleted(3))
    assert [entry.seq for entry in await entries(store)] == [1, 2, 3]
    store.close()


async def test_a_checkpoint_of_the_relays_own_has_no_place_in_the_middle(store: Store, url: str) -> None:
    """It is signed, and says that all was well up to 4: within a forged chain it would vouch for that."""
    await fill(store, 6)
    await store.prune_evidence(EvidenceCut(later(4.5), later(100), KEY))
    checkpoint = (await entries(store))[0]
    change(url, "DELETE FROM evidence")
    forged = link(1, Draft(NOW, Kind.RECORD, canonical({"event": "evt_x"})), Head().hash)
    taken = Draft(NOW, checkpoint.kind, checkpoint.body, signature=checkpoint.signature)
    second = link(2, taken, forged.hash)
    for entry in (forged, second):
        await insert(store, url, entry)
    note(url, second)
    verdict = await verify(store, keys=(KEY.public,))
    assert broken(verdict) == 2
    assert verdict.signed_through == 0


def note(url: str, last: Entry) -> None:
    head = str(Head(last.seq, last.hash))
    change(url, "UPDATE cursors SET value = :value WHERE scope = 'evidence/head'", value=head)


async def forged_anew(store: Store, url: str, *, anchors: bool, key: Key | None = None) -> None:
    """Write the whole chain anew, of which entry 2 tells something else, with anchors that fit or none."""
    found = await entries(store)
    change(url, "DELETE FROM evidence")
    head = Head()
    for entry in found:
        body, signature = entry.body.replace('"record_id":"2"', '"record_id":"9"'), entry.signature
        if entry.kind == Kind.ANCHOR:
            if not anchors:
                continue
            body = anchor_body(head)
            signature = None if key is None else key.sign(statement(Kind.ANCHOR, body))
        assert entry.time is not None
        made = link(
            head.seq + 1,
            Draft(entry.time, entry.kind, body, entry.cluster, entry.subject, signature),
            head.hash,
        )
        await insert(store, url, made)
        head = Head(made.seq, made.hash)
        note(url, made)


async def test_who_writes_all_anew_cannot_sign_it(store: Store, url: str) -> None:
    await fill(store, 6, anchor_at=4)
    told = Head(5, (await entries(store))[4].hash)
    await forged_anew(store, url, anchors=True)
    assert (await verify(store)).broken is None, "nothing else can tell"
    assert broken(await verify(store, keys=(KEY.public,))) == 5
    assert broken(await verify(store, told)) == 5


async def test_who_signs_it_with_another_key_is_found(store: Store, url: str) -> None:
    await fill(store, 6, anchor_at=4)
    await forged_anew(store, url, anchors=True, key=Key("whsk_" + "A" * 43 + "="))
    verdict = await verify(store, keys=(KEY.public,))
    assert verdict.broken is not None
    assert "signed by a key that was not given" in verdict.broken.why


async def test_who_leaves_the_signatures_out_is_found_by_their_absence(store: Store, url: str) -> None:
    await fill(store, 6, anchor_at=4)
    assert (await verify(store, keys=(KEY.public,), signed=True)).broken is None
    await forged_anew(store, url, anchors=False)
    assert (await verify(store, keys=(KEY.public,))).signed_through == 0
    verdict = await verify(store, keys=(KEY.public,), signed=True)
    assert verdict.broken is not None
    assert "nothing up to it is signed" in verdict.broken.why


async def test_a_signature_that_was_moved_is_found(store: Store, url: str) -> None:
    """Each signature is over what its own entry states."""
    await fill(store, 2)
    await store.commit(anchored(await store.evidence_head(), 3))
    await store.commit(anchored(await store.evidence_head(), 4))
    found = await entries(store)
    change(url, "DELETE FROM evidence WHERE seq = 4")
    entry = found[3]
    assert entry.time is not None
    moved = Draft(entry.time, entry.kind, entry.body, entry.cluster, entry.subject, found[2].signature)
    made = link(4, moved, entry.prev)
    await insert(store, url, made)
    note(url, made)
    assert (await verify(store)).broken is None
    verdict = await verify(store, keys=(KEY.public,))
    assert verdict.broken is not None
    assert (verdict.broken.seq, verdict.broken.why) == (4, "has a signature that is not good")


async def test_pruning_does_not_vouch_for_what_was_written_anew(store: Store, url: str) -> None:
    """Else whoever rewrites the old entries would only have to wait until they are pruned, and signed for."""
    await fill(store, 6, anchor_at=4)
    await forged_anew(store, url, anchors=True)
    assert await store.prune_evidence(EvidenceCut(later(5.5), later(100), KEY)) == 6
    verdict = await verify(store, keys=(KEY.public,))
    assert verdict.broken is not None
    assert "its key did not vouch for, up to 5" in verdict.broken.why
    assert (await verify(store, keys=(KEY.public,), unsigned_until=5)).broken is None


async def test_what_was_anchored_without_a_key_once_is_told_after_pruning_too(store: Store) -> None:
    await fill(store, 2)
    await store.commit(anchored(await store.evidence_head(), 2, None))
    await fill_on(store, 3, 6)
    await store.commit(anchored(await store.evidence_head(), 6))
    assert broken(await verify(store, keys=(KEY.public,))) == 3
    assert (await verify(store, keys=(KEY.public,), unsigned_until=3)).broken is None
    assert await store.prune_evidence(EvidenceCut(later(6.5), later(100), KEY)) == 8
    assert (await verify(store, keys=(KEY.public,), unsigned_until=2)).broken is not None
    assert (await verify(store, keys=(KEY.public,), unsigned_until=3)).broken is None


async def fill_on(store: Store, first: int, last: int) -> None:
    for number in range(first, last + 1):
        await store.commit(deleted(number))


async def test_a_truncation_with_the_note_changed_is_found_by_an_anchor(store: Store, url: str) -> None:
    await fill(store, 6)
    told = await store.evidence_head()
    await rewritten(store, url, count=4)
    assert broken(await verify(store, told)) == 5


async def test_a_store_that_was_emptied_contradicts_an_anchor(store: Store, url: str) -> None:
    await fill(store, 3)
    told = await store.evidence_head()
    change(url, "DELETE FROM evidence", "DELETE FROM cursors WHERE scope = 'evidence/head'")
    assert (await verify(store)).broken is None, "it looks as if there had never been any"
    assert broken(await verify(store, told)) == 1


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


@pytest.fixture(scope="module")
def intact(chain: Path) -> list[str]:
    """The entries as they are, with the types of their values, and the note of the last one."""
    store = Store(f"sqlite:///{chain}")
    try:
        return asyncio.run(everything(store))
    finally:
        store.close()


async def everything(store: Store) -> list[str]:
    return [*(repr(entry) for entry in await entries(store)), str(await store.evidence_head())]


@pytest.fixture(scope="module")
def places(chain: Path, intact: list[str]) -> list[int]:
    """Every byte of the pages of the file that hold a part of an entry."""
    with closing(sqlite3.connect(chain)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'evidence'").fetchone()
        hashes = [row[0].encode() for row in connection.execute("SELECT hash FROM evidence")]
    raw = chain.read_bytes()
    pages = [raw[at : at + size] for at in range(0, len(raw), size)]
    held = [n for n, page in enumerate(pages) if n == root - 1 or any(each in page for each in hashes)]
    return [n * size + at for n in held for at in range(size)]


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_one_bit_anywhere_in_the_file_is_found_unless_it_changes_nothing(
    chain: Path, intact: list[str], places: list[int], tmp_path: Path, data: st.DataObject
) -> None:
    """Also in what SQLite keeps around the values: their types, their lengths, where they lie."""
    place = places[data.draw(st.integers(0, len(places) - 1), label="byte")]
    bit = data.draw(st.integers(0, 7), label="bit")
    copy = tmp_path / "relay.db"
    for left in tmp_path.iterdir():
        left.unlink()
    shutil.copy(chain, copy)
    with copy.open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ (1 << bit)]))
    try:
        store = Store(f"sqlite:///{copy}")
        try:
            verdict = asyncio.run(verify(store))
            same = asyncio.run(everything(store)) == intact
        finally:
            store.close()
    except StoreError:
        # SQLite itself has noticed: nothing is called whole.
        return
    assert (verdict.broken is None) == same
