"""A client's side of the store: accept a job, look at it, cancel it, remove it."""

import base64
import binascii
import json
from collections.abc import Sequence
from math import isfinite
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from interchange.errors import Conflict, InvalidOption, NotFound
from interchange.files.blobs import BlobStore
from interchange.stages import BlobSource
from interchange.transcript import Transcript, WindowTranscript
from serve_app.jobs.job import CANCELLED, Job, JobStatus, JobUsage, NewJob, Page
from serve_app.jobs.store.codec import TRANSCRIPT, WINDOW
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.outbox import announce
from serve_app.jobs.store.rows import (
    SUMMARY,
    ending,
    failure_columns,
    forget_stretches,
    job_of,
    made_by,
    new_row,
    read_job,
)
from serve_app.jobs.store.tables import deliveries, jobs, windows

_DAY_S = 86_400


class JobStore:
    """`retention_s` is how long an ended job is kept, in seconds. `key` names the key whose jobs
    are seen and changed here; None: everybody's.

    Every method raises Unavailable where the database cannot be used.
    """

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        *,
        retention_s: float,
        key: str | None = None,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._retention_s = retention_s
        self._key = key

    def seen_by(self, key: str) -> "JobStore":
        """The same store as the key of that name sees it: with its own jobs and no other."""
        return JobStore(self._database, self._blobs, retention_s=self._retention_s, key=key)

    async def submit(self, new: NewJob) -> tuple[Job, bool]:
        """Accept a job: it is durable when this returns. False: it was known already.

        Raises Conflict where its idempotency key, or a live job of its `task_id`, belongs to
        another request.
        """
        now = self._database.now()
        enter = (
            jobs.insert()
            .values(**new_row(new), attended=False, status="queued", created_at=now, due_at=now)
            .returning(*SUMMARY)
        )

        def submit(connection: sa.Connection) -> tuple[sa.Row[Any], bool]:
            if (known := self._known(connection, new)) is not None:
                return known, False
            return connection.execute(enter).one(), True

        while True:
            try:
                row, created = await self._database.write(submit)
                return job_of(row), created
            except exc.IntegrityError:
                continue  # the same request came in at the same moment: now it is known

    def _known(self, connection: sa.Connection, new: NewJob) -> sa.Row[Any] | None:
        same_task = sa.and_(jobs.c.task_id == new.task_id, jobs.c.ended_at.is_(None))
        same_key = jobs.c.idempotency_key == new.idempotency_key
        which = same_task if new.idempotency_key is None else same_task | same_key
        mine = sa.select(*SUMMARY).where(which, jobs.c.key_name == new.key)
        row = connection.execute(mine).first()
        if row is None:
            return None
        if row.fingerprint != new.fingerprint:
            name = (
                f"A task {new.task_id!r} is running already"
                if new.idempotency_key is None
                else f"The Idempotency-Key {new.idempotency_key!r} was used already"
            )
            raise Conflict(f"{name}, for a request with another content; choose another name.")
        return row

    # ---------------------------------------------------------------------- looking

    async def get(self, job_id: str) -> Job:
        """Raises NotFound."""
        return await self._database.read(lambda c: read_job(c, job_id, self._key))

    async def task(self, task_id: str) -> Job:
        """The newest job of a name in the original's dialect. Raises NotFound."""
        newest = (
            sa.select(*SUMMARY)
            .where(jobs.c.task_id == task_id, made_by(self._key))
            .order_by(jobs.c.created_at.desc(), jobs.c.id)
            .limit(1)
        )
        row = await self._database.read(lambda c: c.execute(newest).first())
        if row is None:
            raise NotFound("Task not found")
        return job_of(row)

    async def count(self) -> dict[JobStatus, int]:
        """How many jobs there are in each state that any is in."""
        counted = sa.select(jobs.c.status, sa.func.count().label("jobs")).group_by(jobs.c.status)
        rows = await self._database.read(lambda c: c.execute(counted).all())
        return {row.status: row.jobs for row in rows}

    async def usage(self) -> JobUsage:
        """What there is of the key that this store is seen by."""
        seconds = sa.case((jobs.c.created_at > self._database.now() - _DAY_S, jobs.c.recognized))
        counted = sa.select(
            sa.func.count().filter(jobs.c.ended_at.is_(None)).label("waiting"),
            sa.func.coalesce(sa.func.sum(seconds), 0.0).label("seconds"),
        ).where(made_by(self._key), sa.not_(jobs.c.attended))
        row = await self._database.read(lambda c: c.execute(counted).one())
        return JobUsage(row.waiting, row.seconds)

    async def live_tasks(self) -> list[str]:
        """The `task_id` of every job that has not ended, oldest first."""
        # An attended job whose lease is over has lost its process.
        alive = sa.not_(jobs.c.attended) | (jobs.c.due_at > self._database.now())
        live = (
            sa.select(jobs.c.task_id)
            .where(jobs.c.ended_at.is_(None), alive, made_by(self._key))
            .order_by(jobs.c.created_at)
        )
        return await self._database.read(lambda c: list(c.execute(live).scalars()))

    async def page(
        self, *, status: JobStatus | None = None, limit: int = 20, cursor: str | None = None
    ) -> Page:
        """Jobs, newest first. Raises InvalidOption for a cursor that this did not make."""
        newest_first = (jobs.c.created_at.desc(), jobs.c.id.desc())
        some = sa.select(*SUMMARY).where(made_by(self._key)).order_by(*newest_first)
        if status is not None:
            some = some.where(jobs.c.status == status)
        if cursor is not None:
            created_at, job_id = _read_cursor(cursor)
            some = some.where(
                sa.tuple_(jobs.c.created_at, jobs.c.id)
                < sa.tuple_(sa.literal(created_at, sa.Double), sa.literal(job_id))
            )
        rows = await self._database.read(lambda c: c.execute(some.limit(limit + 1)).all())
        found = tuple(job_of(row) for row in rows[:limit])
        more = len(rows) > limit
        return Page(found, _write_cursor(found[-1]) if more else None)

    async def transcript(self, job_id: str) -> Transcript:
        """Raises NotFound; Conflict for a job that has no transcript, or none yet."""
        wanted = sa.select(
            jobs.c.status, jobs.c.error_message, jobs.c.result, jobs.c.result_blob
        ).where(jobs.c.id == job_id, made_by(self._key))
        row = await self._database.read(lambda c: c.execute(wanted).first())
        if row is None:
            raise NotFound(f"There is no job {job_id!r}; its retention time may be over.")
        if row.status != "completed":
            reason = f": {row.error_message}" if row.error_message else "; wait for its end."
            raise Conflict(f"Job {job_id!r} is {row.status} and has no transcript{reason}")
        return TRANSCRIPT.load(row.result or await self._blobs.get(row.result_blob))

    async def windows(
        self, job_id: str, first: int = 0, limit: int = 100
    ) -> Sequence[WindowTranscript]:
        """Finished windows from number `first` on, in order; some before the last may lack."""
        some = (
            sa.select(windows.c.transcript)
            .where(windows.c.job_id == job_id, windows.c.number >= first)
            .order_by(windows.c.number)
            .limit(limit)
        )
        texts = await self._database.read(lambda c: c.execute(some).scalars().all())
        return [WINDOW.load(text) for text in texts]

    # --------------------------------------------------------------------- changing

    async def cancel(self, job_id: str, called: str | None = None) -> Job:
        """End a live job at once; who works on it finds its lease lost, and stops.

        `called` is what its client calls it. Raises NotFound, and Conflict for a job that has
        ended.
        """
        now = self._database.now()
        stop = (
            jobs.update()
            .where(jobs.c.id == job_id, jobs.c.ended_at.is_(None), made_by(self._key))
            .values(
                status="cancelled",
                fence=jobs.c.fence + 1,
                **failure_columns(CANCELLED),
                **ending(now, self._retention_s),
            )
            .returning(*SUMMARY)
        )

        def cancel(connection: sa.Connection) -> Job:
            row = connection.execute(stop).first()
            if row is None:
                ended = read_job(connection, job_id, self._key)
                name = called or f"Job {job_id!r}"
                raise Conflict(f"{name} has ended already: it is {ended.status}.")
            job = job_of(row)
            forget_stretches(connection, job.id)
            announce(connection, job.id, row.webhook, now)
            return job

        return await self._database.write(cancel)

    async def delete(self, job_id: str) -> None:
        """Remove an ended job with its recording, its result and its deliveries.

        Raises NotFound, and Conflict for a live one.
        """
        if not (await self.get(job_id)).ended:
            raise Conflict(f"Job {job_id!r} has not ended; cancel it first.")
        await self._remove(job_id)

    async def expire(self, limit: int = 100) -> int:
        """Remove jobs whose retention time is over and whose webhooks are settled."""
        owed = sa.exists().where(deliveries.c.job_id == jobs.c.id, deliveries.c.state == "pending")
        old = (
            sa.select(jobs.c.id)
            .where(jobs.c.expires_at <= self._database.now(), sa.not_(owed))
            .limit(limit)
        )
        found = await self._database.read(lambda c: c.execute(old).scalars().all())
        for job_id in found:
            await self._remove(job_id)
        return len(found)

    async def knows_blobs(self, keys: Sequence[str]) -> set[str]:
        """Which of these keys of the blob store belong to a job."""
        known = sa.select(jobs.c.recording, jobs.c.result_blob).where(
            jobs.c.recording.in_(keys) | jobs.c.result_blob.in_(keys)
        )
        rows = await self._database.read(lambda c: c.execute(known).all())
        return {key for row in rows for key in row if key is not None}

    async def _remove(self, job_id: str) -> None:
        """Blobs first: a crash in between leaves a row, by which the removal is made again."""
        its = sa.select(jobs.c.recording, jobs.c.result_blob).where(jobs.c.id == job_id)
        row = await self._database.read(lambda c: c.execute(its).first())
        for key in row or ():
            if key is not None:
                await self._blobs.delete(BlobSource(key, "blob"))
        remove = jobs.delete().where(jobs.c.id == job_id)
        await self._database.write(lambda c: c.execute(remove))


def _write_cursor(job: Job) -> str:
    text = json.dumps([job.created_at, job.id])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[float, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        created_at, job_id = json.loads(text)
        if not (isinstance(created_at, float) and isinstance(job_id, str)):
            raise TypeError("not a time and an id")
        if not (isfinite(created_at) and job_id.isascii() and job_id.isprintable()):
            raise ValueError("no time or no id")
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise InvalidOption(
            f"The cursor {cursor!r} is none of this service; take it from an answer's next_cursor.",
            "cursor",
        ) from error
    return created_at, job_id
