"""Pages of repositories, by what is kept of their trust data."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, tuple_

from relay.model.trust import Kept
from relay.store.schema import repository_cut, trust
from relay.store.trust import indexed, read_kept
from relay.store.views.paging import MOST_SEARCHED, Page, bounded, contains

Name = tuple[str, str, str]
"""What repositories are ordered by: the cluster, the name as it is indexed, the key."""


class TrustStanding(StrEnum):
    """What is known of a repository's trust data.

    ``signed``: it was examined and verified. ``problem``: it does not verify. ``deleted``: it is gone.
    ``unexamined``: it is there, and nothing more is known yet.
    """

    SIGNED = "signed"
    PROBLEM = "problem"
    DELETED = "deleted"
    UNEXAMINED = "unexamined"


@dataclass(frozen=True, slots=True)
class RepositoryQuery:
    """Which repositories are wanted; None: any. ``search`` is contained in the name.

    ``after`` is the ``next`` of the page before.
    """

    cluster: str | None = None
    namespace: str | None = None
    standing: TrustStanding | None = None
    search: str | None = None
    after: Name | None = None
    limit: int = 50


def list_repositories(connection: Connection, wanted: RepositoryQuery) -> Page[Kept, Name]:
    """Return repositories in the order of their names, cluster by cluster."""
    limit, names = bounded(wanted.limit), (trust.c.cluster, repository_cut, trust.c.key)
    driving: list[ColumnElement[bool]] = []
    if wanted.cluster is not None:
        driving.append(trust.c.cluster == wanted.cluster)
    if wanted.after is not None:
        driving.append(tuple_(*names) > tuple_(*wanted.after))
    others = _others(connection, wanted)
    last: Any = None
    if others:
        place = select(*names).where(*driving).order_by(*names).offset(MOST_SEARCHED - 1).limit(1)
        last = connection.execute(place).one_or_none()
    if last is not None:
        driving.append(tuple_(*names) <= tuple_(*last))
    query = select(trust, repository_cut.label("cut")).where(*driving, *others).order_by(*names)
    found = connection.execute(query.limit(limit + 1)).mappings().all()
    rows = tuple(map(read_kept, found[:limit]))
    if len(found) > limit:
        end = found[limit - 1]
        return Page(rows, (end["cluster"], end["cut"], end["key"]))
    return Page(rows, None if last is None else (last[0], last[1], last[2]), cut=last is not None)


def _others(connection: Connection, wanted: RepositoryQuery) -> list[ColumnElement[bool]]:
    others: list[ColumnElement[bool]] = []
    if wanted.namespace is not None:
        others.append(trust.c.namespace == indexed(wanted.namespace))
    if wanted.standing is not None:
        others += _STANDINGS[wanted.standing]
    if wanted.search:
        others.append(contains(connection, trust.c.repository, wanted.search))
    return others


_STANDINGS: dict[TrustStanding, list[ColumnElement[bool]]] = {
    TrustStanding.SIGNED: [~trust.c.deleted, trust.c.problem.is_(None), trust.c.state.is_not(None)],
    TrustStanding.PROBLEM: [~trust.c.deleted, trust.c.problem.is_not(None)],
    TrustStanding.DELETED: [trust.c.deleted],
    TrustStanding.UNEXAMINED: [~trust.c.deleted, trust.c.problem.is_(None), trust.c.state.is_(None)],
}


def standing_of(kept: Kept) -> TrustStanding:
    """Return what is known of a repository's trust data."""
    if kept.head.deleted:
        return TrustStanding.DELETED
    if kept.problem is not None:
        return TrustStanding.PROBLEM
    return TrustStanding.UNEXAMINED if kept.state is None else TrustStanding.SIGNED
