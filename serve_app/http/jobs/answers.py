"""Jobs, their lists and their deliveries on the wire. Times are Unix seconds."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, Field

from interchange.stages import BlobSource, Task
from serve_app.http.quality import QualityAccount
from serve_app.jobs.delivery import Delivery, DeliveryState
from serve_app.jobs.job import Job, JobStatus, Page


class JobProgress(BaseModel):
    """Seconds of the recording; `duration` once it is known."""

    loaded: float
    recognized: float
    duration: float | None


class JobError(BaseModel):
    message: str
    status: int = Field(description="The HTTP status that a synchronous request would have had.")
    code: str


class AskedOptions(BaseModel):
    """What the job was asked to do, checked and with every default."""

    task: Task
    language: str | None = Field(description="Whisper's code; null has it detected.")
    languages: tuple[str, ...]
    words: bool
    speakers: bool
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    speaker_names: tuple[str, ...]
    prompt: str | None
    temperature: float
    batch_size: int | None


class JobAnswer(BaseModel):
    id: str
    object: Literal["job"] = "job"
    task_id: str = Field(description="Its name for `/status` and in webhooks.")
    name: str = Field(description="The recording's file name, or the end of its address.")
    has_recording: bool = Field(
        description="Whether it was uploaded and is kept: `/recording` gives it."
    )
    options: AskedOptions
    metadata: Mapping[str, str] = Field(description="The client's own, as it was sent.")
    status: JobStatus
    created_at: float
    started_at: float | None
    ended_at: float | None
    expires_at: float | None = Field(description="When an ended job is removed.")
    progress: JobProgress
    windows: int = Field(description="How many windows were recognized and kept so far.")
    stage_seconds: Mapping[str, float]
    quality: QualityAccount | None
    language: str | None
    error: JobError | None


class JobListAnswer(BaseModel):
    object: Literal["list"] = "list"
    data: list[JobAnswer]
    next_cursor: str | None = Field(description="For the next page; null after the last.")


class PeaksAnswer(BaseModel):
    """How loud a recording is over its length, for who draws it."""

    object: Literal["peaks"] = "peaks"
    step: float = Field(description="Seconds that each number stands for.")
    data: list[int] = Field(description="The loudest sample of each step; 255 is full scale.")


class AttemptAnswer(BaseModel):
    at: float
    seconds: float
    status: int | None
    error: str | None


class DeliveryAnswer(BaseModel):
    id: str = Field(description="The header `webhook-id` of every try.")
    state: DeliveryState
    url: str
    created_at: float
    due_at: float | None = Field(description="When it is tried next.")
    attempts: list[AttemptAnswer]


class DeliveryListAnswer(BaseModel):
    object: Literal["list"] = "list"
    data: list[DeliveryAnswer]


def job_answer(job: Job) -> JobAnswer:
    failure = job.failure
    return JobAnswer(
        id=job.id,
        task_id=job.task_id,
        name=job.name,
        has_recording=isinstance(job.request.source, BlobSource),
        options=AskedOptions.model_validate(job.request, from_attributes=True),
        metadata=job.metadata,
        status=job.status,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        expires_at=job.expires_at,
        progress=JobProgress(
            loaded=round(job.loaded, 3),
            recognized=round(job.recognized, 3),
            duration=None if job.duration is None else round(job.duration, 3),
        ),
        windows=job.windows,
        stage_seconds={name: round(value, 3) for name, value in job.stage_seconds.items()},
        quality=QualityAccount(**asdict(job.quality)) if job.quality else None,
        language=job.language,
        error=JobError(**asdict(failure)) if failure else None,
    )


def job_list(page: Page) -> JobListAnswer:
    return JobListAnswer(data=[job_answer(job) for job in page.jobs], next_cursor=page.cursor)


def delivery_list(deliveries: tuple[Delivery, ...]) -> DeliveryListAnswer:
    return DeliveryListAnswer(
        data=[
            DeliveryAnswer(
                id=each.id,
                state=each.state,
                url=each.webhook.url,
                created_at=each.created_at,
                due_at=each.due_at,
                attempts=[AttemptAnswer(**asdict(attempt)) for attempt in each.attempts],
            )
            for each in deliveries
        ]
    )
