"""One try at one job: from its claim to its transcript, its failure, or another try."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from interchange.errors import (
    ClientError,
    QueueFull,
    RayscribeError,
    RecognitionFailed,
    StoreUnavailable,
    Unavailable,
)
from interchange.transcript import Transcript, WindowTranscript
from serve_app.jobs.job import Claim, Failure
from serve_app.jobs.store.leases import LeaseLost, Leases
from serve_app.transcription.events import (
    FinishedStretch,
    Progress,
    StretchDone,
    TranscriptReady,
    WindowDone,
)
from serve_app.transcription.transcriber import ResumableTranscriber

log = logging.getLogger("ray.serve")

_LONGEST_DELAY_S = 300.0
_PROGRESS_S = 1.0
"""Progress between two windows is written this often, not at each event."""


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


class JobTry:
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
                            await self._checkpoint(progress)
                    case WindowDone(window):
                        self._attempts = 0
                        await self._checkpoint(progress, windows=(window,))
                    case StretchDone(stretch):
                        self._attempts = 0
                        await self._checkpoint(progress, stretches=(stretch,))
                    case TranscriptReady(transcript):
                        return transcript
        raise RecognitionFailed("The transcription ended without a result; try again.")

    async def _after_our_fault(self, error: Exception) -> None:
        # The sentences of our own errors name recordings; those of others are faults to be found.
        if isinstance(error, RayscribeError):
            log.warning("A try at job %s failed: %s", self._claim.job.id, error.code)
        else:
            log.warning("A try at job %s failed.", self._claim.job.id, exc_info=error)
        if self._attempts >= self._policy.max_attempts:
            await self._fail(_failure(error, self._claim.job.id))
            return
        delay = self._policy.delay(self._attempts)
        if isinstance(error, Unavailable):
            delay = max(delay, error.retry_after)
        await self._retry(delay)

    async def _checkpoint(
        self,
        progress: Progress | None,
        windows: tuple[WindowTranscript, ...] = (),
        stretches: tuple[FinishedStretch, ...] = (),
    ) -> None:
        await self._insist(
            lambda: self._leases.checkpoint(self._claim, windows, stretches, progress)
        )
        self._written_at = time.monotonic()

    async def _fail(self, failure: Failure) -> None:
        log.info("Job %s failed: %s", self._claim.job.id, failure.code)
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
