"""An index of what is held back, so that it is found at once however much waits."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the index."""
    where = sa.text("finished_at IS NULL AND state <> 'pending'")
    op.create_index(
        "deliveries_held_back",
        "deliveries",
        ["state", "due_at"],
        sqlite_where=where,
        postgresql_where=where,
    )
