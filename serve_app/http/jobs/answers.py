"""Jobs, their lists and their deliveries on the wire. Times are Unix seconds."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from interchange.stages import BlobSource, ChannelUse, Task, Voice
from serve_app.http.quality import QualityAccount
from serve_app.jobs.delivery import Delivery, DeliveryState
from serve_app.jobs.job import Job, JobStatus, Page


class JobProgress(BaseModel):
    """Seconds of the recording; `duration` once it is known."""

    loaded: float = Field(description="Seconds that were read.")
    recognized: float = Field(description="Seconds that were recognized.")
    duration: float | None = Field(description="Seconds in all; null until they are known.")


class JobError(BaseModel):
    message: str = Field(description="What was wrong, with what, and what to do.")
    status: int = Field(description="The HTTP status that a synchronous request would have had.")
    code: str = Field(description="The error by name, for programs.")


def _name(voice: Voice) -> str:
    return voice.name


def _given(value: object) -> bool:
    return value is not None


class AskedOptions(BaseModel):
    """What the job was asked to do, checked and with every default."""

    task: Task = Field(description="What to do.")
    language: str | None = Field(description="Whisper's code; null has it detected.")
    languages: tuple[str, ...] = Field(description="Those that may be detected; empty for all.")
    words: bool = Field(description="Whether words have times.")
    speakers: bool = Field(description="Whether speakers are told apart.")
    num_speakers: int | None = Field(description="How many there are, if that is known.")
    min_speakers: int | None = Field(description="How many there are at least.")
    max_speakers: int | None = Field(description="How many there are at most.")
    channels: ChannelUse = Field(description="Whether each channel is recognized by itself.")
    speaker_names: tuple[str, ...] = Field(description="What is written for SPEAKER_00 and so on.")
    known_speakers: tuple[Annotated[str, BeforeValidator(_name)], ...] = Field(
        description="The names of the voices that were given."
    )
    identify: Annotated[bool, BeforeValidator(_given)] = Field(
        description="Whether those who have a voice profile are looked for."
    )
    speaker_embeddings: bool = Field(description="Whether the result has the speakers' voices.")
    prompt: str | None = Field(description="What the transcript reads as following.")
    temperature: float = Field(description="Where decoding starts.")
    batch_size: int | None = Field(description="How many of its windows may share a batch.")


class JobAnswer(BaseModel):
    id: str = Field(description="What the job is called in all routes.")
    object: Literal["job"] = Field("job", description="Always `job`.")
    task_id: str = Field(description="Its name for `/status` and in webhooks.")
    name: str = Field(description="The recording's file name, or the end of its address.")
    has_recording: bool = Field(
        description="Whether it was uploaded and is kept; if not, `/recording` passes on what its "
        "URL has."
    )
    options: AskedOptions = Field(description="What it was asked to do.")
    metadata: Mapping[str, str] = Field(description="The client's own, as it was sent.")
    status: JobStatus = Field(description="How it stands.")
    created_at: float = Field(description="When it was accepted.")
    started_at: float | None = Field(description="When work on it began.")
    ended_at: float | None = Field(description="When it ended.")
    expires_at: float | None = Field(description="When an ended job is removed.")
    progress: JobProgress = Field(description="How far it is.")
    windows: int = Field(description="How many windows were recognized and kept so far.")
    stage_seconds: Mapping[str, float] = Field(description="How long each stage took.")
    quality: QualityAccount | None = Field(
        description="Of a completed job: where each second went."
    )
    language: str | None = Field(description="Of a completed job: Whisper's code.")
    error: JobError | None = Field(description="Of a failed or cancelled job: why.")


class JobListAnswer(BaseModel):
    object: Literal["list"] = Field("list", description="Always `list`.")
    data: list[JobAnswer] = Field(description="The jobs of this page.")
    next_cursor: str | None = Field(description="For the next page; null after the last.")


class PeaksAnswer(BaseModel):
    """How loud a recording is over its length, for who draws it."""

    object: Literal["peaks"] = Field("peaks", description="Always `peaks`.")
    step: float = Field(description="Seconds that each number stands for.")
    data: list[int] = Field(description="The loudest sample of each step; 255 is full scale.")


class AttemptAnswer(BaseModel):
    at: float = Field(description="When it was tried.")
    seconds: float = Field(description="How long it took.")
    status: int | None = Field(description="The receiver's HTTP status, if it answered.")
    error: str | None = Field(description="Why it did not succeed.")


class DeliveryAnswer(BaseModel):
    id: str = Field(description="The header `webhook-id` of every try.")
    state: DeliveryState = Field(description="Whether it is still tried.")
    url: str = Field(description="Where it goes.")
    created_at: float = Field(description="When the job ended.")
    due_at: float | None = Field(description="When it is tried next.")
    attempts: list[AttemptAnswer] = Field(description="Every try so far.")


class DeliveryListAnswer(BaseModel):
    object: Literal["list"] = Field("list", description="Always `list`.")
    data: list[DeliveryAnswer] = Field(description="The webhooks of the job.")


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
