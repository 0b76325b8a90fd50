"""The evidence log in the store: appended in the transaction of the events, pruned from its beginning."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, true

from relay.model.evidence import (
    BrokenChainError,
    Chain,
    Checkpoint,
    Draft,
    Entry,
    Head,
    Kind,
    Signer,
    anchor_body,
    fields,
    microseconds,
    statement,
)
from relay.store.errors import CursorMovedError
from relay.store.inserting import insert_many, upsert
from relay.store.schema import EVIDENCE_HEAD, cursors, evidence

_COLUMNS = tuple(column.name for column in evidence.columns)
_PAGE = 500

Take = Callable[[Sequence[Entry]], bool]
"""Is given a page of entries; tells whether to go on."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Which entries are wanted; None: any. ``since`` and ``until`` (not included) are times of seeing.

    ``before`` is the number of the last entry of the page before, where the newest come first.
    """

    cluster: str | None = None
    kind: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class EvidenceCut:
    """Which evidence to prune: at most so many entries, of those from before a time."""

    before: datetime
    now: datetime
    signer: Signer | None = None
    most: int = 1000


def append(connection: Connection, drafts: Sequence[Draft]) -> None:
    """Append entries to the chain, in order. Raises CursorMovedError for an anchor of an older head."""
    if not drafts:
        return
    head, rows = _end(connection), []
    seq, prev = head.seq, head.hash
    for draft in drafts:
        if draft.kind == Kind.ANCHOR and draft.body != anchor_body(Head(seq, prev)):
            raise CursorMovedError("store: the evidence went on while its head was being anchored")
        row = fields(seq + 1, draft, prev)
        seq, prev = row[0], row[-1]
        rows.append(row)
    insert_many(connection, evidence, _COLUMNS, rows)
    upsert(connection, cursors, ["scope"], [{"scope": EVIDENCE_HEAD, "value": str(Head(seq, prev))}])


def _end(connection: Connection) -> Head:
    """Return behind which entry the next one goes.

    That is the one that was noted. Only after tampering may another stand behind it; then the relay goes on
    behind that: it must not cease to watch, and verifying tells.
    """
    # With PostgreSQL, others may write at the same time: they wait here, and then see these entries.
    noted = _noted(connection, lock=True) or Head()
    last = connection.execute(select(func.max(evidence.c.seq))).scalar() or 0
    if last <= noted.seq:
        return noted
    with any_text(connection):
        return Head(
            last, connection.execute(select(evidence.c.hash).where(evidence.c.seq == last)).scalar_one()
        )


def _noted(connection: Connection, *, lock: bool = False) -> Head | None:
    query = select(cursors.c.value).where(cursors.c.scope == EVIDENCE_HEAD)
    with any_text(connection):
        found: Any = connection.execute(query.with_for_update() if lock else query).scalar()
    try:
        return Head.read(found) if isinstance(found, str) else None
    except ValueError:
        return None


def head(connection: Connection) -> Head:
    """Return the last entry of the chain, as it was noted when it was written."""
    return _noted(connection) or Head()


def span(connection: Connection) -> tuple[int, int]:
    """Return the numbers of the first and last entry, 0 and 0 if there is none."""
    first, last = connection.execute(select(func.min(evidence.c.seq), func.max(evidence.c.seq))).one()
    return first or 0, last or 0


def walk(connection: Connection, wanted: Stretch, take: Take) -> Head | None:
    """Give the entries page by page, until there are no more or ``take`` has enough.

    Return what the store had noted as its last entry, by the same state of things.
    """
    noted = _noted(connection)
    order = evidence.c.seq.desc() if wanted.newest_first else evidence.c.seq
    query = select(evidence).where(*_conditions(wanted)).order_by(order).limit(_PAGE)
    place: ColumnElement[bool] = true()
    with any_text(connection):
        while True:
            page = [Entry(**row) for row in connection.execute(query.where(place)).mappings()]
            if not take(page) or len(page) < _PAGE:
                return noted
            last = page[-1].seq
            place = evidence.c.seq < last if wanted.newest_first else evidence.c.seq > last


def _conditions(wanted: Stretch) -> Iterator[Any]:
    for name in ("cluster", "kind", "subject"):
        value = getattr(wanted, name)
        if value is not None:
            yield evidence.c[name] == value
    if wanted.before is not None:
        yield evidence.c.seq < wanted.before
    if wanted.since is not None:
        yield evidence.c.at >= microseconds(wanted.since)
    if wanted.until is not None:
        yield evidence.c.at < microseconds(wanted.until)


@contextmanager
def any_text(connection: Connection) -> Iterator[None]:
    """Read texts that are no UTF-8 too: whoever tampers with a file keeps to no encoding."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.dbapi_connection
    before, driver.text_factory = driver.text_factory, lambda raw: raw.decode(errors="surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = before


def prune(connection: Connection, cuts: Sequence[EvidenceCut]) -> list[int]:
    """Put a checkpoint in the place of the oldest entries; return of how many.

    Raises BrokenChainError if they do not hold together: what is broken is evidence too, and stays.
    """
    return [_prune(connection, cut) for cut in cuts]


def _prune(connection: Connection, cut: EvidenceCut) -> int:
    oldest = select(evidence).order_by(evidence.c.seq).limit(cut.most + 1)
    with any_text(connection):
        found = [Entry(**row) for row in connection.execute(oldest).mappings()]
    before, chain, old = microseconds(cut.before), Chain(), list[Entry]()
    for entry in found:
        first = entry is found[0] and entry.kind == Kind.CHECKPOINT
        if not first and (len(old) == cut.most or not isinstance(entry.at, int) or entry.at >= before):
            break
        broken = chain.step(entry)
        if broken is not None:
            raise BrokenChainError(f"evidence: {broken}; nothing is pruned before that is cleared up")
        if not first:
            old.append(entry)
    if not old:
        return 0
    made = _checkpoint(chain, old, found[0], cut.signer).entry(cut.now, cut.signer)
    connection.execute(delete(evidence).where(evidence.c.seq <= made.seq))
    insert_many(connection, evidence, _COLUMNS, [tuple(getattr(made, name) for name in _COLUMNS)])
    return len(old)


def _checkpoint(chain: Chain, old: Sequence[Entry], first: Entry, signer: Signer | None) -> Checkpoint:
    before, last = chain.checkpoint, old[-1]
    unsigned = last.seq if signer is None else _unsigned(signer, before, [first, *old])
    return Checkpoint(
        through=last.seq,
        hash=last.hash,
        count=len(old) + (0 if before is None else before.count),
        first_at=old[0].at if before is None else before.first_at,
        last_at=last.at,
        unsigned=unsigned,
    )


def _unsigned(signer: Signer, before: Checkpoint | None, found: Sequence[Entry]) -> int:
    """Return up to where the key did not vouch for what it is to stand for from now on: else whoever rewrites
    the old entries would only have to wait until they are pruned, and signed for."""
    unsigned = 0 if before is None else before.unsigned
    for entry in found:
        if entry.kind in (Kind.ANCHOR, Kind.CHECKPOINT):
            own = signer.made(entry.signature, statement(entry.kind, entry.body))
            unsigned = unsigned if own else entry.seq
    return unsigned
