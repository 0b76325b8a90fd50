"""Pages of what is written down for good: what users did, and the evidence."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select

from relay.model.evidence import Entry, microseconds
from relay.store.deeds import Deed
from relay.store.evidence import Stretch, any_text
from relay.store.schema import evidence, journal
from relay.store.views.paging import MOST_SCANNED, Arm, Page, between, named, page_by_seq


@dataclass(frozen=True, slots=True)
class DeedQuery:
    """Which deeds are wanted; None: any. ``before`` is the ``next`` of the page before."""

    who: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 50


def list_deeds(connection: Connection, wanted: DeedQuery) -> Page[Deed, int]:
    """Return what users did, the latest first."""
    given = ((name, getattr(wanted, name)) for name in ("who", "action", "subject"))
    others: list[ColumnElement[bool]] = [
        journal.c[name] == value for name, value in given if value is not None
    ]
    numbers, times = between(connection, journal, journal.c.at, wanted.since, wanted.until)
    return page_by_seq(
        connection,
        journal,
        [[]],
        [*others, *times],
        lambda row: Deed(row["at"], row["who"], row["action"], row["subject"], row["note"]),
        within=numbers,
        before=wanted.before,
        limit=wanted.limit,
        most=MOST_SCANNED,
    )


def list_evidence(connection: Connection, wanted: Stretch, limit: int) -> Page[Entry, int]:
    """Return entries of the evidence, the latest first, whatever the stretch says of their order."""
    with any_text(connection):
        arm: Arm = []
        if wanted.subject is not None:
            arm = named(evidence.c.subject, wanted.subject)
        given = (("cluster", wanted.cluster), ("kind", wanted.kind))
        others: list[ColumnElement[bool]] = [
            evidence.c[name] == value for name, value in given if value is not None
        ]
        numbers, times = between(
            connection, evidence, evidence.c.at, wanted.since, wanted.until, microseconds
        )
        return page_by_seq(
            connection,
            evidence,
            [arm],
            [*others, *times],
            lambda row: Entry(**row),
            within=numbers,
            before=wanted.before,
            limit=limit,
            most=MOST_SCANNED,
        )


def one_entry(connection: Connection, seq: int) -> Entry | None:
    """Return an entry of the evidence by its number, None if there is none."""
    with any_text(connection):
        row = connection.execute(select(evidence).where(evidence.c.seq == seq)).mappings().one_or_none()
        return None if row is None else Entry(**row)
