"""Whose job it is: a task's name and an Idempotency-Key belong to the key that sent them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None

_LIVE = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("key_name", sa.Text, nullable=False, server_default=""))
    op.drop_index("jobs_live_task", "jobs")
    op.create_index(
        "jobs_live_task",
        "jobs",
        ["key_name", "task_id"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.drop_index("jobs_key", "jobs")
    op.create_index("jobs_key", "jobs", ["key_name", "idempotency_key"], unique=True)
    op.create_index("jobs_of_key", "jobs", ["key_name", "created_at", "id"])
