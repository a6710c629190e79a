"""A runner's side of the store: take a job, keep it, hand in what was done.

Every write carries the claim's fencing token and takes the row's lock before anything else,
so a runner that lost its lease without noticing can change nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite

from interchange.errors import Conflict
from interchange.files.blobs import BlobStore
from interchange.stages import BlobSource
from interchange.transcript import Transcript, WindowTranscript
from serve_app.jobs.job import CANCELLED, Claim, Failure, JobStatus, NewJob
from serve_app.jobs.store.codec import QUALITY, SECONDS, TRANSCRIPT, WEBHOOK, WINDOW
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.outbox import announce
from serve_app.jobs.store.rows import ending, failure_columns, forget_stretches, job_of, new_row
from serve_app.jobs.store.tables import jobs, stretches, windows
from serve_app.transcription.events import FinishedStretch, Progress, Resume

ABANDONED = Failure(
    "The service stopped while it worked on this request; send it again.", 503, "unavailable"
)


class LeaseLost(Exception):
    """The job is no longer this runner's: it was cancelled, or another has claimed it."""


class Leases:
    """`lease_s` is how long a claim lasts unless renewed, `retention_s` how long an ended job
    is kept, `inline_bytes` the largest result that lies in a row. All times in seconds."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        *,
        lease_s: float,
        retention_s: float,
        inline_bytes: int,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._lease_s = lease_s
        self._retention_s = retention_s
        self._inline_bytes = inline_bytes

    # ------------------------------------------------------------------- claiming

    async def claim(self, owner: str) -> Claim | None:
        """The job that waits longest, or whose runner fell silent; None where there is none."""
        now = self._database.now()
        due = (
            sa.select(jobs.c.id)
            .where(jobs.c.due_at <= now, sa.not_(jobs.c.attended))
            .order_by(jobs.c.due_at)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        take = (
            jobs.update()
            .where(jobs.c.id == due)
            .values(
                status="running",
                owner=owner,
                fence=jobs.c.fence + 1,
                attempts=jobs.c.attempts + 1,
                started_at=sa.func.coalesce(jobs.c.started_at, now),
                due_at=now + self._lease_s,
            )
            .returning(jobs)
        )

        def claim(connection: sa.Connection) -> Claim | None:
            row = connection.execute(take).first()
            return None if row is None else Claim(job_of(row), owner, _kept(connection, row.id))

        return await self._database.write(claim)

    async def attend(self, new: NewJob, owner: str) -> Claim:
        """Enter a job that a client of this process waits for; no runner takes it.

        Raises Conflict where a live job has its `task_id`.
        """
        now = self._database.now()
        enter = (
            jobs.insert()
            .values(
                **new_row(new),
                attended=True,
                status="running",
                created_at=now,
                started_at=now,
                due_at=now + self._lease_s,
                owner=owner,
                fence=1,
                attempts=1,
            )
            .returning(jobs)
        )
        try:
            row = await self._database.write(lambda c: c.execute(enter).one())
        except exc.IntegrityError as error:
            raise Conflict(f"A task {new.task_id!r} is running already.") from error
        return Claim(job_of(row), owner, Resume())

    async def held(self, owner: str) -> set[tuple[str, int]]:
        """Id and fencing token of every job that `owner` still holds."""
        theirs = sa.select(jobs.c.id, jobs.c.fence).where(jobs.c.owner == owner)
        rows = await self._database.read(lambda c: c.execute(theirs).all())
        return {(row.id, row.fence) for row in rows}

    async def renew(self, owner: str) -> None:
        """The heartbeat of a runner, for all its jobs."""
        beat = (
            jobs.update()
            .where(jobs.c.owner == owner)
            .values(due_at=self._database.now() + self._lease_s)
        )
        await self._database.write(lambda c: c.execute(beat))

    # -------------------------------------------------------------------- results

    async def checkpoint(
        self,
        claim: Claim,
        finished: Sequence[WindowTranscript] = (),
        analysed: Sequence[FinishedStretch] = (),
        progress: Progress | None = None,
    ) -> None:
        """Keep what was done so far, and renew the lease. Raises LeaseLost."""
        values: dict[str, Any] = {"due_at": self._database.now() + self._lease_s}
        if finished or analysed:
            values["attempts"] = 0
        if finished:
            values["windows"] = jobs.c.windows + len(finished)
        if progress is not None:
            values["loaded"] = progress.loaded
            values["recognized"] = progress.recognized
            values["duration"] = progress.total
        kept = [(each.index, {"transcript": WINDOW.dump(each)}) for each in finished]
        heard = [
            (each.number, {"fingerprint": each.fingerprint, "analysis": each.analysis})
            for each in analysed
        ]

        def keep(connection: sa.Connection) -> None:
            _change(connection, claim, values)
            for table, rows in ((windows, kept), (stretches, heard)):
                if rows:
                    self._keep(connection, table, claim.job.id, rows)

        await self._database.write(keep)

    async def complete(self, claim: Claim, transcript: Transcript) -> None:
        """End a job with its transcript, and owe its webhook. Raises LeaseLost."""
        text = TRANSCRIPT.dump(transcript)
        content = text.encode()
        blob = await self._blobs.put(content) if len(content) > self._inline_bytes else None
        try:
            await self._end(
                claim,
                "completed",
                result=None if blob else text,
                result_blob=blob,
                language=transcript.language,
                duration=transcript.duration,
                loaded=transcript.duration,
                recognized=transcript.duration,
                quality=QUALITY.dump(transcript.quality),
                stage_seconds=SECONDS.dump(transcript.stage_seconds),
            )
        except BaseException:
            if blob:
                await self._blobs.delete(BlobSource(blob, "result"))
            raise

    async def fail(self, claim: Claim, failure: Failure) -> None:
        """End a job without a transcript, and owe its webhook. Raises LeaseLost."""
        await self._end(claim, "failed", **failure_columns(failure))

    async def abandon(self, claim: Claim) -> None:
        """End an attended job whose client went away. Raises LeaseLost."""
        await self._end(claim, "cancelled", **failure_columns(CANCELLED))

    async def retry(self, claim: Claim, delay_s: float, *, counts: bool = True) -> None:
        """Give a job back for another try in `delay_s`; `counts` False forgets this one.

        Raises LeaseLost.
        """
        values: dict[str, Any] = {
            "status": "queued",
            "owner": None,
            "due_at": self._database.now() + delay_s,
        }
        if not counts:
            values["attempts"] = _one_less()
        await self._database.write(lambda c: _change(c, claim, values))

    async def hand_back(self, owner: str) -> None:
        """Give every job of a runner that stops to the others, as if it had not been tried."""
        back = (
            jobs.update()
            .where(jobs.c.owner == owner)
            .values(status="queued", owner=None, due_at=self._database.now(), attempts=_one_less())
        )
        await self._database.write(lambda c: c.execute(back))

    async def reap(self) -> int:
        """Fail the attended jobs whose process fell silent; return how many there were."""
        now = self._database.now()
        dead = (
            jobs.update()
            .where(jobs.c.attended, jobs.c.due_at <= now)
            .values(status="failed", **failure_columns(ABANDONED), **ending(now, self._retention_s))
            .returning(jobs.c.id, jobs.c.webhook)
        )

        def reap(connection: sa.Connection) -> int:
            rows = connection.execute(dead).all()
            for row in rows:
                announce(connection, row.id, row.webhook, now)
            return len(rows)

        return await self._database.write(reap)

    # -------------------------------------------------------------------- helpers

    async def _end(self, claim: Claim, status: JobStatus, **values: Any) -> None:
        now = self._database.now()
        values = {"status": status, **values, **ending(now, self._retention_s)}
        webhook = None if claim.job.webhook is None else WEBHOOK.dump(claim.job.webhook)

        def end(connection: sa.Connection) -> None:
            _change(connection, claim, values)
            forget_stretches(connection, claim.job.id)
            announce(connection, claim.job.id, webhook, now)

        await self._database.write(end)

    def _keep(
        self,
        connection: sa.Connection,
        table: sa.Table,
        job_id: str,
        rows: Sequence[tuple[int, Mapping[str, Any]]],
    ) -> None:
        """Write rows of a job by number; one that there is is replaced.

        There is one only where the recording behind a URL has changed.
        """
        dialect = sqlite if self._database.is_sqlite else postgresql
        insert = dialect.insert(table)
        upsert = insert.on_conflict_do_update(
            index_elements=[table.c.job_id, table.c.number],
            set_={name: insert.excluded[name] for name in rows[0][1]},
        )
        connection.execute(
            upsert, [{"job_id": job_id, "number": number, **row} for number, row in rows]
        )


def _change(connection: sa.Connection, claim: Claim, values: Mapping[str, Any]) -> None:
    change = (
        jobs.update()
        .where(
            jobs.c.id == claim.job.id,
            jobs.c.fence == claim.job.fence,
            jobs.c.status == "running",
        )
        .values(**values)
    )
    if connection.execute(change).rowcount != 1:
        raise LeaseLost(f"Job {claim.job.id} was cancelled or went to another runner.")


def _kept(connection: sa.Connection, job_id: str) -> Resume:
    """What earlier tries finished."""
    recognized = connection.execute(
        sa.select(windows.c.number, windows.c.transcript).where(windows.c.job_id == job_id)
    )
    analysed = connection.execute(
        sa.select(stretches.c.number, stretches.c.fingerprint, stretches.c.analysis).where(
            stretches.c.job_id == job_id
        )
    )
    return Resume(
        {each.number: WINDOW.load(each.transcript) for each in recognized},
        {each.number: FinishedStretch(*each) for each in analysed},
    )


def _one_less() -> sa.ColumnElement[int]:
    return sa.case((jobs.c.attempts > 0, jobs.c.attempts - 1), else_=0)
