"""All that works on jobs in one process: the runner, its leases, the webhooks, the tidying."""

import asyncio

from configs.secrets import Secrets
from configs.settings import Settings
from interchange.files.blobs import BlobStore
from interchange.network import AddressGuard
from serve_app.jobs.runner.cleaner import Cleaner
from serve_app.jobs.runner.job_try import RetryPolicy
from serve_app.jobs.runner.lease_keeper import LeaseKeeper, owner_name
from serve_app.jobs.runner.runner import Runner
from serve_app.jobs.runner.webhook_sender import Render, WebhookSender
from serve_app.jobs.store.configured import configured_database, configured_leases
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.outbox import Outbox
from serve_app.jobs.store.profiles import ProfileStore
from serve_app.profiles import Identifying
from serve_app.transcription.transcriber import ResumableTranscriber


class JobWorker:
    """`render` writes the body of a webhook."""

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        transcriber: ResumableTranscriber,
        render: Render,
    ) -> None:
        jobs = settings.jobs
        owner = owner_name()
        blobs = BlobStore(settings.storage)
        self._database = configured_database(jobs, secrets)
        leases = configured_leases(jobs, self._database, blobs)
        store = JobStore(self._database, blobs, retention_s=jobs.retention_s)
        self._keeper = LeaseKeeper(leases, owner, poll_s=jobs.poll_s, lease_s=jobs.lease_s)
        self._sender = WebhookSender(
            Outbox(self._database),
            store,
            AddressGuard(settings.allowed_networks, settings.refused_networks),
            render,
            secret=secrets.webhook_secret,
            timeout_s=settings.webhooks.timeout_s,
            concurrency=settings.webhooks.concurrency,
            first_delay_s=settings.webhooks.first_delay_s,
            max_delay_s=settings.webhooks.max_delay_s,
            retry_for_s=settings.webhooks.retry_for_s,
        )
        self._runner = Runner(
            leases,
            Identifying(
                transcriber,
                ProfileStore(self._database) if settings.speakers.profiles else None,
                settings.diarization.voice_model,
            ),
            self._keeper,
            owner,
            concurrency=jobs.concurrency,
            policy=RetryPolicy(
                max_attempts=jobs.max_attempts,
                delay_s=jobs.retry_delay_s,
                poll_s=jobs.poll_s,
                lease_s=jobs.lease_s,
            ),
            on_end=self._sender.wake,
        )
        self._housekeeper = Cleaner(store, leases, blobs)

    def wake(self) -> None:
        """There is something new in the store."""
        self._runner.wake()
        self._sender.wake()

    async def open(self) -> None:
        """Raises StoreUnavailable, and ServerError for a store of a newer version."""
        await self._database.open()

    async def run(self) -> None:
        """Until cancelled; then the jobs in work are handed back."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._runner.run())
                group.create_task(self._keeper.run())
                group.create_task(self._sender.run())
                group.create_task(self._housekeeper.run())
        finally:
            await self._database.close()
