"""Requests whose client waits, listed beside the jobs so that they can be seen and cancelled.

Their rows belong to the process that serves the client, under a lease: when it dies, they end
with it. The work begins while its row is being written, and the answer leaves before the
result is kept, so that listing costs a client no time.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol, cast

from interchange.errors import Conflict, RayscribeError, ServerError, StoreUnavailable
from interchange.transcript import Transcript
from serve_app.jobs.job import CANCELLED, Claim, Failure, Job, NewJob
from serve_app.jobs.runner.lease_keeper import LeaseKeeper
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import LeaseLost, Leases
from serve_app.transcription.request import TranscriptionRequest

log = logging.getLogger("ray.serve")


class WholeTranscriber(Protocol):
    """`serve_app.transcription.transcriber.Transcriber`, as far as this module uses it."""

    async def run(self, request: TranscriptionRequest) -> Transcript: ...


class AttendedRequests:
    """`poll_s` is how often a repeated request looks whether the first has ended, in seconds.

    `notify` is called when a webhook is owed.
    """

    def __init__(
        self,
        store: JobStore,
        leases: Leases,
        keeper: LeaseKeeper,
        transcriber: WholeTranscriber,
        owner: str,
        *,
        poll_s: float,
        notify: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._leases = leases
        self._keeper = keeper
        self._transcriber = transcriber
        self._owner = owner
        self._poll_s = poll_s
        self._notify = notify
        self._background: set[asyncio.Task[None]] = set()

    async def run(self, new: NewJob) -> Transcript:
        """The transcript. Cancelling the call stops the work.

        Raises Conflict for a task that another client cancelled, or whose id a live task with
        another content has, and the errors of the graph. Where the store is away the request
        is served all the same, unless a webhook depends on it: that raises StoreUnavailable.
        """
        entering = asyncio.create_task(self._leases.attend(new, self._owner))
        work = asyncio.create_task(self._transcriber.run(new.request))
        try:
            try:
                claim = await asyncio.shield(entering)
            except StoreUnavailable:
                if new.webhook is not None:
                    raise
                log.warning("Job %s is served without being listed.", new.request.id)
                return await work
            except Conflict:
                work.cancel()
                return await self._repeated(new)
            except asyncio.CancelledError:
                # The row may be written by now, or not yet.
                self._in_background(new, self._leave(entering))
                raise
            return await self._finish(new, claim, work)
        finally:
            if not work.done():
                work.cancel()

    async def close(self) -> None:
        """Wait until what was answered is kept."""
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _finish(
        self, new: NewJob, claim: Claim, work: asyncio.Task[Transcript]
    ) -> Transcript:
        task = cast(asyncio.Task[object], work)
        with self._keeper.keep(claim, task):
            try:
                transcript = await asyncio.shield(work)
            except RayscribeError as error:
                failure = Failure(error.message, error.status, error.code)
                self._in_background(new, self._leases.fail(claim, failure))
                raise
            except asyncio.CancelledError:
                if self._keeper.lost(task):
                    raise _error_of(CANCELLED) from None
                work.cancel()
                self._in_background(new, self._leases.abandon(claim))
                raise
            except Exception as error:
                failure = Failure(f"A fault of the service: {error!r}", 500, "internal_error")
                self._in_background(new, self._leases.fail(claim, failure))
                raise
        self._in_background(new, self._leases.complete(claim, transcript))
        return transcript

    async def _leave(self, entering: asyncio.Task[Claim]) -> None:
        """The client went away before its row was known to be written."""
        await self._leases.abandon(await entering)

    async def _repeated(self, new: NewJob) -> Transcript:
        """A live task has this id: answer its result, if it is the same request."""
        job = await self._store.seen_by(new.key).task(new.task_id)
        if job.fingerprint != new.fingerprint:
            raise Conflict(
                f"A task {new.task_id!r} is running already, for a request with another content; "
                "choose another managed_task_id."
            )
        return await self._result(job)

    async def _result(self, job: Job) -> Transcript:
        while not job.ended:
            await asyncio.sleep(self._poll_s)
            job = await self._store.get(job.id)
        if job.failure is not None:
            raise _error_of(job.failure)
        return await self._store.transcript(job.id)

    def _in_background(self, new: NewJob, write: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._end(new, write))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _end(self, new: NewJob, write: Coroutine[Any, Any, None]) -> None:
        try:
            await write
        except LeaseLost:
            log.info("A task had been cancelled already.")
        except RayscribeError as error:
            log.warning("The end of a task could not be kept: %s", error)
        else:
            if new.webhook is not None:
                self._notify()


def _error_of(failure: Failure) -> RayscribeError:
    """The error that a request failed with, for those who repeated it."""
    for kind in _descendants(RayscribeError):
        if (kind.code, kind.status) == (failure.code, failure.status):
            return kind(failure.message)
    return ServerError(failure.message)


def _descendants(kind: type[RayscribeError]) -> Iterator[type[RayscribeError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)
