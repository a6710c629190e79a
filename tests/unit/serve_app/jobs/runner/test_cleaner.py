import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from interchange import measures
from interchange.files.blobs import BlobStore
from serve_app.jobs.runner.cleaner import Cleaner
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases
from tests.support.figures import Figures
from tests.support.jobs import new_job


async def upload() -> AsyncIterator[bytes]:
    yield b"RIFF"


async def test_what_belongs_to_no_job_and_no_process_goes_within_a_minute(
    store: JobStore, leases: Leases, blobs: BlobStore, tmp_path: Path
) -> None:
    folder = tmp_path / "blobs"
    new = new_job()
    kept = await blobs.save(upload(), "kept.wav")
    await store.submit(replace(new, request=replace(new.request, source=kept)))
    left = await blobs.save(upload(), "left.wav")
    (folder / "README").write_text("of the operator")
    for source in (kept, left):
        blobs.hand_over(source)  # as when the process that kept it is gone
    for path in folder.iterdir():
        os.utime(path, (0, time.time() - 50))
    young = await blobs.save(upload(), "young.wav")

    await Cleaner(store, leases, blobs).tidy()
    names = {path.name for path in folder.iterdir()} - {".clock"}
    assert names == {kept.path, young.path, "README"}


async def test_an_upload_is_kept_as_long_as_its_process_wants_it(
    store: JobStore,
    leases: Leases,
    blobs: BlobStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("interchange.files.blobs._TOUCHED_S", 0.01)
    old = await blobs.save(upload(), "old.wav")
    path = tmp_path / "blobs" / old.path
    os.utime(path, (0, time.time() - 1000))
    while path.stat().st_mtime < time.time() - 500:
        await asyncio.sleep(0.01)
    await Cleaner(store, leases, blobs).tidy()
    assert path.exists()
    await blobs.delete(old)
    assert not path.exists()


async def test_all_jobs_past_their_time_go(database: Database, blobs: BlobStore) -> None:
    store = JobStore(database, blobs, retention_s=0)
    leases = Leases(database, blobs, lease_s=1000, retention_s=0, inline_bytes=0)
    for _ in range(3):
        job, _ = await store.submit(new_job(webhook=None))
        await store.cancel(job.id)
    await Cleaner(store, leases, blobs).expire()
    assert (await store.page()).jobs == ()


async def test_jobs_are_counted_by_state(store: JobStore, leases: Leases, blobs: BlobStore) -> None:
    await store.submit(new_job())
    with measures.heard_by(Figures()) as figures:
        await Cleaner(store, leases, blobs).count()
    assert figures.of(measures.JOBS, state="queued") == [1]
    assert figures.of(measures.JOBS, state="failed") == [0]
