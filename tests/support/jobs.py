"""Jobs and transcripts for tests."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from interchange.stages import UrlSource
from interchange.transcript import (
    Quality,
    Segment,
    Transcript,
    Turn,
    WindowTranscript,
    Word,
)
from serve_app.jobs.delivery import WebhookTarget
from serve_app.jobs.job import Job, NewJob
from serve_app.jobs.store.job_store import JobStore
from serve_app.transcription.request import TranscriptionRequest

WEBHOOK = WebhookTarget("https://receiver.test/hook", {"x-key": "ключ"})


def new_job(
    task_id: str | None = None, webhook: WebhookTarget | None = WEBHOOK, **options: Any
) -> NewJob:
    request = TranscriptionRequest(
        id=str(uuid.uuid4()),
        source=UrlSource("https://recordings.test/a.wav"),
        words=True,
        speakers=True,
        prompt="Fährmann, hol über!",
        priority="bulk",
    )
    new = NewJob(request, task_id or request.id, fingerprint="a" * 64, webhook=webhook)
    return replace(new, **options)


def window_transcript(index: int) -> WindowTranscript:
    start = index * 30 + 0.1
    word = Word(f" wörd{index}", start, start + 0.2 / 3, 0.1 + 0.2, "SPEAKER_00")
    segment = Segment(
        start, start + 1 / 3, f" wörd{index}", "de", (1, 2), 0.2, float("-inf"), 1.7, 1e-17, (word,)
    )
    return WindowTranscript(index, start, start + 29.9, (segment,), "de", (("de", 0.7),), 1)


def transcript(words: int = 2) -> Transcript:
    return Transcript(
        segments=tuple(window_transcript(index).segments[0] for index in range(words)),
        language="de",
        duration=30.0 * words,
        turns=(Turn(0.0, 1 / 7, "SPEAKER_00"),),
        quality=Quality(transcribed=1.5, silent=0.1, notes=("Ein Stück fehlt.",)),
        stage_seconds={"load": 0.1, "total": 2.0 / 3},
    )


async def ended(store: JobStore, job_id: str) -> Job:
    while not (job := await store.get(job_id)).ended:
        await asyncio.sleep(0.01)
    return job


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)
