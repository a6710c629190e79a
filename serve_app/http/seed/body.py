"""The body of `POST /`."""

import hashlib
import re
import uuid
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from interchange.stages import Voice
from serve_app.http.around.sentences import wrong
from serve_app.http.intake.known_speakers import KnownSpeakers
from serve_app.http.intake.options import (
    BatchSize,
    Channels,
    Identify,
    Language,
    SpeakerCount,
    SpeakerEmbeddings,
    Webhook,
    ordered_bounds,
)
from serve_app.http.intake.source import url_source
from serve_app.http.intake.transcription import transcription_request
from serve_app.jobs.job import NewJob

_LONGEST_ID = 255
_NOT_IN_A_PATH = re.compile(r"[/\\?#%\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|^\.\.?$")
"""What would end the path, be resolved or be read as something else on the way of `/status/ID`."""


def _part_of_a_path(task_id: str | None) -> str | None:
    text = task_id or ""
    if len(text) > _LONGEST_ID:
        raise ValueError(f"a task's id has at most {_LONGEST_ID} characters, this one {len(text)}")
    if _NOT_IN_A_PATH.search(text):
        raise ValueError(
            f"the id {text!r} cannot stand in the path of /status/ID; leave out / \\ ? # % and "
            "control characters"
        )
    return task_id


_LATER = {"channels", "known_speakers", "identify", "speaker_embeddings"}
"""Options that came after the first release."""


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
        description="A code, a tag or an English name; `None` has it detected.",
    )
    batch_size: BatchSize = 64
    timestamp: str = Field(
        "chunk", description="`word` gives one chunk a word; anything else one a segment."
    )
    diarise_audio: bool = Field(False, description="Whether to tell speakers apart.")
    webhook: Webhook | None = Field(
        None, description="Where the result is sent; `is_async` needs it."
    )
    is_async: bool = Field(False, description="Answer at once, and send the result later.")
    managed_task_id: Annotated[str | None, AfterValidator(_part_of_a_path)] = Field(
        None, description="The task's id, a part of the path of its status; made if not given."
    )
    num_speakers: SpeakerCount = None
    min_speakers: SpeakerCount = None
    max_speakers: SpeakerCount = None
    channels: Channels = "auto"
    known_speakers: KnownSpeakers = ()
    identify: Identify = False
    speaker_embeddings: SpeakerEmbeddings = False

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key == "url"}

    _bounds = model_validator(mode="after")(ordered_bounds)

    @model_validator(mode="after")
    def _known_speakers_speak(self) -> Self:
        if self.known_speakers and not self.diarise_audio:
            raise wrong("known_speakers", "'known_speakers' needs 'diarise_audio' to be true")
        if self.identify and not self.diarise_audio:
            raise wrong("identify", "'identify' needs 'diarise_audio' to be true")
        if self.speaker_embeddings and not self.diarise_audio:
            raise wrong(
                "speaker_embeddings", "'speaker_embeddings' needs 'diarise_audio' to be true"
            )
        return self

    def to_job(self, known: tuple[Voice, ...] = (), identify: str | None = None) -> NewJob:
        """`known` are the voices of the known speakers, and `identify` names the key whose profiles
        are looked for.

        Raises InvalidSource for a URL of another scheme.
        """
        request = transcription_request(
            url_source(self.url),
            self,
            task=self.task,
            words=self.timestamp == "word",
            speakers=self.diarise_audio,
            batch_size=self.batch_size,
            known_speakers=known,
            identify=identify,
            speaker_embeddings=self.speaker_embeddings,
        )
        # As it was before there was such an option, where it is not used.
        content = self.model_dump_json(exclude=_LATER - self.model_fields_set)
        return NewJob(
            request=request,
            task_id=self.managed_task_id or str(uuid.uuid4()),
            fingerprint=hashlib.sha256(content.encode()).hexdigest(),
            webhook=self.webhook.target() if self.webhook else None,
        )
