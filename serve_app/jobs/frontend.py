"""The jobs as the HTTP app uses them: one object over the store, for one process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from configs.settings import JobSettings
from interchange.blobs import BlobStore
from interchange.stages import BlobSource
from serve_app.jobs.attended import AttendedRequests, WholeTranscriber
from serve_app.jobs.job import Job, NewJob
from serve_app.jobs.runner.lease_keeper import LeaseKeeper, owner_name
from serve_app.jobs.store.configured import configured_leases
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.outbox import Outbox


class JobFrontend:
    """`notify` is called when there is something new for the runners."""

    def __init__(
        self,
        settings: JobSettings,
        database: Database,
        blobs: BlobStore,
        transcriber: WholeTranscriber,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        owner = owner_name()
        leases = configured_leases(settings, database, blobs)
        self.store = JobStore(database, blobs, retention_s=settings.retention_s)
        self.outbox = Outbox(database)
        self.poll_s = settings.poll_s
        self._database = database
        self._blobs = blobs
        self._notify = notify
        self._keeper = LeaseKeeper(leases, owner, poll_s=settings.poll_s, lease_s=settings.lease_s)
        self.attended = AttendedRequests(
            self.store,
            leases,
            self._keeper,
            transcriber,
            owner,
            poll_s=settings.poll_s,
            notify=notify,
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Keeps the leases of attended requests for as long as the block lasts."""
        keeping = asyncio.create_task(self._keeper.run())
        try:
            yield
        finally:
            await self.attended.close()
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._database.close()

    async def submit(self, new: NewJob) -> tuple[Job, bool]:
        """`JobStore.submit`, and the runners know at once."""
        job, created = await self.store.submit(new)
        if created:
            if isinstance(new.request.source, BlobSource):
                self._blobs.hand_over(new.request.source)
            self._notify()
        return job, created

    async def cancel(self, job_id: str, called: str | None = None) -> Job:
        """`JobStore.cancel`, and the sender of its webhook knows at once."""
        job = await self.store.cancel(job_id, called)
        self._notify()
        return job

    async def redeliver(self, job_id: str, delivery_id: str) -> None:
        """`Outbox.redeliver`, and the sender knows at once."""
        await self.outbox.redeliver(job_id, delivery_id)
        self._notify()
