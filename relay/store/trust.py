"""What is kept of repositories' trust data: reading and writing it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, bindparam, delete, func, or_, select, update

from relay.model.event import Event, namespace_of
from relay.model.evidence import microseconds
from relay.model.plan import Plan
from relay.model.trust import Head, Kept, trust_key
from relay.store import rows
from relay.store.errors import CursorMovedError
from relay.store.inserting import bound, insert_many, insert_new
from relay.store.parts import parts
from relay.store.schema import trust, trust_waiting

_UNKNOWN_YEAR = 1
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class WaitingTrust:
    """Events of one repository that wait, in the order in which they were seen, and what is kept of it."""

    kept: Kept
    events: tuple[Event, ...]


def commit_trust(connection: Connection, plan: Plan) -> None:
    """Write what a plan says about repositories. Raises CursorMovedError for what was found out too late."""
    _save(connection, plan.kept)
    _advance(connection, plan.heads, plan.at)
    insert_new(connection, trust_waiting, [_waiting_row(event) for event in plan.waiting])
    for part in parts(plan.examined):
        connection.execute(delete(trust_waiting).where(trust_waiting.c.id.in_(part)))
    _take_stock(connection, plan.inventory, plan.at)


def _save(connection: Connection, found: Sequence[Kept]) -> None:
    for kept in found:
        fields = {name: getattr(kept, name) for name in _EXAMINED}
        statement = (
            update(trust)
            .where(trust.c.key == kept.head.key, trust.c.revision == kept.revision)
            .values(revision=kept.revision + 1, **fields)
        )
        if connection.execute(statement).rowcount != 1:
            raise CursorMovedError(f"store: {kept.head.repository} changed while it was examined")


_EXAMINED = (
    "state",
    "state_sha256",
    "state_at",
    "problem",
    "wanted_at",
    "tries",
    "expires_at",
    "checked_at",
    "missing_since",
    "lost_at",
)


def _advance(connection: Connection, heads: Sequence[Head], at: datetime | None) -> None:
    """Take the newest of each repository's records; the heads are in the feed's order."""
    newest: dict[str, Head] = {}
    deletions: dict[str, int] = {}
    for head in heads:
        known = newest.get(head.key)
        if known is None or _newer(head, known):
            newest[head.key] = head
        if head.deleted:
            deletions[head.key] = deletions.get(head.key, 0) + 1
    if not newest:
        return
    new = bound(trust, _NEW, [_new_row(head, at) for head in newest.values()])
    insert_many(connection, trust, _NEW, new, _OVER_AN_OLDER)
    if deletions:
        connection.execute(_COUNT, [{"the_key": key, "more": more} for key, more in deletions.items()])


_NEW = (
    "key",
    "cluster",
    "gun",
    "repository",
    "namespace",
    "record",
    "event",
    "at",
    "version",
    "sha256",
    "deleted",
    "wanted_at",
    "checked_at",
    "revision",
    "state_sha256",
    "tries",
    "deletions",
)
"""What is written of a repository of which nothing but a record is known."""
_KNOWN = microseconds(datetime(2, 1, 1, tzinfo=UTC))
"""Times before this are not known."""
_OVER_AN_OLDER = f"""ON CONFLICT ("key") DO UPDATE SET
    {", ".join(f'"{name}" = excluded."{name}"' for name in _NEW[3:13])},
    revision = trust.revision + 1,
    tries = 0,
    missing_since = NULL,
    problem = CASE WHEN excluded.deleted THEN NULL ELSE trust.problem END,
    expires_at = CASE WHEN excluded.deleted THEN NULL ELSE trust.expires_at END,
    lost_at = CASE WHEN excluded.deleted THEN coalesce(trust.lost_at, excluded."at") ELSE trust.lost_at END
WHERE excluded."at" >= trust."at" OR excluded."at" < {_KNOWN} OR trust."at" < {_KNOWN}"""


def _new_row(head: Head, at: datetime | None) -> dict[str, Any]:
    """Return a repository of which nothing but a record is known as a row.

    That says that it is there: it need not be asked for soon. Not at notary's time: its clock may be ahead.
    """
    return {
        "key": head.key,
        "cluster": head.cluster,
        "gun": head.gun,
        "repository": head.repository,
        "namespace": indexed(namespace_of(head.repository)),
        "record": head.record,
        "event": head.event,
        "at": head.at,
        "version": head.version,
        "sha256": head.sha256,
        "deleted": head.deleted,
        "wanted_at": at if head.wanted else None,
        "checked_at": at,
        "revision": 0,
        "state_sha256": "",
        "tries": 0,
        "deletions": 0,
    }


def _take_stock(connection: Connection, heads: Sequence[Head], at: datetime | None) -> None:
    """Take repositories that are not known; the heads are the newest first.

    Deletions are counted, but those that the watch of the feed is about to tell.
    """
    newest = {head.key: head for head in reversed(heads)}
    insert_new(connection, trust, [_new_row(head, at) for head in newest.values()])
    gone = [head.key for head in heads if head.deleted and (at is None or at - head.at > _TOLD_SOON)]
    if gone:
        connection.execute(_COUNT, [{"the_key": key, "more": 1} for key in gone])


_TOLD_SOON = timedelta(minutes=10)
_COUNT = (
    update(trust)
    .where(trust.c.key == bindparam("the_key"))
    .values(deletions=trust.c.deletions + bindparam("more"))
)


def _newer(head: Head, known: Head) -> bool:
    return head.at >= known.at or _UNKNOWN_YEAR in (head.at.year, known.at.year)


def kept(connection: Connection, keys: Collection[str]) -> dict[str, Kept]:
    """Return what is kept of repositories, by key."""
    found: dict[str, Kept] = {}
    for part in parts(keys):
        for row in connection.execute(select(trust).where(trust.c.key.in_(part))).mappings():
            found[row["key"]] = read_kept(row)
    return found


def waiting(connection: Connection, cluster: str, limit: int) -> list[WaitingTrust]:
    """Return what waits of a cluster, by repository, those first that have waited longest."""
    query = (
        select(trust_waiting.c.key, func.min(trust_waiting.c.seen_at).label("first"))
        .where(trust_waiting.c.cluster == cluster)
        .group_by(trust_waiting.c.key)
        .order_by("first")
        .limit(limit)
    )
    keys = [row.key for row in connection.execute(query)]
    about = kept(connection, keys)
    events = waiting_for(connection, keys)
    return [WaitingTrust(about[key], tuple(events[key])) for key in keys if key in about]


def waiting_for(connection: Connection, keys: Collection[str]) -> dict[str, list[Event]]:
    """Return the events that wait for repositories, by key, in the order in which they happened."""
    events: dict[str, list[Event]] = {key: [] for key in keys}
    for part in parts(keys):
        query = select(trust_waiting.c.key, trust_waiting.c.body).where(trust_waiting.c.key.in_(part))
        for row in connection.execute(query):
            events[row.key].append(Event.from_json(row.body))
    return {key: _in_order(found) for key, found in events.items()}


def _in_order(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda event: (event.happened_at, event.details.get("version", 0)))


def still_waiting(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return those of the event ids that wait."""
    found: set[str] = set()
    for part in parts(ids):
        query = select(trust_waiting.c.id).where(trust_waiting.c.id.in_(part))
        found.update(connection.execute(query).scalars())
    return found


def waited_since(connection: Connection, cluster: str | None, before: datetime, limit: int) -> list[Event]:
    """Return events of a cluster, of any one for None, that have waited since before a time."""
    query = select(trust_waiting.c.body).where(trust_waiting.c.seen_at < before)
    if cluster is not None:
        query = query.where(trust_waiting.c.cluster == cluster)
    query = query.order_by(trust_waiting.c.seen_at).limit(limit)
    return _in_order([Event.from_json(body) for body in connection.execute(query).scalars()])


def clusters_waiting(connection: Connection) -> set[str]:
    """Return the clusters of which something waits."""
    return set(connection.execute(select(trust_waiting.c.cluster).distinct()).scalars())


def wanted(connection: Connection, cluster: str, now: datetime, limit: int) -> list[Kept]:
    """Return repositories of a cluster that are to be examined by now, the longest wanted first."""
    mine = select(trust).where(trust.c.cluster == cluster)
    return _listed(connection, mine.where(trust.c.wanted_at <= now).order_by(trust.c.wanted_at), limit)


def unchecked(connection: Connection, cluster: str, before: datetime, limit: int) -> list[Kept]:
    """Return repositories that are not known to be gone and were last seen before a time."""
    query = select(trust).where(
        trust.c.cluster == cluster,
        ~trust.c.deleted,
        or_(trust.c.checked_at < before, trust.c.checked_at.is_(None)),
    )
    return _listed(connection, query.order_by(trust.c.checked_at.nulls_first()), limit)


def expiring(connection: Connection, cluster: str, before: datetime, limit: int) -> list[Kept]:
    """Return repositories of which something expires before a time, the first to expire first."""
    query = select(trust).where(trust.c.cluster == cluster, trust.c.expires_at < before)
    return _listed(connection, query.order_by(trust.c.expires_at), limit)


def with_problems(connection: Connection, cluster: str, limit: int) -> list[Kept]:
    """Return repositories whose trust data does not verify."""
    query = select(trust).where(trust.c.cluster == cluster, trust.c.problem.is_not(None))
    return _listed(connection, query.order_by(trust.c.key), limit)


def deletions(connection: Connection, cluster: str, namespace: str) -> int:
    """Return how many deletions in a namespace are known."""
    query = select(func.coalesce(func.sum(trust.c.deletions), 0)).where(
        trust.c.cluster == cluster, trust.c.namespace == indexed(namespace), trust.c.deletions > 0
    )
    return int(connection.execute(query).scalar_one())


def _listed(connection: Connection, query: Select[Any], limit: int) -> list[Kept]:
    return [read_kept(row) for row in connection.execute(query.limit(limit)).mappings()]


def indexed(namespace: str) -> str:
    """Return a namespace as it is kept: an index of PostgreSQL takes only so much."""
    return namespace[:_LONGEST]


def _waiting_row(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "cluster": event.cluster,
        "key": trust_key(event.cluster or "", event.subject.gun or ""),
        "seen_at": event.seen_at,
        "body": rows.event_row(event, routed=True)["body"],
    }


def read_kept(row: RowMapping) -> Kept:
    """Return what a row keeps of a repository."""
    own = {name: row[name] for name in (*_EXAMINED, "revision", "deletions")}
    names = ("cluster", "gun", "repository", "record", "event", "at", "version", "sha256", "deleted")
    return Kept(Head(**{name: row[name] for name in names}), **own)
