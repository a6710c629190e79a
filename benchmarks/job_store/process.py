"""One process of a burst: `process.py manager FOLDER` or `process.py ingress FOLDER BURSTS`.

It calls the store as the service does, through the parts of the service that do; only what a
recording becomes is made up. `burst.py` starts it as a script, so that `PYTHONPATH` says whose
parts these are: those of this checkout, or of another one.
"""

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from configs.secrets import Secrets
from configs.settings import JobSettings, Settings
from interchange.errors import StoreUnavailable
from interchange.files.blobs import BlobStore
from interchange.stages import UrlSource
from interchange.transcript import Quality, Segment, Transcript, WindowTranscript, Word
from serve_app.jobs.frontend import ClientJobs, JobFrontend
from serve_app.jobs.job import NewJob
from serve_app.jobs.store.database import Database
from serve_app.jobs.worker import JobWorker
from serve_app.transcription.events import (
    Event,
    FinishedStretch,
    Progress,
    Resume,
    StretchDone,
    TranscriptReady,
    WindowDone,
)
from serve_app.transcription.request import TranscriptionRequest

INGRESS_WAIT_S = 1.5

_CONCURRENCY = 16
_POSTS = 30
_WINDOWS = 12  # of a recording: six minutes, recognized at thirty times its own pace
_WINDOW_S = 1.0
_STRETCH_EVERY = 6
_STRETCH_BYTES = 150_000
_BETWEEN_S = 3.0


def _settings(folder: Path) -> Settings:
    jobs = JobSettings(database_url=f"sqlite:///{folder}/jobs.sqlite", concurrency=_CONCURRENCY)
    return Settings(jobs=jobs, storage=f"file://{folder}/blobs")


def _segment(begin: float) -> Segment:
    words = tuple(Word(f" word{i}", begin + i / 3, begin + (i + 1) / 3, 0.9) for i in range(80))
    return Segment(begin, begin + 30, " word" * 80, "en", (), 0.0, -0.2, 1.5, 1e-9, words)


class _Recordings:
    """What a recording becomes, at a given pace; how long a window was being kept, in seconds."""

    def __init__(self) -> None:
        self.kept_s: list[float] = []

    async def transcribe(
        self, request: TranscriptionRequest, resume: Resume | None = None
    ) -> AsyncGenerator[Event, None]:
        segments = []
        for number in range(_WINDOWS):
            for _ in range(4):
                await asyncio.sleep(_WINDOW_S / 4)
                yield Progress(30.0 * number, 30.0 * number, None)
            begin = 30.0 * number
            segments.append(_segment(begin))
            window = WindowTranscript(number, begin, begin + 30, (segments[-1],), "en", (), 1)
            began = time.perf_counter()
            yield WindowDone(window)
            self.kept_s.append(time.perf_counter() - began)
            if number % _STRETCH_EVERY == _STRETCH_EVERY - 1:
                began = time.perf_counter()
                yield StretchDone(
                    FinishedStretch(number // _STRETCH_EVERY, "0" * 64, os.urandom(_STRETCH_BYTES))
                )
                self.kept_s.append(time.perf_counter() - began)
        length = 30.0 * _WINDOWS
        quality = Quality(transcribed=length)
        yield TranscriptReady(Transcript(tuple(segments), "en", length, None, quality))

    async def run(self, request: TranscriptionRequest) -> Transcript:
        raise NotImplementedError("A job asks for events.")


async def _manage(folder: Path) -> dict[str, Any]:
    """Until SIGTERM."""
    recordings, loop, stop = _Recordings(), asyncio.get_running_loop(), asyncio.Event()
    worker = JobWorker(_settings(folder), Secrets(), recordings, lambda job, transcript: "")
    await worker.open()
    loop.add_signal_handler(signal.SIGUSR1, worker.wake)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    (folder / "manager").write_text(str(os.getpid()))
    work = asyncio.create_task(worker.run())
    await stop.wait()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return {"kept_s": recordings.kept_s}


async def _post(folder: Path, bursts: int) -> dict[str, Any]:
    settings = _settings(folder)
    database = Database(settings.jobs.database_url, wait_s=INGRESS_WAIT_S)
    manager = int((folder / "manager").read_text())
    frontend = JobFrontend(
        settings.jobs,
        database,
        BlobStore(settings.storage),
        _Recordings(),
        notify=lambda: os.kill(manager, signal.SIGUSR1),
    )
    accepted: dict[str, float] = {}
    refused: list[float] = []
    watching = set()

    async def post(jobs: ClientJobs) -> None:
        name = str(uuid.uuid4())
        request = TranscriptionRequest(name, UrlSource("https://example.com/a.mp3"))
        began = time.perf_counter()
        try:
            await jobs.store.usage()
            await jobs.submit(NewJob(request, name, "0" * 64))
        except StoreUnavailable:
            refused.append(time.perf_counter() - began)
        else:
            accepted[name] = time.perf_counter() - began
            watching.add(asyncio.create_task(watch(jobs, name)))

    async def watch(jobs: ClientJobs, name: str) -> None:
        """As the events of a job do, for as long as the bursts last."""
        number = 0
        while not (await jobs.store.get(name)).ended:
            number += len(await jobs.store.windows(name, number))
            await asyncio.sleep(settings.jobs.poll_s)

    async with frontend.serving():
        jobs = frontend.of("somebody")
        await asyncio.gather(*(post(jobs) for _ in range(_CONCURRENCY)))
        running = 0
        while running < min(_CONCURRENCY, len(accepted)):
            await asyncio.sleep(0.1)
            running = (await jobs.store.count()).get("running", 0)
        (folder / "ingress").touch()
        accepted_before = set(accepted)
        refused.clear()
        for _ in range(bursts):
            await asyncio.sleep(_BETWEEN_S)
            await asyncio.gather(*(post(jobs) for _ in range(_POSTS)))
        for watcher in watching:
            watcher.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        there = [name for name in accepted if (await jobs.store.get(name)).id == name]
    waits = [seconds for name, seconds in accepted.items() if name not in accepted_before]
    return {"refused_s": refused, "accepted_s": waits, "lost": len(accepted) - len(there)}


if __name__ == "__main__":
    role, place, *rest = sys.argv[1:]
    doing = _manage(Path(place)) if role == "manager" else _post(Path(place), int(rest[0]))
    print(json.dumps(asyncio.run(doing)))
