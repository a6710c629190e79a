"""The tables. Times are Unix seconds by the clock of `Database.now`."""

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("task_id", Text, nullable=False),
    Column("attended", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("request", Text, nullable=False),
    Column("recording", String(64)),
    Column("fingerprint", String(64), nullable=False),
    Column("key_name", Text, nullable=False, server_default=""),
    Column("idempotency_key", Text),
    Column("webhook", Text),
    Column("metadata", Text),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("expires_at", Double),
    Column("due_at", Double),
    Column("owner", String(255)),
    Column("fence", Integer, nullable=False, default=0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("loaded", Double, nullable=False, default=0.0),
    Column("recognized", Double, nullable=False, default=0.0),
    Column("duration", Double),
    Column("windows", Integer, nullable=False, default=0),
    Column("language", String(16)),
    Column("quality", Text),
    Column("stage_seconds", Text),
    Column("result", Text),
    Column("result_blob", String(64)),
    Column("error_message", Text),
    Column("error_status", Integer),
    Column("error_code", String(64)),
)

_live = text("ended_at IS NULL")
_due = text("due_at IS NOT NULL")

Index(
    "jobs_live_task",
    jobs.c.key_name,
    jobs.c.task_id,
    unique=True,
    sqlite_where=_live,
    postgresql_where=_live,
)
Index("jobs_task", jobs.c.task_id, jobs.c.created_at)
Index("jobs_key", jobs.c.key_name, jobs.c.idempotency_key, unique=True)
Index("jobs_due", jobs.c.due_at, sqlite_where=_due, postgresql_where=_due)
Index("jobs_created", jobs.c.created_at, jobs.c.id)
Index("jobs_of_key", jobs.c.key_name, jobs.c.created_at, jobs.c.id)
Index("jobs_status", jobs.c.status, jobs.c.created_at, jobs.c.id)
Index("jobs_expires", jobs.c.expires_at)
Index("jobs_owner", jobs.c.owner)
Index("jobs_recording", jobs.c.recording)

windows = Table(
    "windows",
    metadata,
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("transcript", Text, nullable=False),
)

stretches = Table(
    "stretches",
    metadata,
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("analysis", LargeBinary, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("job_id", String(64), ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("webhook", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("since", Double, nullable=False),
    Column("tries", Integer, nullable=False, default=0),
    Column("due_at", Double),
)

Index("deliveries_job", deliveries.c.job_id)
Index("deliveries_due", deliveries.c.due_at, sqlite_where=_due, postgresql_where=_due)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column(
        "delivery_id",
        String(64),
        ForeignKey("deliveries.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("at", Double, primary_key=True),
    Column("seconds", Double, nullable=False),
    Column("status", Integer),
    Column("error", Text),
)

voice_profiles = Table(
    "voice_profiles",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key_name", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("folded_name", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("embeddings", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

Index("voice_profiles_name", voice_profiles.c.key_name, voice_profiles.c.folded_name, unique=True)
