"""Chains of evidence, and what can be done to them by whoever can write the store."""

from typing import Any

from sqlalchemy import text

from relay.engine.evidence import Verdict, Verifier, drafts
from relay.engine.signing import Key
from relay.model.evidence import Draft, Entry, Head, Kind, anchor_body, link, statement
from relay.model.plan import Plan
from relay.store import Store, Stretch
from relay.store.database import connect, parse_url
from tests.store.things import event, later

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
    store: Store, *anchors: Head, keys: tuple[str, ...] = (), unsigned_until: int = 0, signed: bool = False
) -> Verdict:
    verifier = Verifier(keys, anchors, unsigned_until, signed=signed)
    return verifier.finish(await store.walk_evidence(Stretch(), verifier.take))


def broken(verdict: Verdict) -> int | None:
    return None if verdict.broken is None else verdict.broken.seq


def change(url: str, *statements: str, **values: Any) -> None:
    engine = connect(parse_url(url), writing=True)
    with engine.begin() as connection:
        for each in statements:
            connection.execute(text(each), values)
    engine.dispose()


async def insert(store: Store, url: str, entry: Entry) -> None:
    names = ", ".join(COLUMNS)
    change(
        url,
        f"INSERT INTO evidence ({names}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})",
        **{name: getattr(entry, name) for name in COLUMNS},
    )


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
