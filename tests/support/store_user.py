"""A process that asks the job store everything at once: `store_user.py`, URL, FOLDER and SEED.

It prints what it was told as JSON: pairs of a job's id and what became of it.
"""

import asyncio
import json
import random
import sys
from typing import Any

from interchange.files.blobs import BlobStore
from serve_app.jobs.job import Failure
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.job_store import JobStore
from serve_app.jobs.store.leases import Leases
from serve_app.jobs.store.outbox import Outbox
from serve_app.transcription.events import FinishedStretch, Progress
from tests.support.jobs import new_job, transcript, window_transcript

_POSTS, _WORKERS, _JOBS, _WINDOWS = 30, 8, 3, 4


async def use(url: str, folder: str, seed: int) -> list[tuple[str, dict[str, Any]]]:
    database, blobs, chance = (
        Database(url),
        BlobStore(f"file://{folder}/blobs"),
        random.Random(seed),
    )
    store = JobStore(database, blobs, retention_s=1000)
    leases = Leases(database, blobs, lease_s=1000, retention_s=1000, inline_bytes=1000)
    outbox = Outbox(database)
    told: list[tuple[str, dict[str, Any]]] = []

    async def post() -> None:
        job, created = await store.submit(new_job())
        assert created
        told.append((job.id, {}))

    async def post_and_cancel() -> None:
        # What its client waits for is nobody else's to end.
        claim = await leases.attend(new_job(), f"client {seed}")
        await store.cancel(claim.job.id)
        told.append((claim.job.id, {"ended": True}))

    async def work() -> None:
        for _ in range(_JOBS):
            if (claim := await leases.claim(f"runner {seed}")) is None:
                continue
            name, first = claim.job.id, len(claim.resume.windows)
            for number in range(first, first + _WINDOWS):
                progress = Progress(60.0 * number, 30.0 * number, None)
                stretch = [FinishedStretch(number, "f", chance.randbytes(5000))]
                await leases.checkpoint(claim, progress=progress)
                await leases.checkpoint(claim, [window_transcript(number)], stretch, progress)
                told.append((name, {"windows": [number]}))
            end = chance.choice(("complete", "fail", "retry", "leave"))
            if end == "complete":
                await leases.complete(claim, transcript(chance.choice((2, 30))))
            elif end == "fail":
                await leases.fail(claim, Failure("No.", 500, "internal_error"))
            elif end == "retry":
                await leases.retry(claim, 0)
            if end in {"complete", "fail"}:
                told.append((name, {"ended": True}))

    async def look() -> None:
        for _ in range(5):
            await asyncio.gather(store.count(), store.usage(), store.page(limit=20))
            await asyncio.gather(leases.held(f"runner {seed}"), leases.renew(f"runner {seed}"))
            await asyncio.gather(leases.reap(), store.expire(), outbox.claim(60), database.check())

    doing = [post] * _POSTS + [post_and_cancel] * 5 + [work] * _WORKERS + [look] * 2
    chance.shuffle(doing)
    await asyncio.gather(*(each() for each in doing))
    await database.close()
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(use(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
