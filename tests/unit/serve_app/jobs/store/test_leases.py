import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from interchange.errors import Conflict
from serve_app.jobs.job import CANCELLED, Claim, Failure
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import LeaseLost, Leases
from serve_app.jobs.store.outbox import Outbox
from serve_app.jobs.store.tables import stretches
from serve_app.transcription.events import FinishedStretch, Progress
from tests.support.jobs import new_job, transcript, window_transcript


async def claimed(leases: Leases, owner: str = "runner") -> Claim:
    claim = await leases.claim(owner)
    assert claim is not None
    return claim


async def test_the_job_that_waits_longest_is_claimed_first_and_by_one_alone(
    store: JobStore, leases: Leases
) -> None:
    first, _ = await store.submit(new_job())
    second, _ = await store.submit(new_job())
    assert (await claimed(leases)).job.id == first.id
    assert (await claimed(leases, "other")).job.id == second.id
    assert await leases.claim("third") is None


async def test_claims_at_the_same_time_never_share_a_job(store: JobStore, leases: Leases) -> None:
    for _ in range(8):
        await store.submit(new_job())
    claims = await asyncio.gather(*(leases.claim(f"runner {n}") for n in range(12)))
    ids = [claim.job.id for claim in claims if claim is not None]
    assert len(ids) == len(set(ids)) == 8


async def test_a_claimed_job_is_running(store: JobStore, leases: Leases) -> None:
    await store.submit(new_job())
    claim = await claimed(leases)
    job = await store.get(claim.job.id)
    assert (job.status, job.attempts, job.fence) == ("running", 1, 1)
    assert job.started_at is not None
    assert await leases.held("runner") == {(job.id, 1)}


async def test_what_was_checkpointed_comes_back_with_the_next_claim(
    store: JobStore, leases: Leases, short_leases: Leases
) -> None:
    await store.submit(new_job())
    first = await claimed(leases)
    analysed = [FinishedStretch(1, "f1", b"\x00a"), FinishedStretch(0, "f0", b"")]
    await leases.checkpoint(first, [window_transcript(0)], progress=Progress(90, 30, None))
    await leases.checkpoint(first, [window_transcript(2)], analysed, Progress(120, 60, 150))
    job = await store.get(first.job.id)
    assert (job.windows, job.loaded, job.recognized, job.duration) == (2, 120, 60, 150)
    assert job.attempts == 0, "progress takes the job away from its limit of tries"

    await short_leases.renew("runner")
    second = await claimed(leases, "other")
    assert second.job.id == first.job.id
    assert second.job.fence == first.job.fence + 1
    assert second.resume.windows == {0: window_transcript(0), 2: window_transcript(2)}
    assert second.resume.stretches == {each.number: each for each in analysed}


async def test_voices_are_kept_until_a_job_ends(
    store: JobStore, leases: Leases, database: Database
) -> None:
    async def kept() -> int:
        return len(await database.read(lambda c: c.execute(sa.select(stretches)).all()))

    stretch = FinishedStretch(0, "f0", b"voices")
    ends: list[Callable[[Claim], Awaitable[object]]] = [
        lambda claim: leases.complete(claim, transcript()),
        lambda claim: leases.fail(claim, Failure("No.", 500, "internal_error")),
        lambda claim: store.cancel(claim.job.id),
    ]
    for end in ends:
        await store.submit(new_job())
        claim = await claimed(leases)
        await leases.checkpoint(claim, analysed=[stretch])
        await leases.checkpoint(claim, analysed=[replace(stretch, fingerprint="f1")])
        await leases.retry(claim, 0)
        claim = await claimed(leases)
        assert claim.resume.stretches == {0: replace(stretch, fingerprint="f1")}
        assert await kept() == 1
        await end(claim)
        assert await kept() == 0


async def test_a_runner_past_its_lease_can_change_nothing(
    store: JobStore, leases: Leases, short_leases: Leases, outbox: Outbox
) -> None:
    await store.submit(new_job())
    stale = await claimed(short_leases)
    fresh = await claimed(leases, "other")
    failure = Failure("No.", 500, "internal_error")
    for write in (
        leases.checkpoint(stale, [window_transcript(0)]),
        leases.complete(stale, transcript()),
        leases.fail(stale, failure),
        leases.retry(stale, 0),
        leases.abandon(stale),
    ):
        with pytest.raises(LeaseLost):
            await write
    await leases.renew("runner")
    await leases.hand_back("runner")
    assert await leases.held("other") == {(fresh.job.id, fresh.job.fence)}
    assert await store.windows(fresh.job.id) == []
    await leases.complete(fresh, transcript())
    with pytest.raises(LeaseLost):
        await leases.complete(fresh, transcript())
    assert len(await outbox.of_job(fresh.job.id)) == 1, "one end, one webhook"


async def test_a_heartbeat_keeps_a_job(
    store: JobStore, leases: Leases, short_leases: Leases
) -> None:
    await store.submit(new_job())
    await claimed(short_leases)
    await leases.renew("runner")
    assert await leases.claim("other") is None


async def test_a_job_given_back_is_taken_again_when_its_time_has_come(
    store: JobStore, leases: Leases
) -> None:
    await store.submit(new_job())
    await leases.retry(await claimed(leases), 0)
    again = await claimed(leases)
    assert again.job.attempts == 2
    await leases.retry(again, 0, counts=False)
    assert (await store.get(again.job.id)).attempts == 1
    await leases.retry(await claimed(leases), 1000)
    assert await leases.claim("runner") is None
    assert (await store.get(again.job.id)).status == "queued"


async def test_a_runner_that_stops_hands_all_its_jobs_back(store: JobStore, leases: Leases) -> None:
    for _ in range(2):
        await store.submit(new_job())
    stopping = {(await claimed(leases)).job.id for _ in range(2)}
    await leases.hand_back("runner")
    again = [await claimed(leases, "other") for _ in range(2)]
    assert {claim.job.id for claim in again} == stopping
    assert {claim.job.attempts for claim in again} == {1}, "to be handed back is no failed try"


async def test_an_attended_job_is_listed_but_no_runner_takes_it(
    store: JobStore, leases: Leases, short_leases: Leases
) -> None:
    await short_leases.attend(new_job("over"), "ingress")
    claim = await leases.attend(new_job("now"), "ingress")
    assert await store.live_tasks() == ["now"], "the process of the other one fell silent"
    assert await leases.claim("runner") is None
    with pytest.raises(Conflict, match="running already"):
        await leases.attend(new_job("now"), "another ingress")
    await leases.complete(claim, transcript())
    assert (await store.task("now")).status == "completed"
    assert await store.live_tasks() == []


async def test_an_attended_job_ends_with_its_process(
    store: JobStore, leases: Leases, short_leases: Leases, outbox: Outbox
) -> None:
    ghost = await short_leases.attend(new_job("ghost"), "ingress")
    alive = await leases.attend(new_job("alive"), "ingress")
    await store.submit(new_job("queued"))
    assert await leases.reap() == 1
    job = await store.get(ghost.job.id)
    assert job.status == "failed"
    assert job.failure is not None
    assert job.failure.message.startswith("The service stopped")
    assert len(await outbox.of_job(ghost.job.id)) == 1
    assert (await store.get(alive.job.id)).status == "running"
    assert await leases.reap() == 0


async def test_a_client_that_went_away_cancels(store: JobStore, leases: Leases) -> None:
    claim = await leases.attend(new_job(), "ingress")
    await leases.abandon(claim)
    assert (await store.get(claim.job.id)).failure == CANCELLED


async def test_a_changed_recording_replaces_its_windows(store: JobStore, leases: Leases) -> None:
    await store.submit(new_job())
    claim = await claimed(leases)
    await leases.checkpoint(claim, [window_transcript(0)])
    await leases.checkpoint(claim, [window_transcript(0), window_transcript(1)])
    assert len(await store.windows(claim.job.id)) == 2
    assert (await store.get(claim.job.id)).windows == 3, "what was computed is counted"
