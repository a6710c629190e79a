"""The body of `POST /`."""

import hashlib
import uuid
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serve_app.http.intake.options import (
    BatchSize,
    Language,
    SpeakerCount,
    Webhook,
    ordered_bounds,
)
from serve_app.http.intake.source import url_source
from serve_app.http.intake.transcription import transcription_request
from serve_app.jobs.job import NewJob


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

    def to_job(self) -> NewJob:
        """Raises InvalidSource for a URL of another scheme."""
        request = transcription_request(
            url_source(self.url),
            self,
            task=self.task,
            words=self.timestamp == "word",
            speakers=self.diarise_audio,
            batch_size=self.batch_size,
        )
        return NewJob(
            request=request,
            task_id=self.managed_task_id or str(uuid.uuid4()),
            fingerprint=hashlib.sha256(self.model_dump_json().encode()).hexdigest(),
            webhook=self.webhook.target() if self.webhook else None,
        )
