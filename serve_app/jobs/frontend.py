"""The jobs as the HTTP app uses them: one object over the store, for one process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from configs.settings import JobSettings
from interchange.files.blobs import BlobStore
from interchange.stages import BlobSource
from interchange.transcript import Transcript
from serve_app.jobs.attended import AttendedRequests, WholeTranscriber
from serve_app.jobs.delivery import Delivery
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

    async def check(self) -> None:
        """Raises StoreUnavailable where jobs cannot be kept now."""
        await self._database.check()

    def of(self, key: str, *, everybody: bool = False) -> "ClientJobs":
        """The jobs as a client sees them, by the name of its key; `everybody`: all there are."""
        store = self.store if everybody else self.store.seen_by(key)
        return ClientJobs(
            key,
            store,
            self._blobs,
            self.outbox,
            self.attended,
            poll_s=self.poll_s,
            notify=self._notify,
        )


class ClientJobs:
    """What one key may do with jobs. Those of others are not found."""

    def __init__(
        self,
        key: str,
        store: JobStore,
        blobs: BlobStore,
        outbox: Outbox,
        attended: AttendedRequests,
        *,
        poll_s: float,
        notify: Callable[[], None],
    ) -> None:
        self.store = store
        self.poll_s = poll_s
        self._key = key
        self._blobs = blobs
        self._outbox = outbox
        self._attended = attended
        self._notify = notify

    async def submit(self, new: NewJob) -> tuple[Job, bool]:
        """`JobStore.submit`, and the runners know at once."""
        job, created = await self.store.submit(replace(new, key=self._key))
        if created:
            if isinstance(new.request.source, BlobSource):
                self._blobs.hand_over(new.request.source)
            self._notify()
        return job, created

    async def run(self, new: NewJob) -> Transcript:
        """`AttendedRequests.run`."""
        return await self._attended.run(replace(new, key=self._key))

    async def cancel(self, job_id: str, called: str | None = None) -> Job:
        """`JobStore.cancel`, and the sender of its webhook knows at once."""
        job = await self.store.cancel(job_id, called)
        self._notify()
        return job

    async def deliveries(self, job_id: str) -> tuple[Delivery, ...]:
        """The deliveries of a job with their log, oldest first. Raises NotFound."""
        await self.store.get(job_id)
        return await self._outbox.of_job(job_id)

    async def redeliver(self, job_id: str, delivery_id: str) -> None:
        """`Outbox.redeliver`, and the sender knows at once."""
        await self.store.get(job_id)
        await self._outbox.redeliver(job_id, delivery_id)
        self._notify()
