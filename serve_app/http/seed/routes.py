"""The dialect of insanely-fast-whisper-api: `POST /` and its tasks."""

import hashlib
import uuid
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from interchange.stages import UrlSource
from serve_app.http.around.disconnect import while_connected
from serve_app.http.intake.options import (
    BatchSize,
    Detail,
    Language,
    SpeakerCount,
    Webhook,
    errors,
    ordered_bounds,
)
from serve_app.http.seed.answers import Accepted, Completed, Task, TaskList, output
from serve_app.http.services import Services
from serve_app.jobs.job import NewJob
from serve_app.transcription.transcriber import TranscriptionRequest


class SeedRequest(BaseModel):
    """Unknown keys are ignored, and null means the default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"url": "https://example.com/interview.mp3", "diarise_audio": True},
            ]
        }
    )

    url: str = Field(description="Address of the recording; it has to start with `http`.")
    task: Literal["transcribe", "translate"] = Field(
        "transcribe", description="`translate` answers in English."
    )
    language: Language = Field(
        "None",
        validate_default=True,
        description="A code or an English name; `None` has it detected.",
    )
    batch_size: BatchSize = 64
    timestamp: str = Field(
        "chunk", description="`word` gives one chunk a word; anything else one a segment."
    )
    diarise_audio: bool = Field(False, description="Whether to tell speakers apart.")
    webhook: Webhook | None = None
    is_async: bool = Field(False, description="Answer at once, and send the result later.")
    managed_task_id: str | None = Field(None, description="The task's id; made if not given.")
    num_speakers: SpeakerCount = None
    min_speakers: SpeakerCount = None
    max_speakers: SpeakerCount = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key == "url"}

    _bounds = model_validator(mode="after")(ordered_bounds)

    def to_request(self) -> TranscriptionRequest:
        return TranscriptionRequest(
            id=str(uuid.uuid4()),
            source=UrlSource(self.url),
            task=self.task,
            language=self.language,
            words=self.timestamp == "word",
            speakers=self.diarise_audio,
            num_speakers=self.num_speakers,
            min_speakers=self.min_speakers,
            max_speakers=self.max_speakers,
            batch_size=self.batch_size,
        )

    def to_job(self) -> NewJob:
        return NewJob(
            request=self.to_request(),
            task_id=self.managed_task_id or str(uuid.uuid4()),
            fingerprint=hashlib.sha256(self.model_dump_json().encode()).hexdigest(),
            webhook=self.webhook.target() if self.webhook else None,
        )


def router(services: Services) -> APIRouter:
    routes = APIRouter(tags=["insanely-fast-whisper-api"])
    config = services.config

    @routes.post(
        "/",
        summary="Transcribe a recording from a URL",
        response_model_exclude_none=True,
        responses=errors(
            Detail,
            {
                400: "The URL cannot be used, its content is not audio, or a webhook is missing.",
                401: "The key is missing or wrong.",
                413: "The recording is larger or longer than the limits.",
                429: "Too much audio waits; `Retry-After` says when to try again.",
                500: "A fault of the service.",
                409: "Another task with this id runs, or the task was cancelled.",
                503: "A stage cannot answer now; `Retry-After` says when to try again.",
            },
        ),
    )
    async def transcribe(request: Request, body: SeedRequest) -> Completed | Accepted:
        # The original's clients rely on the order of these checks.
        if not body.url.lower().startswith("http"):
            raise HTTPException(400, "Invalid URL")
        if body.diarise_audio and config.gated_without_token:
            raise HTTPException(500, "Missing Hugging Face Token")
        if body.is_async and body.webhook is None:
            raise HTTPException(400, "Webhook is required for async tasks")
        job = body.to_job()
        if body.is_async:
            await services.jobs.submit(job)
            return Accepted(task_id=job.task_id, fly_machine_id=config.fly_machine_id)
        transcript = await while_connected(request, services.jobs.attended.run(job))
        return Completed(
            output=output(transcript, words=body.timestamp == "word"),
            task_id=job.task_id,
            fly_machine_id=config.fly_machine_id,
        )

    store = services.jobs.store

    @routes.get("/tasks", summary="The tasks that are not finished", responses=_KEY)
    async def tasks() -> TaskList:
        return TaskList(tasks=await store.live_tasks())

    @routes.get(
        "/status/{task_id}",
        summary="What became of a task",
        response_model_exclude_none=True,
        responses=_KNOWN,
    )
    async def status(task_id: str) -> Task:
        job = await store.task(task_id)
        match job.status:
            case "completed":
                transcript = await store.transcript(job.id)
                return Task(status="completed", output=output(transcript, words=job.request.words))
            case "failed":
                return Task(status="error", error=job.failure.message if job.failure else None)
            case "cancelled":
                return Task(status="cancelled")
        return Task(status="processing")

    @routes.delete(
        "/cancel/{task_id}",
        summary="Stop a task",
        response_model_exclude_none=True,
        responses=_KNOWN | errors(Detail, {409: "The task has ended already."}),
    )
    async def cancel(task_id: str) -> Task:
        await services.jobs.cancel((await store.task(task_id)).id)
        return Task(status="cancelled")

    return routes


_KEY = errors(Detail, {401: "The key is missing or wrong.", 503: "The job store is away."})
_KNOWN = _KEY | errors(Detail, {404: "There is no such task, or its retention time is over."})
