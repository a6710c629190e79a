import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from interchange.errors import Conflict, InvalidOption, NotFound
from interchange.files.blobs import BlobStore
from serve_app.jobs.job import CANCELLED, Failure, JobUsage
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import LeaseLost, Leases
from serve_app.jobs.store.outbox import Outbox
from serve_app.transcription.events import Progress
from tests.support.jobs import WEBHOOK, new_job, transcript, window_transcript


async def test_an_accepted_job_can_be_seen(store: JobStore) -> None:
    new = new_job("my task")
    job, created = await store.submit(new)
    assert created
    assert job.status == "queued"
    assert job.request == new.request
    assert job.webhook == WEBHOOK
    assert await store.get(job.id) == job == await store.task("my task")
    assert await store.live_tasks() == ["my task"]


async def test_what_is_not_there_is_a_404(store: JobStore) -> None:
    for look in (store.get, store.task, store.transcript, store.cancel, store.delete):
        with pytest.raises(NotFound):
            await look("nobody")


async def test_a_repeated_task_is_the_first_one_while_that_lives(
    store: JobStore, leases: Leases
) -> None:
    first, _ = await store.submit(new_job("t"))
    again, created = await store.submit(new_job("t"))
    assert (again, created) == (first, False)
    with pytest.raises(Conflict, match="another content"):
        await store.submit(new_job("t", fingerprint="b" * 64))
    await store.cancel(first.id)
    later, created = await store.submit(new_job("t", fingerprint="b" * 64))
    assert created
    assert (await store.task("t")).id == later.id, "the newest of a name is meant"


async def test_an_idempotency_key_is_one_job_even_after_its_end(store: JobStore) -> None:
    first, _ = await store.submit(new_job(idempotency_key="k"))
    await store.cancel(first.id)
    again, created = await store.submit(new_job(idempotency_key="k"))
    assert (again.id, created) == (first.id, False)
    with pytest.raises(Conflict, match="Idempotency-Key 'k' was used already"):
        await store.submit(new_job(idempotency_key="k", fingerprint="b" * 64))


async def test_the_same_request_many_times_at_once_is_one_job(store: JobStore) -> None:
    answers = await asyncio.gather(*(store.submit(new_job(idempotency_key="k")) for _ in range(10)))
    assert len({job.id for job, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1


async def test_pages_lead_through_all_jobs_once_newest_first(
    store: JobStore, leases: Leases
) -> None:
    ids = [(await store.submit(new_job()))[0].id for _ in range(7)]
    await store.cancel(ids[3])
    seen: list[str] = []
    cursor = None
    while True:
        page = await store.page(limit=3, cursor=cursor)
        seen += [job.id for job in page.jobs]
        if (cursor := page.cursor) is None:
            break
        await store.submit(new_job())  # what comes in between does not shift the pages
    assert seen == ids[::-1]
    cancelled = await store.page(status="cancelled")
    assert [job.id for job in cancelled.jobs] == [ids[3]]
    assert cancelled.cursor is None


@pytest.mark.parametrize("cursor", ["x", "", "é", "W10", "WzEsMl0", "bm90IGpzb24"])
async def test_a_wrong_cursor_is_a_422(store: JobStore, cursor: str) -> None:
    with pytest.raises(InvalidOption, match="next_cursor") as caught:
        await store.page(cursor=cursor)
    assert caught.value.status == 422


async def test_cancel_ends_a_queued_job_at_once(store: JobStore, outbox: Outbox) -> None:
    job, _ = await store.submit(new_job())
    cancelled = await store.cancel(job.id)
    assert cancelled.status == "cancelled"
    assert cancelled.failure == CANCELLED
    assert cancelled.expires_at == pytest.approx(cancelled.ended_at + 1000, abs=1)  # type: ignore[operator]
    assert await store.live_tasks() == []
    assert len(await outbox.of_job(job.id)) == 1
    with pytest.raises(Conflict, match="ended already: it is cancelled"):
        await store.cancel(job.id)


async def test_cancel_takes_a_running_job_from_its_runner(
    store: JobStore, leases: Leases, outbox: Outbox
) -> None:
    await store.submit(new_job())
    claim = await leases.claim("runner")
    assert claim is not None
    await store.cancel(claim.job.id)
    assert await leases.held("runner") == set()
    with pytest.raises(LeaseLost):
        await leases.complete(claim, transcript())
    assert (await store.get(claim.job.id)).status == "cancelled"
    assert len(await outbox.of_job(claim.job.id)) == 1


async def test_the_transcript_of_a_job(store: JobStore, leases: Leases) -> None:
    job, _ = await store.submit(new_job())
    with pytest.raises(Conflict, match="queued and has no transcript"):
        await store.transcript(job.id)
    claim = await leases.claim("runner")
    assert claim is not None
    await leases.complete(claim, transcript())
    assert await store.transcript(job.id) == transcript()
    done = await store.get(job.id)
    assert (done.status, done.language, done.duration) == ("completed", "de", 60.0)
    assert (done.quality, dict(done.stage_seconds)) == (
        transcript().quality,
        dict(transcript().stage_seconds),
    )


async def test_a_failed_job_says_why(store: JobStore, leases: Leases) -> None:
    job, _ = await store.submit(new_job())
    claim = await leases.claim("runner")
    assert claim is not None
    await leases.fail(claim, Failure("This is not audio.", 400, "undecodable_recording"))
    assert (await store.get(job.id)).failure == Failure(
        "This is not audio.", 400, "undecodable_recording"
    )
    with pytest.raises(Conflict, match="This is not audio"):
        await store.transcript(job.id)


async def test_a_large_result_lies_in_the_blob_store_and_goes_with_its_job(
    store: JobStore, database: Database, blobs: BlobStore
) -> None:
    async def recording() -> AsyncIterator[bytes]:
        yield b"RIFF"

    source = await blobs.save(recording(), "a.wav")
    new = new_job()
    job, _ = await store.submit(replace(new, request=replace(new.request, source=source)))
    leases = Leases(database, blobs, lease_s=1000, retention_s=1000, inline_bytes=10)
    claim = await leases.claim("runner")
    assert claim is not None
    await leases.complete(claim, transcript(50))
    assert await store.transcript(job.id) == transcript(50)
    keys = stored(blobs)
    assert len(keys) == 2
    assert await store.knows_blobs([*keys, "another"]) == set(keys)

    await store.delete(job.id)
    assert stored(blobs) == []
    with pytest.raises(NotFound):
        await store.get(job.id)


async def test_a_keys_usage_is_its_own(store: JobStore, leases: Leases) -> None:
    ann, bob = store.seen_by("ann"), store.seen_by("bob")
    for _ in range(2):
        await store.submit(replace(new_job(), key="ann"))
    claim = await leases.claim("runner")
    assert claim is not None
    await leases.checkpoint(claim, [window_transcript(0)], progress=Progress(90, 30, None))
    assert await ann.usage() == JobUsage(waiting=2, seconds=30)
    assert await bob.usage() == JobUsage(waiting=0, seconds=0)
    await store.cancel(claim.job.id)
    assert await ann.usage() == JobUsage(waiting=1, seconds=30)


def stored(blobs: BlobStore) -> list[str]:
    """Keys of what lies in the store."""
    return [path.name for path in Path(blobs._root).glob("?" * 32)]


async def test_a_result_that_came_too_late_leaves_no_blob(
    store: JobStore, database: Database, blobs: BlobStore
) -> None:
    await store.submit(new_job())
    leases = Leases(database, blobs, lease_s=1000, retention_s=1000, inline_bytes=10)
    claim = await leases.claim("runner")
    assert claim is not None
    await store.cancel(claim.job.id)
    with pytest.raises(LeaseLost):
        await leases.complete(claim, transcript())
    assert stored(blobs) == []


async def test_a_live_job_is_not_deleted(store: JobStore) -> None:
    job, _ = await store.submit(new_job())
    with pytest.raises(Conflict, match="cancel it first"):
        await store.delete(job.id)
    assert (await store.get(job.id)).status == "queued"


async def test_jobs_go_when_their_time_is_over_and_their_webhook_settled(
    database: Database, blobs: BlobStore, outbox: Outbox
) -> None:
    store = JobStore(database, blobs, retention_s=0)
    quiet, _ = await store.submit(new_job(webhook=None))
    owing, _ = await store.submit(new_job())
    live, _ = await store.submit(new_job())
    for job in (quiet, owing):
        await store.cancel(job.id)
    assert await store.expire() == 1
    assert {job.id for job in (await store.page()).jobs} == {owing.id, live.id}
    assert len(await outbox.of_job(owing.id)) == 1


async def test_windows_can_be_followed(store: JobStore, leases: Leases) -> None:
    job, _ = await store.submit(new_job())
    claim = await leases.claim("runner")
    assert claim is not None
    for index in (2, 0, 1):
        await leases.checkpoint(claim, [window_transcript(index)])
    assert await store.windows(job.id) == [window_transcript(index) for index in range(3)]
    assert await store.windows(job.id, 1, limit=1) == [window_transcript(1)]
