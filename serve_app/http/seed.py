"""The dialect of insanely-fast-whisper-api: `POST /`."""

import uuid
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from serve_app.errors import NotOffered
from serve_app.http.disconnect import while_connected
from serve_app.http.schemas import (
    BatchSize,
    Detail,
    Language,
    SpeakerCount,
    errors,
    ordered_bounds,
)
from serve_app.http.seed_answers import Accepted, Completed, output
from serve_app.http.services import Services, WebhookTarget
from serve_app.transcription.stages import UrlSource
from serve_app.transcription.transcriber import TranscriptionRequest


class Webhook(BaseModel):
    url: str = Field(description="Where to POST the result.")
    header: dict[str, str] = Field(
        default_factory=dict,
        validation_alias=AliasChoices("header", "headers"),
        description="Headers of that POST. `headers` is understood too.",
    )


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
                501: "This service takes no tasks that outlive their request.",
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
        task_id = body.managed_task_id or str(uuid.uuid4())
        if body.is_async and body.webhook is not None:
            await _submit(services, task_id, body, body.webhook)
            return Accepted(task_id=task_id, fly_machine_id=config.fly_machine_id)
        if body.webhook is not None:
            raise NotOffered(
                "This service sends no webhooks for synchronous requests; leave it out."
            )
        transcript = await while_connected(request, services.transcriber.run(body.to_request()))
        return Completed(
            output=output(transcript, words=body.timestamp == "word"),
            task_id=task_id,
            fly_machine_id=config.fly_machine_id,
        )

    return routes


async def _submit(services: Services, task_id: str, body: SeedRequest, webhook: Webhook) -> None:
    if services.jobs is None:
        raise NotOffered("This service takes no asynchronous tasks; leave is_async out.")
    target = WebhookTarget(webhook.url, webhook.header)
    await services.jobs.submit(task_id, body.to_request(), target)
