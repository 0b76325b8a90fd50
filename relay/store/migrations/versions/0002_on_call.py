"""Groups, silences, acknowledgements; deliveries that are held back are looked at again when due."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns and tables; make the outbox's indexes those of what is not finished."""
    for column in (
        sa.Column("ready_at", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False, server_default="new"),
        sa.Column("gathered", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("group_key", sa.Text),
        sa.Column("more", sa.Integer, nullable=False, server_default="0"),
        sa.Column("part", sa.Integer, nullable=False, server_default="1"),
        sa.Column("parts", sa.Integer, nullable=False, server_default="1"),
        sa.Column("merged_into", sa.Text),
        sa.Column("note", sa.Text),
    ):
        op.add_column("deliveries", column)
    for name in ("deliveries_due", "deliveries_queue"):
        op.drop_index(name, "deliveries")
    # What was held back had no time at which it is looked at again.
    op.execute("UPDATE deliveries SET finished_at = NULL WHERE state = 'inhibited'")
    _partial("deliveries_due", "deliveries", ["channel", "due_at", "seq"], "finished_at IS NULL")
    _partial("deliveries_thread", "deliveries", ["thread", "channel", "due_at", "seq"], "finished_at IS NULL")
    _partial(
        "deliveries_tried",
        "deliveries",
        ["channel", "thread", "seq"],
        "finished_at IS NULL AND state = 'pending' AND attempts > 0",
    )
    _partial("events_alert", "events", ["alert"], "alert IS NOT NULL")
    op.create_table(
        "groups",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
    )
    op.create_index("groups_due", "groups", ["due_at"])
    op.create_table(
        "silences",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("starts_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("silences_ends", "silences", ["ends_at"])
    op.create_table(
        "acknowledgements",
        sa.Column("thread", sa.Text, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("acknowledgements_at", "acknowledgements", ["at"])


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
