"""Indices by which people look at what there is: by repository, by replay, and how fast it was."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_LENGTH = 200


def upgrade() -> None:
    """Create the indices."""
    op.create_index("evidence_subject", "evidence", [sa.text(f"substr(subject, 1, {_LENGTH})"), "seq"])
    op.create_index("trust_named", "trust", ["cluster", sa.text(f"substr(repository, 1, {_LENGTH})"), "key"])
    for name, column in (("replays", "replay_of"), ("merged", "merged_into")):
        where = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"deliveries_{name}", "deliveries", [column], sqlite_where=where, postgresql_where=where
        )
    op.drop_index("deliveries_finished")
    where = sa.text("finished_at IS NOT NULL")
    op.create_index(
        "deliveries_finished",
        "deliveries",
        ["finished_at", "seq"],
        sqlite_where=where,
        postgresql_where=where,
    )
