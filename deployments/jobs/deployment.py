"""The Ray Serve deployment that works on jobs; the work is in `serve_app.jobs.worker`."""

import asyncio
import logging
from functools import partial

from ray import serve
from ray.serve.handle import DeploymentHandle

from configs.secrets import Secrets
from configs.settings import Settings
from interchange.errors import StoreUnavailable
from serve_app import replica
from serve_app.handles import ray_transcriber
from serve_app.http.seed.answers import webhook_body
from serve_app.jobs.worker import JobWorker

log = logging.getLogger("ray.serve")


# It waits for the other stages nearly all the time, so it reserves no CPU.
@serve.deployment(
    ray_actor_options={"num_cpus": 0},
    max_ongoing_requests=64,
    max_queued_requests=256,
    health_check_period_s=10,
    health_check_timeout_s=30,
    graceful_shutdown_wait_loop_s=2,
    graceful_shutdown_timeout_s=30,
)
class JobManager:
    """Takes jobs through the graph. Several replicas may run: jobs are claimed under leases."""

    # Serve awaits a constructor that is a coroutine.
    async def __init__(  # type: ignore[misc]
        self,
        settings: Settings,
        loader: DeploymentHandle,
        recognizer: DeploymentHandle,
        diarizer: DeploymentHandle,
    ) -> None:
        replica.begin()
        secrets = Secrets()
        self._manager = JobWorker(
            settings,
            secrets,
            ray_transcriber(loader, recognizer, diarizer, settings),
            partial(webhook_body, fly_machine_id=secrets.fly_machine_id),
        )
        try:
            # A store of a newer version ends the start here.
            await self._manager.open()
        except StoreUnavailable as error:
            log.warning("Jobs wait until the store is there: %s", error)
        self._running = asyncio.create_task(self._manager.run())

    async def wake(self) -> None:
        """There is a new job, or a webhook to send."""
        self._manager.wake()

    async def check_health(self) -> None:
        """Raises the error that ended the work, if one did."""
        if self._running.done():
            self._running.result()
            raise RuntimeError("The job manager has stopped; its replica has to be replaced.")

    async def __del__(self) -> None:
        """Serve awaits this when a replica stops in good order: leases go back at once."""
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
