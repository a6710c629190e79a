"""Jobs, their windows, and the outbox of webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LIVE = sa.text("ended_at IS NULL")
_DUE = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("task_id", sa.Text, nullable=False),
        sa.Column("attended", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("recording", sa.String(64)),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("webhook", sa.Text),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("expires_at", sa.Double),
        sa.Column("due_at", sa.Double),
        sa.Column("owner", sa.String(255)),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("loaded", sa.Double, nullable=False),
        sa.Column("recognized", sa.Double, nullable=False),
        sa.Column("duration", sa.Double),
        sa.Column("windows", sa.Integer, nullable=False),
        sa.Column("turns", sa.Text),
        sa.Column("language", sa.String(16)),
        sa.Column("quality", sa.Text),
        sa.Column("stage_seconds", sa.Text),
        sa.Column("result", sa.Text),
        sa.Column("result_blob", sa.String(64)),
        sa.Column("error_message", sa.Text),
        sa.Column("error_status", sa.Integer),
        sa.Column("error_code", sa.String(64)),
    )
    op.create_index(
        "jobs_live_task",
        "jobs",
        ["task_id"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index("jobs_task", "jobs", ["task_id", "created_at"])
    op.create_index("jobs_key", "jobs", ["idempotency_key"], unique=True)
    op.create_index("jobs_due", "jobs", ["due_at"], sqlite_where=_DUE, postgresql_where=_DUE)
    op.create_index("jobs_created", "jobs", ["created_at", "id"])
    op.create_index("jobs_status", "jobs", ["status", "created_at", "id"])
    op.create_index("jobs_expires", "jobs", ["expires_at"])
    op.create_index("jobs_owner", "jobs", ["owner"])
    op.create_index("jobs_recording", "jobs", ["recording"])
    op.create_table(
        "windows",
        sa.Column(
            "job_id",
            sa.String(64),
            sa.ForeignKey("jobs.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("transcript", sa.Text, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column(
            "job_id", sa.String(64), sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("webhook", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("due_at", sa.Double),
    )
    op.create_index("deliveries_job", "deliveries", ["job_id"])
    op.create_index(
        "deliveries_due", "deliveries", ["due_at"], sqlite_where=_DUE, postgresql_where=_DUE
    )
    op.create_table(
        "delivery_attempts",
        sa.Column(
            "delivery_id",
            sa.String(64),
            sa.ForeignKey("deliveries.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("at", sa.Double, primary_key=True),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("error", sa.Text),
    )
