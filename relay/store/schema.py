"""The tables. SQLite and PostgreSQL have the same ones.

Times are integers, microseconds since 1970 in UTC: they sort and compare alike everywhere. Things that
are only ever read whole are JSON texts in ``body``.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    text,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """Turn a datetime into microseconds."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, _dialect: Dialect) -> datetime | None:
        """Turn microseconds into a datetime in UTC."""
        return None if value is None else _EPOCH + value * _MICROSECOND


_Serial = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()

events = Table(
    "events",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("cluster", Text),
    Column("severity", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("alert", Text),
    Column("seen_at", Instant, nullable=False),
    Column("routed", Boolean, nullable=False),
    Column("body", Text, nullable=False),
    Index("events_type", "type", "seq"),
    Index("events_cluster", "cluster", "seq"),
    Index("events_seen", "seen_at"),
    Index("events_unrouted", "seq", sqlite_where=text("NOT routed"), postgresql_where=text("NOT routed")),
    sqlite_autoincrement=True,
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("cluster", Text),
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("starts_at", Instant, nullable=False),
    Column("ends_at", Instant),
    Column("body", Text, nullable=False),
    Index(
        "alerts_open",
        "fingerprint",
        unique=True,
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    ),
    Index("alerts_starts", "starts_at"),
    Index("alerts_ends", "ends_at"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("channel", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("thread", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("template", Text),
    Column("created_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("settled", Text, nullable=False),
    Column("delivered_to", Text, nullable=False),
    Column("receipt", Text),
    Column("replay_of", Text),
    Column("last_error", Text),
    Index(
        "deliveries_due",
        "channel",
        "due_at",
        "seq",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index("deliveries_thread", "channel", "thread", "seq"),
    Index("deliveries_state", "state", "seq"),
    Index("deliveries_created", "created_at"),
    Index(
        "deliveries_finished",
        "finished_at",
        sqlite_where=text("finished_at IS NOT NULL"),
        postgresql_where=text("finished_at IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("answer", Text, nullable=False),
    Column("targets", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("plain", Boolean, nullable=False),
)

channels = Table(
    "channels",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", Instant),
    Column("failures", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("probe_at", Instant),
    Column("by", Text),
)

journal = Table(
    "journal",
    metadata,
    Column("seq", _Serial, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("note", Text, nullable=False),
    sqlite_autoincrement=True,
)
