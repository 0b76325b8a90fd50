"""Where a watch of a changefeed begins when it has never read it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

import structlog
from pydantic import AwareDatetime, Field

from relay.config import Section
from relay.msr import Msr, MsrError, Record, Unreadable, Unwell
from relay.watch.position import BEGINNING, Position, has_time

_log = structlog.get_logger("relay.watch.changefeed")

_BACK_PAGES = 1000


class FromTime(Section):
    """Begin with the first record at or after a time."""

    time: AwareDatetime
    """RFC 3339, as in 2026-11-23T20:58:11Z."""


class FromRecord(Section):
    """Begin behind a record."""

    id: Annotated[str, Field(min_length=1, max_length=255)]
    """notary's ID of the record."""


Start = Literal["newest", "beginning"] | FromTime | FromRecord
_Records = Sequence[Record | Unreadable]


async def locate(msr: Msr, start: Start, repository: str | None, page: int, overlap: timedelta) -> Position:
    """Return where a first look begins. ``page`` is how many records are asked for at once.

    Raises MsrError, also for a start that the feed does not have.
    """
    if start == "beginning":
        return Position()
    if isinstance(start, FromRecord):
        return await _behind_record(msr, start.id, repository, page)
    until = start.time if isinstance(start, FromTime) else None
    newest = await msr.newest(repository)
    if newest is None:
        return Position(since=until)
    tail: _Records = [newest]
    if newest.id is None:
        tail = (await msr.changefeed(BEGINNING, -page, repository)).records
        if not _with_id(tail):
            raise MsrError(
                "the newest records of the changefeed have no usable ID: set changefeed.start to `beginning` "
                "or to the id of a record before them"
            )
    if until is None:
        return await _backwards(msr, tail, repository, 2)
    return await _backwards(msr, tail, repository, page, until, overlap)


async def _behind_record(msr: Msr, record_id: str, repository: str | None, page: int) -> Position:
    missing = MsrError(f"the changefeed has no record {record_id}: correct changefeed.start.id")
    try:
        before = _with_id((await msr.changefeed(record_id, -page, repository)).records)
    except Unwell:
        # RethinkDB answers an unknown record with an error; so does a server that is simply unwell.
        await msr.newest(repository)
        raise missing from None
    floor = before[-1].id if before else BEGINNING
    assert floor is not None
    for found in (await msr.changefeed(floor, page, repository)).records:
        if found.id == record_id:
            return Position.after([*before[-1:], found])
    raise missing


async def _backwards(
    msr: Msr,
    tail: _Records,
    repository: str | None,
    size: int,
    until: datetime | None = None,
    overlap: timedelta = timedelta(0),
) -> Position:
    """Return the position before the first record at or after ``until``; behind the last one if None.

    The feed is not quite in the order of its times: it is searched for an overlap beyond ``until``.
    """
    before = preceding(tail, [], until)
    earliest = next(record.id for record in tail if record.id is not None)
    for _ in range(_BACK_PAGES):
        records = (await msr.changefeed(earliest, -size, repository)).records
        usable = _with_id(records)
        before = preceding(records, before, until)
        far = until is None or any(is_before(record, until - overlap) for record in records)
        if len(records) < size or (far and len(before) > 1):
            return Position.after(before, until)
        if not usable or usable[0].id is None:
            raise MsrError("the changefeed holds many records without a usable ID: set changefeed.start anew")
        earliest = usable[0].id
    _log.warning("the changefeed is too long to find its start by time", start=until)
    return Position.after(usable[:2], until)


def preceding(records: _Records, later: _Records, until: datetime | None) -> list[Record | Unreadable]:
    """Return the last two records before the earliest that is not before ``until``.

    ``later`` is what this returned for the records that follow. Records without an id do not count.
    """
    for index, record in enumerate(records):
        if until is not None and has_time(record) and not is_before(record, until):
            return _with_id(records[:index])[-2:]
    return _with_id([*records, *later])[-2:]


def is_before(record: Record | Unreadable, time: datetime) -> bool:
    """Tell whether a record is older; one whose time is not known is not."""
    return isinstance(record, Record) and has_time(record) and record.created_at < time


def _with_id(records: _Records) -> list[Record | Unreadable]:
    return [record for record in records if record.id is not None]
