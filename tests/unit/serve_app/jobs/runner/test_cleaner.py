import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from interchange.blobs import BlobStore
from serve_app.jobs.runner.cleaner import Cleaner
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases
from tests.support.jobs import new_job


async def upload() -> AsyncIterator[bytes]:
    yield b"RIFF"


async def test_what_belongs_to_no_job_goes_after_a_day(
    store: JobStore, leases: Leases, blobs: BlobStore, tmp_path: Path
) -> None:
    folder = tmp_path / "blobs"
    new = new_job()
    kept = await blobs.save(upload(), "kept.wav")
    await store.submit(replace(new, request=replace(new.request, source=kept)))
    left = await blobs.save(upload(), "left.wav")
    (folder / "README").write_text("of the operator")
    for path in folder.iterdir():
        os.utime(path, (0, time.time() - 25 * 3600))
    young = await blobs.save(upload(), "young.wav")

    await Cleaner(store, leases, blobs).sweep()
    assert {path.name for path in folder.iterdir()} == {kept.path, young.path, "README"}
    assert left.path not in {path.name for path in folder.iterdir()}


async def test_all_jobs_past_their_time_go(database: Database, blobs: BlobStore) -> None:
    store = JobStore(database, blobs, retention_s=0)
    leases = Leases(database, blobs, lease_s=1000, retention_s=0, inline_bytes=0)
    for _ in range(3):
        job, _ = await store.submit(new_job(webhook=None))
        await store.cancel(job.id)
    await Cleaner(store, leases, blobs).sweep()
    assert (await store.page()).jobs == ()
