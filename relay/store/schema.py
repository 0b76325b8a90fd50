"""The tables. SQLite and PostgreSQL have the same ones.

Times are integers, microseconds since 1970 in UTC: they sort and compare alike everywhere. Things that
are only ever read whole are JSON texts in ``body``.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    false,
    literal_column,
    text,
)

from relay.model.text import storable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """Turn a datetime into microseconds."""
        return None if value is None else to_microseconds(value)

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        """Turn microseconds into a datetime in UTC; what is beyond the calendar becomes its end."""
        # Whatever a row holds, it must not keep the others from being read.
        return None if value is None else _EPOCH + timedelta(0, 0, min(max(value, _FIRST), _LAST))


def to_microseconds(at: datetime) -> int:
    """Return a time as a column of type Instant has it."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class Words(TypeDecorator[str]):
    """Text that every database takes: what none does becomes U+FFFD (see relay.model.text.storable)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        """Make a text storable."""
        return None if value is None else storable(value)


_Serial = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()


def _where(condition: str) -> dict[str, Any]:
    """Make an index partial. A query uses it only if it says the same with literals, not parameters."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


events = Table(
    "events",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("id", Words, nullable=False, unique=True),
    Column("type", Words, nullable=False),
    Column("status", Words, nullable=False),
    Column("cluster", Words),
    Column("severity", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("alert", Words),
    Column("seen_at", Instant, nullable=False),
    Column("routed", Boolean, nullable=False),
    Column("body", Words, nullable=False),
    Index("events_type", "type", "seq"),
    Index("events_cluster", "cluster", "seq"),
    Index("events_seen", "seen_at"),
    Index("events_unrouted", "seq", **_where("NOT routed")),
    Index("events_alert", "alert", **_where("alert IS NOT NULL")),
    sqlite_autoincrement=True,
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Words, primary_key=True),
    Column("fingerprint", Words, nullable=False),
    Column("type", Words, nullable=False),
    Column("cluster", Words),
    Column("state", Words, nullable=False),
    Column("severity", Words, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("body", Words, nullable=False),
    Index("alerts_open", "fingerprint", unique=True, **_where("state <> 'resolved'")),
    Index("alerts_starts", "starts_at"),
    Index("alerts_ends", "ends_at"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("scope", Words, primary_key=True),
    Column("value", Words, nullable=False),
)

ALIVE = "relay/alive"
"""The scope whose value is the time (ISO) of the relay's last sign of life."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("id", Words, nullable=False, unique=True),
    Column("channel", Words, nullable=False),
    Column("rule", Words, nullable=False),
    Column("thread", Words, nullable=False),
    Column("events", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("template", Words),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("settled", Words, nullable=False),
    Column("delivered_to", Words, nullable=False),
    Column("receipt", Words),
    Column("replay_of", Words),
    Column("last_error", Words),
    Column("ready_at", Instant),
    Column("reason", Words, nullable=False, server_default="new"),
    Column("gathered", Boolean, nullable=False, server_default=false()),
    Column("group_key", Words),
    Column("more", Integer, nullable=False, server_default="0"),
    Column("part", Integer, nullable=False, server_default="1"),
    Column("parts", Integer, nullable=False, server_default="1"),
    Column("merged_into", Words),
    Column("note", Words),
    Index("deliveries_due", "channel", "due_at", "seq", **_where("finished_at IS NULL")),
    Index("deliveries_thread", "thread", "channel", "due_at", "seq", **_where("finished_at IS NULL")),
    Index(
        "deliveries_tried",
        "channel",
        "thread",
        "seq",
        **_where("finished_at IS NULL AND state = 'pending' AND attempts > 0"),
    ),
    Index("deliveries_held_back", "state", "due_at", **_where("finished_at IS NULL AND state <> 'pending'")),
    Index("deliveries_sent", "channel", "thread", "seq", **_where("state IN ('delivered', 'partial')")),
    Index("deliveries_channel", "channel", "state", "seq"),
    Index("deliveries_state", "state", "seq"),
    Index("deliveries_finished", "finished_at", "seq", **_where("finished_at IS NOT NULL")),
    Index("deliveries_replays", "replay_of", **_where("replay_of IS NOT NULL")),
    Index("deliveries_merged", "merged_into", **_where("merged_into IS NOT NULL")),
    sqlite_autoincrement=True,
)

contents = Table(
    "contents",
    metadata,
    Column("event", Words, primary_key=True),
    Column("delivery", Words, primary_key=True),
    Index("contents_delivery", "delivery"),
)
"""Which events a delivery tells: the other way round, so that pruning knows which are needed."""

attempts = Table(
    "attempts",
    metadata,
    Column("delivery", Words, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", Words, nullable=False),
    Column("status", Integer),
    Column("error", Words),
    Column("answer", Words, nullable=False),
    Column("targets", Words, nullable=False),
    Column("body", Words, nullable=False),
    Column("plain", Boolean, nullable=False),
)

channels = Table(
    "channels",
    metadata,
    Column("channel", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("since", Instant),
    Column("failures", Integer, nullable=False),
    Column("reason", Words, nullable=False),
    Column("probe_at", Instant),
    Column("by", Words),
)

journal = Table(
    "journal",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("who", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("subject", Words, nullable=False),
    Column("note", Words, nullable=False),
    sqlite_autoincrement=True,
)

groups = Table(
    "groups",
    metadata,
    Column("id", Words, primary_key=True),
    Column("key", Words, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Index("groups_due", "due_at"),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Words, primary_key=True),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("body", Words, nullable=False),
    Index("silences_ends", "ends_at"),
)

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("thread", Words, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("body", Words, nullable=False),
    Index("acknowledgements_at", "at"),
)

SUBJECT_LENGTH = 200
"""Characters of a name that are indexed: an entry of an index of PostgreSQL takes only so much."""
subject_cut: ColumnElement[str] = literal_column(f"substr(subject, 1, {SUBJECT_LENGTH})", Words)
"""As indices have the subject. A query uses them only if it says the same."""

evidence = Table(
    "evidence",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("cluster", Text),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("signature", Text),
    Column("prev", Text, nullable=False),
    Column("hash", Text, nullable=False),
    # What was done to a repository is asked for years later. Events have no such index: it slows down taking
    # them in, and the evidence has it all.
    Index("evidence_subject", subject_cut, text("seq")),
)
"""The chain of evidence. Its columns are of plain types: what is verified is what the database has, and not
what reading made of it."""

EVIDENCE_HEAD = "evidence/head"
"""The scope whose value is the last entry of the evidence that was written, as ``SEQ:HASH``."""
repository_cut: ColumnElement[str] = literal_column(f"substr(repository, 1, {SUBJECT_LENGTH})", Words)
"""As the index has the name of a repository."""

trust = Table(
    "trust",
    metadata,
    # Of cluster and gun: names are longer than what an index of PostgreSQL takes.
    Column("key", Words, primary_key=True),
    Column("cluster", Words, nullable=False),
    Column("gun", Words, nullable=False),
    Column("repository", Words, nullable=False),
    Column("namespace", Words, nullable=False),
    Column("record", Words, nullable=False),
    Column("event", Words, nullable=False),
    Column("at", Instant, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("sha256", Words, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", Words),
    Column("state_sha256", Words, nullable=False),
    Column("state_at", Instant),
    Column("problem", Words),
    Column("wanted_at", Instant),
    Column("tries", Integer, nullable=False),
    Column("expires_at", Instant),
    Column("checked_at", Instant),
    Column("missing_since", Instant),
    Column("lost_at", Instant),
    Column("deletions", Integer, nullable=False),
    Index("trust_wanted", "cluster", "wanted_at", **_where("wanted_at IS NOT NULL")),
    Index("trust_expires", "cluster", "expires_at", **_where("expires_at IS NOT NULL")),
    Index("trust_problems", "cluster", **_where("problem IS NOT NULL")),
    Index("trust_checked", "cluster", "checked_at", **_where("NOT deleted")),
    Index("trust_named", "cluster", repository_cut, text('"key"')),
    Index("trust_deletions", "cluster", "namespace", **_where("deletions > 0")),
)
"""What is kept of each repository's trust data."""

trust_waiting = Table(
    "trust_waiting",
    metadata,
    Column("id", Words, primary_key=True),
    Column("cluster", Words, nullable=False),
    Column("key", Words, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("body", Words, nullable=False),
    Index("trust_waiting_seen", "seen_at"),
    Index("trust_waiting_key", "key"),
)
"""Events that wait until what they tell of has been examined."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("hash", Words, nullable=False, unique=True),
    Column("scope", Words, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Words, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("used_at", Instant),
)
"""Tokens by which people and programs are let in: their hashes, never themselves."""

requests = Table(
    "requests",
    metadata,
    Column("key", Words, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("fingerprint", Words, nullable=False),
    Column("status", Integer),
    Column("body", Words),
    Index("requests_at", "at"),
)
"""Writes that bore an idempotency key, and how they were answered; not yet while ``status`` is null."""
