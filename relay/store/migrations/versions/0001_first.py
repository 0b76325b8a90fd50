"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")

    def partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
        op.create_index(
            name,
            table,
            columns,
            unique=unique,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )

    op.create_table(
        "events",
        sa.Column("seq", serial, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("cluster", sa.Text),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("alert", sa.Text),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("routed", sa.Boolean, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("events_type", "events", ["type", "seq"])
    op.create_index("events_cluster", "events", ["cluster", "seq"])
    op.create_index("events_seen", "events", ["seen_at"])
    partial("events_unrouted", "events", ["seq"], "NOT routed")

    op.create_table(
        "alerts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("cluster", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger),
        sa.Column("body", sa.Text, nullable=False),
    )
    partial("alerts_open", "alerts", ["fingerprint"], "state <> 'resolved'", unique=True)
    op.create_index("alerts_starts", "alerts", ["starts_at"])
    op.create_index("alerts_ends", "alerts", ["ends_at"])

    op.create_table(
        "cursors",
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )

    op.create_table(
        "deliveries",
        sa.Column("seq", serial, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("thread", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("template", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("settled", sa.Text, nullable=False),
        sa.Column("delivered_to", sa.Text, nullable=False),
        sa.Column("receipt", sa.Text),
        sa.Column("replay_of", sa.Text),
        sa.Column("last_error", sa.Text),
        sqlite_autoincrement=True,
    )
    partial("deliveries_due", "deliveries", ["channel", "due_at", "seq"], "state = 'pending'")
    partial("deliveries_queue", "deliveries", ["channel", "thread", "seq"], "state = 'pending'")
    partial(
        "deliveries_sent", "deliveries", ["channel", "thread", "seq"], "state IN ('delivered', 'partial')"
    )
    op.create_index("deliveries_channel", "deliveries", ["channel", "state", "seq"])
    op.create_index("deliveries_state", "deliveries", ["state", "seq"])
    partial("deliveries_finished", "deliveries", ["finished_at"], "finished_at IS NOT NULL")

    op.create_table(
        "contents",
        sa.Column("event", sa.Text, primary_key=True),
        sa.Column("delivery", sa.Text, primary_key=True),
    )
    op.create_index("contents_delivery", "contents", ["delivery"])

    op.create_table(
        "attempts",
        sa.Column("delivery", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("targets", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("plain", sa.Boolean, nullable=False),
    )

    op.create_table(
        "channels",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("probe_at", sa.BigInteger),
        sa.Column("by", sa.Text),
    )

    op.create_table(
        "journal",
        sa.Column("seq", serial, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
