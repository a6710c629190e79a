"""Takes jobs from the store, and as many through the graph at once as there is room for."""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

from interchange.errors import StoreUnavailable
from serve_app.jobs.job import Claim
from serve_app.jobs.runner.job_try import JobTry, RetryPolicy
from serve_app.jobs.runner.lease_keeper import LeaseKeeper
from serve_app.jobs.runner.polling import Polling
from serve_app.jobs.store.leases import LeaseLost, Leases
from serve_app.transcription.transcriber import ResumableTranscriber

log = logging.getLogger("ray.serve")


class Runner:
    """Works on up to `concurrency` jobs at once, under leases of `owner`.

    `on_end` is called when a job may have ended: its webhook is owed.
    """

    def __init__(
        self,
        leases: Leases,
        transcriber: ResumableTranscriber,
        keeper: LeaseKeeper,
        owner: str,
        *,
        concurrency: int,
        policy: RetryPolicy,
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._leases = leases
        self._transcriber = transcriber
        self._keeper = keeper
        self._owner = owner
        self._policy = policy
        self._room = asyncio.Semaphore(concurrency)
        self._on_end = on_end
        self._polling = Polling(policy.poll_s)
        self._work: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look for new jobs at once."""
        self._polling.wake()

    async def run(self) -> None:
        """Until cancelled; then every job in work goes back to the store, for others."""
        claiming: asyncio.Task[Claim | None] | None = None
        try:
            while True:
                await self._room.acquire()
                self._polling.about_to_look()
                claiming = asyncio.create_task(self._claim())
                # A claim that is cut off halfway could be committed and known to nobody.
                claim = await asyncio.shield(claiming)
                if claim is None:
                    self._room.release()
                    await self._polling.wait()
                    continue
                self._polling.found()
                work = asyncio.create_task(self._run(claim))
                self._work.add(work)
                work.add_done_callback(self._done)
        finally:
            await self._stop(claiming)

    async def _stop(self, claiming: asyncio.Task[Claim | None] | None) -> None:
        for work in self._work:
            work.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if claiming is not None:
            await claiming
        try:
            await self._leases.hand_back(self._owner)
        except StoreUnavailable as error:
            log.warning("The jobs in work wait until their leases are over: %s", error)

    async def _claim(self) -> Claim | None:
        try:
            return await self._leases.claim(self._owner)
        except StoreUnavailable as error:
            log.warning("No job can be claimed: %s", error)
            return None

    def _done(self, work: asyncio.Task[None]) -> None:
        self._work.discard(work)
        self._room.release()
        if not work.cancelled() and (error := work.exception()) is not None:
            log.error("A job's bookkeeping failed; its lease will run out.", exc_info=error)

    async def _run(self, claim: Claim) -> None:
        me = cast(asyncio.Task[object], asyncio.current_task())
        attempt = JobTry(self._leases, self._transcriber, claim, self._policy)
        with self._keeper.keep(claim, me):
            try:
                await attempt.run()
            except LeaseLost as lost:
                log.info("%s", lost)
            except StoreUnavailable as error:
                log.warning("Job %s is left until its lease is over: %s", claim.job.id, error)
            except asyncio.CancelledError:
                if not self._keeper.lost(me):
                    raise
                # A lease is gone as soon as the job's end is stored: it may have been looked for
                # before this task went on.
                self._on_end()
            else:
                if attempt.again_in_s is None:
                    self._on_end()
                else:
                    self._polling.wake(attempt.again_in_s)
