"""Takes jobs from the store and takes them through the graph."""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol, cast

from interchange.errors import (
    ClientError,
    QueueFull,
    RayscribeError,
    RecognitionFailed,
    StoreUnavailable,
    Unavailable,
)
from interchange.transcript import Transcript, Turn, WindowTranscript
from serve_app.jobs.job import Claim, Failure
from serve_app.jobs.runner.lease_keeper import Keeper
from serve_app.jobs.runner.polling import Bell
from serve_app.jobs.store.leases import LeaseLost, Leases
from serve_app.transcription.transcriber import (
    Completed,
    Event,
    Progress,
    Resume,
    TranscriptionRequest,
    TurnsReady,
    WindowDone,
)

log = logging.getLogger("ray.serve")

_LONGEST_DELAY_S = 300.0
_PROGRESS_S = 1.0
"""Progress between two windows is written this often, not at each event."""


class ResumableTranscriber(Protocol):
    """`serve_app.transcription.transcriber.Transcriber`, as far as a runner uses it."""

    def transcribe(
        self, request: TranscriptionRequest, resume: Resume | None = None
    ) -> AsyncGenerator[Event, None]: ...


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`max_attempts` tries without progress, the first wait being `delay_s`; writes to a store
    that is away are repeated each `poll_s` for `lease_s`. Times in seconds."""

    max_attempts: int
    delay_s: float
    poll_s: float
    lease_s: float

    def delay(self, attempts: int) -> float:
        """Seconds to wait after that many tries without progress."""
        delay = self.delay_s * 2.0 ** (max(1, attempts) - 1)
        return min(delay, _LONGEST_DELAY_S) * random.uniform(1, 1.25)


class Runner:
    """Works on up to `concurrency` jobs at once, under leases of `owner`.

    `on_end` is called when a job has ended: its webhook is owed.
    """

    def __init__(
        self,
        leases: Leases,
        transcriber: ResumableTranscriber,
        keeper: Keeper,
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
        self._bell = Bell(policy.poll_s)
        self._work: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Look for new jobs at once."""
        self._bell.ring()

    async def run(self) -> None:
        """Until cancelled; then every job in work goes back to the store, for others."""
        claiming: asyncio.Task[Claim | None] | None = None
        try:
            while True:
                await self._room.acquire()
                self._bell.about_to_look()
                claiming = asyncio.create_task(self._claim())
                # A claim that is cut off halfway could be committed and known to nobody.
                claim = await asyncio.shield(claiming)
                if claim is None:
                    self._room.release()
                    await self._bell.wait()
                    continue
                self._bell.found()
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
        attempt = _Try(self._leases, self._transcriber, claim, self._policy)
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
            else:
                if attempt.again_in_s is None:
                    self._on_end()
                else:
                    self._bell.ring(attempt.again_in_s)


class _Try:
    """One try at one job. `again_in_s` says when another is due, if the job did not end."""

    def __init__(
        self, leases: Leases, transcriber: ResumableTranscriber, claim: Claim, policy: RetryPolicy
    ) -> None:
        self._leases = leases
        self._transcriber = transcriber
        self._claim = claim
        self._policy = policy
        self._attempts = claim.job.attempts
        self.again_in_s: float | None = None
        self._written_at = time.monotonic()

    async def run(self) -> None:
        """Raises LeaseLost, and StoreUnavailable where the store stayed away."""
        if self._attempts > self._policy.max_attempts:
            # Claimed again and again from runners that died over it.
            message = (
                f"The service stopped {self._attempts - 1} times over this recording without any "
                "progress; see its log."
            )
            await self._fail(Failure(message, 500, "internal_error"))
            return
        try:
            transcript = await self._transcribe()
        except (LeaseLost, StoreUnavailable):
            raise
        except QueueFull as full:
            await self._retry(full.retry_after, counts=False)
        except ClientError as error:
            await self._fail(Failure(error.message, error.status, error.code))
        except Exception as error:  # noqa: BLE001 - whatever it is: what was accepted is tried again
            await self._after_our_fault(error)
        else:
            await self._insist(lambda: self._leases.complete(self._claim, transcript))

    async def _transcribe(self) -> Transcript:
        request = replace(self._claim.job.request, priority="bulk")
        progress: Progress | None = None
        events = self._transcriber.transcribe(request, self._claim.resume)
        async with aclosing(events):
            async for event in events:
                match event:
                    case Progress():
                        progress = event
                        if time.monotonic() - self._written_at >= _PROGRESS_S:
                            await self._checkpoint((), None, progress)
                    case WindowDone(window):
                        self._attempts = 0
                        await self._checkpoint((window,), None, progress)
                    case TurnsReady(turns):
                        self._attempts = 0
                        await self._checkpoint((), turns, progress)
                    case Completed(transcript):
                        return transcript
        raise RecognitionFailed("The transcription ended without a result; try again.")

    async def _after_our_fault(self, error: Exception) -> None:
        log.warning("A try at job %s failed: %r", self._claim.job.id, error, exc_info=error)
        if self._attempts >= self._policy.max_attempts:
            await self._fail(_failure(error, self._claim.job.id))
            return
        delay = self._policy.delay(self._attempts)
        if isinstance(error, Unavailable):
            delay = max(delay, error.retry_after)
        await self._retry(delay)

    async def _checkpoint(
        self,
        windows: tuple[WindowTranscript, ...],
        turns: tuple[Turn, ...] | None,
        progress: Progress | None,
    ) -> None:
        await self._insist(lambda: self._leases.checkpoint(self._claim, windows, turns, progress))
        self._written_at = time.monotonic()

    async def _fail(self, failure: Failure) -> None:
        log.info("Job %s failed: %s", self._claim.job.id, failure.message)
        await self._insist(lambda: self._leases.fail(self._claim, failure))

    async def _retry(self, delay_s: float, *, counts: bool = True) -> None:
        await self._insist(lambda: self._leases.retry(self._claim, delay_s, counts=counts))
        self.again_in_s = delay_s

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write to a store that may be away for a while, for as long as the lease may last."""
        deadline = time.monotonic() + self._policy.lease_s
        while True:
            try:
                return await write()
            except StoreUnavailable:
                if time.monotonic() + self._policy.poll_s >= deadline:
                    raise
                await asyncio.sleep(self._policy.poll_s)


def _failure(error: Exception, job_id: str) -> Failure:
    if isinstance(error, RayscribeError):
        return Failure(error.message, error.status, error.code)
    return Failure(
        f"An unexpected error of the service ({type(error).__name__}); its log has the details "
        f"under the job's id {job_id}.",
        500,
        "internal_error",
    )
