import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from interchange.errors import (
    Cancelled,
    Conflict,
    RayscribeError,
    StoreUnavailable,
    UndecodableRecording,
)
from serve_app.jobs.attended import AttendedRequests
from serve_app.jobs.delivery import WebhookTarget
from serve_app.jobs.job import Claim, NewJob
from serve_app.jobs.runner.lease_keeper import LeaseKeeper
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases
from serve_app.jobs.store.outbox import Outbox
from tests.fakes.stages import FakeRecognizer, graph
from tests.support.jobs import new_job, until


@asynccontextmanager
async def serving(
    store: JobStore,
    leases: Leases,
    recognizer: FakeRecognizer,
    error: Exception | None = None,
    notify: Callable[[], None] = lambda: None,
) -> AsyncIterator[AttendedRequests]:
    keeper = LeaseKeeper(leases, "ingress", poll_s=0.01, lease_s=1000)
    keeping = asyncio.create_task(keeper.run())
    transcriber = graph(recognizer, error=error)
    subject = AttendedRequests(
        store, leases, keeper, transcriber, "ingress", poll_s=0.01, notify=notify
    )
    try:
        yield subject
    finally:
        await subject.close()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def listed(store: JobStore, task_id: str) -> None:
    while task_id not in await store.live_tasks():
        await asyncio.sleep(0.005)


async def test_a_request_is_listed_while_it_runs_and_kept_after(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    async with serving(store, leases, recognizer) as attended:
        answer = asyncio.create_task(attended.run(new_job("t")))
        await listed(store, "t")
        assert recognizer.gate is not None
        recognizer.gate.set()
        transcript = await answer
    job = await store.task("t")
    assert job.status == "completed"
    assert (await store.transcript(job.id)).segments == transcript.segments
    assert len(await outbox.of_job(job.id)) == 1


@pytest.mark.parametrize("owed", [True, False])
async def test_its_webhook_is_made_known_at_once(
    store: JobStore, leases: Leases, *, owed: bool
) -> None:
    known: list[str] = []
    new = new_job("t", webhook=WebhookTarget("http://receiver.example/") if owed else None)
    async with serving(
        store, leases, FakeRecognizer(), notify=lambda: known.append("a webhook")
    ) as attended:
        await attended.run(new)
    assert known == ["a webhook"] * owed


async def test_a_client_that_goes_away_as_its_row_is_written_leaves_none_running(
    store: JobStore, leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    attend = leases.attend

    async def leaving(new: NewJob, owner: str) -> Claim:
        claim = await attend(new, owner)
        answer.cancel()
        return claim

    monkeypatch.setattr(leases, "attend", leaving)
    async with serving(store, leases, FakeRecognizer(gate=asyncio.Event())) as attended:
        answer = asyncio.create_task(attended.run(new_job("t")))
        with pytest.raises(asyncio.CancelledError):
            await answer
    assert (await store.task("t")).status == "cancelled"


async def test_another_client_can_cancel_it(store: JobStore, leases: Leases) -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    async with serving(store, leases, recognizer) as attended:
        answer = asyncio.create_task(attended.run(new_job("t")))
        await listed(store, "t")
        await until(lambda: recognizer.running == 3)
        await store.cancel((await store.task("t")).id)
        with pytest.raises(Cancelled, match="Task Cancelled"):
            await answer
        assert recognizer.cancelled == 3


@pytest.mark.parametrize("when", ["before it is listed", "while it runs"])
async def test_a_client_that_goes_away_stops_the_work(
    store: JobStore, leases: Leases, when: str
) -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    async with serving(store, leases, recognizer) as attended:
        answer = asyncio.create_task(attended.run(new_job("t")))
        if when == "while it runs":
            await listed(store, "t")
            await until(lambda: recognizer.running == 3)
        else:
            await asyncio.sleep(0)
        answer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await answer
        await until(lambda: recognizer.running == 0)
    if when == "while it runs":
        assert (await store.task("t")).status == "cancelled"
    assert await store.live_tasks() == []


async def test_a_failure_is_kept_and_raised(store: JobStore, leases: Leases) -> None:
    error = UndecodableRecording("This is not audio.")
    async with serving(store, leases, FakeRecognizer(), error) as attended:
        with pytest.raises(UndecodableRecording):
            await attended.run(new_job("t"))
    job = await store.task("t")
    assert job.status == "failed"
    assert job.failure is not None
    assert job.failure.message == "This is not audio."


async def test_a_repeated_request_gets_the_answer_of_the_first(
    store: JobStore, leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    attend, refused = leases.attend, list[str]()

    async def attended_or_noted(new: NewJob, owner: str) -> Claim:
        try:
            return await attend(new, owner)
        except Conflict:
            refused.append(new.fingerprint)
            raise

    monkeypatch.setattr(leases, "attend", attended_or_noted)
    async with serving(store, leases, recognizer) as attended:
        first = asyncio.create_task(attended.run(new_job("t")))
        await listed(store, "t")
        second = asyncio.create_task(attended.run(new_job("t")))
        with pytest.raises(Conflict, match="another content"):
            await attended.run(new_job("t", fingerprint="b" * 64))
        # Both came while the first ran: afterwards they would be requests of their own.
        await until(lambda: len(refused) == 2)
        assert recognizer.gate is not None
        recognizer.gate.set()
        assert (await first).segments == (await second).segments
    assert len((await store.page()).jobs) == 1


async def test_a_repeated_request_fails_as_the_first(store: JobStore, leases: Leases) -> None:
    recognizer = FakeRecognizer(gate=asyncio.Event())
    async with serving(store, leases, recognizer) as attended:
        first = asyncio.create_task(attended.run(new_job("t")))
        await listed(store, "t")
        second = asyncio.create_task(attended.run(new_job("t")))
        await asyncio.sleep(0.05)
        await store.cancel((await store.task("t")).id)
        errors = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(error) for error in errors] == [Cancelled, Cancelled]
    assert all(isinstance(error, RayscribeError) and error.status == 409 for error in errors)


class Unreachable:
    async def attend(self, *_: object) -> None:
        raise StoreUnavailable("Away.")


async def test_without_a_store_a_request_is_served_unless_a_webhook_depends_on_it(
    store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    recognizer = FakeRecognizer()
    caplog.set_level(logging.WARNING)
    async with serving(store, Unreachable(), recognizer) as attended:  # type: ignore[arg-type]
        transcript = await attended.run(new_job("t", webhook=None))
        with pytest.raises(StoreUnavailable):
            await attended.run(new_job("t"))
    assert transcript.text == " window 0 window 1 window 2"
