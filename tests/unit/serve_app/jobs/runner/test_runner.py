import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from interchange.errors import (
    QueueFull,
    RecognitionFailed,
    StoreUnavailable,
    UndecodableRecording,
)
from interchange.stages import RecognitionOptions, Window
from interchange.transcript import Transcript, Turn, WindowTranscript
from serve_app.jobs.job import Claim
from serve_app.jobs.runner.job_try import RetryPolicy
from serve_app.jobs.runner.lease_keeper import LeaseKeeper
from serve_app.jobs.runner.runner import Runner
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases
from serve_app.jobs.store.outbox import Outbox
from serve_app.transcription.events import Event, Resume
from serve_app.transcription.request import TranscriptionRequest
from serve_app.transcription.transcriber import Transcriber
from tests.fakes.stages import FakeRecognizer, graph, words_of
from tests.support.jobs import ended, new_job, until

POLICY = RetryPolicy(max_attempts=3, delay_s=0.001, poll_s=0.01, lease_s=1000)


class Scripted:
    """A transcriber whose tries end by these errors, one after the other; then it works."""

    def __init__(self, *errors: Exception, behind: Transcriber | None = None) -> None:
        self.errors = list(errors)
        self.behind = behind or graph()
        self.tries = 0

    async def transcribe(
        self, request: TranscriptionRequest, resume: Resume | None = None
    ) -> AsyncGenerator[Event, None]:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        async for event in self.behind.transcribe(request, resume):
            yield event


@asynccontextmanager
async def running(
    leases: Leases,
    transcriber: Transcriber | Scripted,
    owner: str = "runner",
    concurrency: int = 2,
    policy: RetryPolicy = POLICY,
    on_end: Callable[[], None] = lambda: None,
) -> AsyncIterator[LeaseKeeper]:
    keeper = LeaseKeeper(leases, owner, poll_s=0.01, lease_s=1000)
    runner = Runner(
        leases, transcriber, keeper, owner, concurrency=concurrency, policy=policy, on_end=on_end
    )
    tasks = [asyncio.create_task(runner.run()), asyncio.create_task(keeper.run())]
    try:
        yield keeper
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_job_becomes_a_transcript(store: JobStore, leases: Leases, outbox: Outbox) -> None:
    recognizer = FakeRecognizer()
    job, _ = await store.submit(new_job())
    async with running(leases, graph(recognizer)):
        done = await ended(store, job.id)
    assert done.status == "completed"
    assert done.windows == 3
    transcript = await store.transcript(job.id)
    assert transcript.text == " window 0 window 1 window 2"
    assert transcript.turns == (Turn(0, 30.0, "SPEAKER_00"),)
    assert {options.priority for _, options in recognizer.calls} == {"bulk"}
    assert len(await outbox.of_job(job.id)) == 1


async def test_no_more_jobs_at_once_than_its_room(store: JobStore, leases: Leases) -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    jobs = [(await store.submit(new_job()))[0] for _ in range(4)]
    async with running(leases, graph(recognizer, windows=1), concurrency=2):
        await until(lambda: recognizer.running == 2)
        await asyncio.sleep(0.05)
        assert recognizer.running == 2
        assert recognizer.gate is not None
        recognizer.gate.set()
        assert {(await ended(store, job.id)).status for job in jobs} == {"completed"}


async def test_a_fault_of_the_input_fails_at_once_with_its_sentence(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    job, _ = await store.submit(new_job())
    transcriber = Scripted(UndecodableRecording("This is not audio."))
    async with running(leases, transcriber):
        done = await ended(store, job.id)
    assert transcriber.tries == 1
    assert done.status == "failed"
    assert done.failure is not None
    assert (done.failure.message, done.failure.status) == ("This is not audio.", 400)
    assert len(await outbox.of_job(job.id)) == 1


@pytest.mark.parametrize("error", [RecognitionFailed("No."), KeyError("a bug")])
async def test_a_fault_of_ours_is_tried_again(
    store: JobStore, leases: Leases, error: Exception
) -> None:
    job, _ = await store.submit(new_job())
    transcriber = Scripted(error, error)
    async with running(leases, transcriber):
        done = await ended(store, job.id)
    assert transcriber.tries == 3
    assert done.status == "completed"


async def test_a_try_that_is_due_is_not_left_to_the_next_look(
    store: JobStore, leases: Leases
) -> None:
    job, _ = await store.submit(new_job())
    seldom = replace(POLICY, poll_s=10**6)
    async with running(leases, Scripted(RecognitionFailed("No.")), policy=seldom):
        assert (await ended(store, job.id)).status == "completed"


@pytest.mark.parametrize("error", [None, UndecodableRecording("This is not audio.")])
async def test_the_end_of_a_job_is_made_known_at_once(
    store: JobStore, leases: Leases, error: Exception | None
) -> None:
    await store.submit(new_job())
    known = asyncio.Event()
    errors = [error] if error else []
    async with running(leases, Scripted(*errors), on_end=known.set):
        await known.wait()


async def test_an_end_is_made_known_whose_lease_looks_lost(
    store: JobStore, leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.submit(new_job())
    complete = leases.complete

    async def stored(claim: Claim, transcript: Transcript) -> None:
        await complete(claim, transcript)
        await asyncio.Event().wait()  # until the lease, which is no more, is looked for

    monkeypatch.setattr(leases, "complete", stored)
    known = asyncio.Event()
    async with running(leases, Scripted(), on_end=known.set):
        await known.wait()


async def test_tries_without_progress_have_a_limit(store: JobStore, leases: Leases) -> None:
    job, _ = await store.submit(new_job())
    transcriber = Scripted(*[RecognitionFailed("The device is gone.")] * 9)
    async with running(leases, transcriber):
        done = await ended(store, job.id)
    assert transcriber.tries == 3
    assert done.status == "failed"
    assert done.failure is not None
    assert (done.failure.message, done.failure.status) == ("The device is gone.", 500)


async def test_a_bug_is_reported_without_its_inside(store: JobStore, leases: Leases) -> None:
    job, _ = await store.submit(new_job())
    async with running(leases, Scripted(*[KeyError("secret")] * 9)):
        done = await ended(store, job.id)
    assert done.failure is not None
    assert "secret" not in done.failure.message
    assert job.id in done.failure.message


async def test_a_full_queue_is_waited_for_without_end(store: JobStore, leases: Leases) -> None:
    job, _ = await store.submit(new_job())
    transcriber = Scripted(*[QueueFull("Full.", 0)] * 9)
    async with running(leases, transcriber):
        done = await ended(store, job.id)
    assert done.status == "completed"
    assert transcriber.tries == 10


async def test_a_recording_over_which_runners_die_is_given_up(
    store: JobStore, leases: Leases, short_leases: Leases
) -> None:
    job, _ = await store.submit(new_job())
    for _ in range(3):
        await short_leases.claim("dying")
    transcriber = Scripted()
    async with running(leases, transcriber):
        done = await ended(store, job.id)
    assert done.status == "failed"
    assert transcriber.tries == 0
    assert done.failure is not None
    assert "stopped 3 times" in done.failure.message


async def test_no_finished_window_is_computed_twice(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    """Also those that finish before an earlier one: the whole reason to checkpoint them."""
    first_gate = asyncio.Event()

    class FirstIsSlow(FakeRecognizer):
        async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
            if window.index == 0:
                self.calls.append((window, options))
                await first_gate.wait()
                return words_of(window, options)
            return await super().recognize(window, options)

    recognizer = FirstIsSlow()
    job, _ = await store.submit(new_job())
    async with running(leases, graph(recognizer)):
        while len(await store.windows(job.id)) < 2:
            await asyncio.sleep(0.01)
    assert (await store.get(job.id)).status == "queued", "a runner that stops hands back"
    first_gate.set()
    async with running(leases, graph(recognizer), owner="next"):
        done = await ended(store, job.id)
    computed = [window.index for window, _ in recognizer.calls]
    assert sorted(computed) == [0, 0, 1, 2], "only the unfinished one is computed again"
    assert done.windows == 3
    undisturbed = await graph().run(done.request)
    transcript = await store.transcript(job.id)
    assert transcript.segments == undisturbed.segments
    assert transcript.turns == undisturbed.turns
    assert transcript.quality == undisturbed.quality


async def test_cancel_stops_the_work(store: JobStore, leases: Leases) -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    transcriber = graph(recognizer)
    job, _ = await store.submit(new_job())
    async with running(leases, transcriber):
        await until(lambda: recognizer.running == 3)
        await store.cancel(job.id)
        await until(lambda: recognizer.running == 0)
        assert recognizer.cancelled == 3
        other, _ = await store.submit(new_job())
        assert recognizer.gate is not None
        recognizer.gate.set()
        assert (await ended(store, other.id)).status == "completed", "the runner goes on"
    assert (await store.get(job.id)).status == "cancelled"


async def test_of_two_runners_only_the_holder_of_the_lease_finishes(
    store: JobStore, leases: Leases, short_leases: Leases, outbox: Outbox
) -> None:
    """The first runner is stuck past its lease and wakes up after another has finished."""
    slow, fast = FakeRecognizer(gate=asyncio.Event()), FakeRecognizer()
    job, _ = await store.submit(new_job())
    stuck = LeaseKeeper(short_leases, "stuck", poll_s=1000, lease_s=3000)
    runner = Runner(short_leases, graph(slow), stuck, "stuck", concurrency=1, policy=POLICY)
    first = asyncio.create_task(runner.run())
    await until(lambda: slow.running == 3)
    async with running(leases, graph(fast), owner="other"):
        done = await ended(store, job.id)
        assert slow.gate is not None
        slow.gate.set()
        await until(lambda: slow.running == 0)
        await asyncio.sleep(0.1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await store.get(job.id) == done
    assert done.windows == 3
    assert len(await outbox.of_job(job.id)) == 1


class Away:
    """Leases whose store is away for the next `times` writes."""

    def __init__(self, leases: Leases, times: int) -> None:
        self.leases = leases
        self.times = times

    def __getattr__(self, name: str) -> object:
        call = getattr(self.leases, name)

        async def perhaps(*args: object, **kwargs: object) -> object:
            if self.times > 0 and name != "hand_back":
                self.times -= 1
                raise StoreUnavailable("Away.")
            return await call(*args, **kwargs)

        return perhaps


async def test_a_store_that_is_away_for_a_while_costs_no_job(
    store: JobStore, leases: Leases
) -> None:
    job, _ = await store.submit(new_job())
    away = Away(leases, 3)
    async with running(away, graph()):  # type: ignore[arg-type]
        assert (await ended(store, job.id)).status == "completed"
        away.times = 3
        second, _ = await store.submit(new_job())
        assert (await ended(store, second.id)).status == "completed"


def test_the_wait_between_tries_doubles_to_a_limit() -> None:
    policy = RetryPolicy(max_attempts=8, delay_s=2, poll_s=1, lease_s=30)
    assert 2 <= policy.delay(1) <= 2.5
    assert 16 <= policy.delay(4) <= 20
    assert 300 <= policy.delay(50) <= 375
