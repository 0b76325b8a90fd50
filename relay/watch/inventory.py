"""Taking stock: which repositories there were before the watch began, by reading the feed backwards, once.

The newest record of each comes first that way, and the feed's past is not written any more.
"""

from collections.abc import Sequence

from relay.model.patterns import Patterns
from relay.model.trust import INVENTORY_DONE, Head
from relay.msr import Category, Msr, Record, Unreadable, split
from relay.watch.position import BEGINNING

_PAGE = 1000


class Inventory:
    """Reads a cluster's feed backwards, a page at a time."""

    def __init__(self, cluster: str, msr: Msr, repositories: Sequence[str], wanted: Patterns) -> None:
        self._cluster = cluster
        self._msr = msr
        self._repositories = repositories
        self._wanted = wanted

    async def page(self, written: str | None) -> tuple[tuple[Head, ...], str]:
        """Return what the next page holds, the newest first, and how far that is. Raises MsrError.

        ``written`` is how far the last one was, None for the first. Users who may not read the whole feed
        learn the newest record of each of their repositories.
        """
        if self._repositories:
            found = [await self._msr.newest(each) for each in self._repositories]
            return self._heads([record for record in found if record is not None]), INVENTORY_DONE
        records = list((await self._msr.changefeed(written or BEGINNING, -_PAGE)).records)
        if written is None and not records:
            newest = await self._msr.newest()
            records = [] if newest is None else [newest]
        records.reverse()
        earliest = next((record.id for record in reversed(records) if record.id is not None), None)
        done = earliest is None or earliest == written
        return self._heads(records), INVENTORY_DONE if done else str(earliest)

    def _heads(self, records: Sequence[Record | Unreadable]) -> tuple[Head, ...]:
        readable = (record for record in records if isinstance(record, Record) and record.gun)
        return tuple(self._head(record) for record in readable)

    def _head(self, record: Record) -> Head:
        name = split(record.gun, self._msr.registry_host).repository
        deleted = record.category is Category.DELETION
        return Head(
            cluster=self._cluster,
            gun=record.gun,
            repository=name,
            record=record.id,
            event="",
            at=record.created_at,
            version=record.version,
            sha256=record.sha256,
            deleted=deleted,
            wanted=not deleted and self._wanted.match(name),
        )
