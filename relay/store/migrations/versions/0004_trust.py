"""What is kept of repositories' trust data, and the updates that wait until they have been examined."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "trust",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("gun", sa.Text, nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("state", sa.Text),
        sa.Column("state_sha256", sa.Text, nullable=False),
        sa.Column("state_at", sa.BigInteger),
        sa.Column("problem", sa.Text),
        sa.Column("wanted_at", sa.BigInteger),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("checked_at", sa.BigInteger),
        sa.Column("missing_since", sa.BigInteger),
        sa.Column("lost_at", sa.BigInteger),
        sa.Column("deletions", sa.Integer, nullable=False),
    )
    _partial("trust_wanted", "trust", ["cluster", "wanted_at"], "wanted_at IS NOT NULL")
    _partial("trust_expires", "trust", ["cluster", "expires_at"], "expires_at IS NOT NULL")
    _partial("trust_problems", "trust", ["cluster"], "problem IS NOT NULL")
    _partial("trust_checked", "trust", ["cluster", "checked_at"], "NOT deleted")
    _partial("trust_deletions", "trust", ["cluster", "namespace"], "deletions > 0")
    op.create_table(
        "trust_waiting",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("cluster", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("trust_waiting_seen", "trust_waiting", ["seen_at"])
    op.create_index("trust_waiting_key", "trust_waiting", ["key"])


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
