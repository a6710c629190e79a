"""Rows of the tables and the dataclasses of `job.py`, one as the other."""

from typing import Any

import sqlalchemy as sa

from interchange.errors import NotFound
from interchange.stages import BlobSource
from serve_app.jobs.job import Failure, Job, NewJob
from serve_app.jobs.store.codec import METADATA, QUALITY, REQUEST, SECONDS, WEBHOOK
from serve_app.jobs.store.tables import jobs, stretches

SUMMARY = tuple(column for column in jobs.c if column.name not in {"result", "result_blob"})
"""The columns of a Job: all but the large ones."""


def job_of(row: sa.Row[Any]) -> Job:
    failure = None
    if row.error_message is not None:
        failure = Failure(row.error_message, row.error_status, row.error_code)
    return Job(
        id=row.id,
        task_id=row.task_id,
        attended=row.attended,
        status=row.status,
        request=REQUEST.load(row.request),
        fingerprint=row.fingerprint,
        webhook=None if row.webhook is None else WEBHOOK.load(row.webhook),
        metadata={} if row.metadata is None else METADATA.load(row.metadata),
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        expires_at=row.expires_at,
        due_at=row.due_at,
        fence=row.fence,
        attempts=row.attempts,
        loaded=row.loaded,
        recognized=row.recognized,
        duration=row.duration,
        windows=row.windows,
        language=row.language,
        quality=None if row.quality is None else QUALITY.load(row.quality),
        stage_seconds={} if row.stage_seconds is None else SECONDS.load(row.stage_seconds),
        failure=failure,
    )


def read_job(connection: sa.Connection, job_id: str, key: str | None = None) -> Job:
    """`key` names the key that must have made the job; None: any. Raises NotFound."""
    wanted = sa.select(*SUMMARY).where(jobs.c.id == job_id, made_by(key))
    row = connection.execute(wanted).first()
    if row is None:
        raise NotFound(f"There is no job {job_id!r}; its retention time may be over.")
    return job_of(row)


def made_by(key: str | None) -> sa.ColumnElement[bool]:
    """Which jobs a key sees: its own; with None all."""
    return sa.true() if key is None else jobs.c.key_name == key


def new_row(new: NewJob) -> dict[str, Any]:
    """The columns that the client's request fills."""
    source = new.request.source
    return {
        "id": new.request.id,
        "task_id": new.task_id,
        "request": REQUEST.dump(new.request),
        "recording": source.path if isinstance(source, BlobSource) else None,
        "fingerprint": new.fingerprint,
        "key_name": new.key,
        "idempotency_key": new.idempotency_key,
        "webhook": None if new.webhook is None else WEBHOOK.dump(new.webhook),
        "metadata": METADATA.dump(new.metadata) if new.metadata else None,
    }


def failure_columns(failure: Failure) -> dict[str, Any]:
    return {
        "error_message": failure.message,
        "error_status": failure.status,
        "error_code": failure.code,
    }


def ending(now: sa.ColumnElement[float], retention_s: float) -> dict[str, Any]:
    """The columns that change when a job ends, however it ends."""
    return {"ended_at": now, "expires_at": now + retention_s, "due_at": None, "owner": None}


def forget_stretches(connection: sa.Connection, job_id: str) -> None:
    """What diarization found so far is of no use to a job that has ended; and voices are kept for
    as long as they are needed."""
    connection.execute(stretches.delete().where(stretches.c.job_id == job_id))
