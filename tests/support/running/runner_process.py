"""A runner in a process of its own: `python -m … NAME URL BLOBS GATE LEASE_S LOOK_S`.

Each word that it recognizes bears its name, and it says KEPT after each checkpoint. All windows
but the first wait until the file GATE exists; LOOK_S is how often it looks whether its lease is
lost.
"""

import asyncio
import logging
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from interchange.files.blobs import BlobStore
from interchange.stages import RecognitionOptions, Window
from interchange.transcript import Turn, WindowTranscript
from serve_app.jobs.runner import job_try
from serve_app.jobs.runner.lease_keeper import LeaseKeeper
from serve_app.jobs.runner.runner import Runner
from serve_app.jobs.store.database import Database
from serve_app.jobs.store.leases import Leases
from serve_app.transcription.transcriber import Transcriber
from tests.fakes.stages import FakeDiarizer, FakeLoader, FakeRecognizer, window, words_of

WINDOWS = 3
KEPT = "A checkpoint is kept."


class Telling(Leases):
    async def checkpoint(self, *args: Any, **kwargs: Any) -> None:
        await super().checkpoint(*args, **kwargs)
        logging.info(KEPT)


class Gated(FakeRecognizer):
    def __init__(self, name: str, gate: Path) -> None:
        super().__init__()
        self._name = name
        self._gate_file = gate

    async def recognize(self, window: Window, options: RecognitionOptions) -> WindowTranscript:
        while window.index > 0 and not self._gate_file.exists():
            await asyncio.sleep(0.01)
        said = words_of(window, options)
        segments = tuple(
            replace(each, text=f" {self._name}{window.index}", words=()) for each in said.segments
        )
        return replace(said, segments=segments)


async def main(name: str, url: str, blobs: str, gate: str, lease_s: str, look_s: str) -> None:
    leases = Telling(
        Database(url),
        BlobStore(blobs),
        lease_s=float(lease_s),
        retention_s=1000,
        inline_bytes=10**6,
    )
    # Without heartbeats and progress nothing is written behind the gate: a process that is frozen
    # in the middle of a transaction would hold its locks for as long.
    job_try._PROGRESS_S = math.inf
    keeper = LeaseKeeper(leases, name, poll_s=float(look_s), lease_s=10**6)
    graph = Transcriber(
        FakeLoader([window(index) for index in range(WINDOWS)]),
        Gated(name, Path(gate)),
        FakeDiarizer((Turn(0.0, 10.0 * WINDOWS, "SPEAKER_00"),)),
    )
    policy = job_try.RetryPolicy(max_attempts=3, delay_s=0.01, poll_s=0.01, lease_s=10**6)
    works = Runner(leases, graph, keeper, name, concurrency=1, policy=policy)
    await asyncio.gather(works.run(), keeper.run())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(*sys.argv[1:]))
