"""A new job, as it arrives: JSON with a `url`, or a form with a `file`."""

import hashlib
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from interchange.errors import InvalidOption
from interchange.stages import Source, Task, Voice
from serve_app.http.around.json_text import parse_json
from serve_app.http.around.sentences import describe, wrong
from serve_app.http.intake.form_reader import Form, read_form, read_json
from serve_app.http.intake.known_speakers import KnownSpeakers, learn
from serve_app.http.intake.options import (
    BatchSize,
    Channels,
    Identify,
    Language,
    LanguageCode,
    SpeakerCount,
    SpeakerEmbeddings,
    SpeakerNames,
    Webhook,
    ordered_bounds,
)
from serve_app.http.intake.profiles import whose_profiles
from serve_app.http.intake.source import recording_source
from serve_app.http.intake.transcription import transcription_request
from serve_app.http.services import Services
from serve_app.jobs.job import NewJob

_LISTS = ("languages", "speaker_names")
_OBJECTS = ("metadata", "webhook", "known_speakers")
_LATER = (
    "channels",
    "speaker_names",
    "known_speakers",
    "identify",
    "speaker_embeddings",
    "metadata",
)
"""Options that came after the first release."""

Metadata = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16),
]
"""As large as OpenAI's API lets an object's metadata be."""


class JobOptions(BaseModel):
    """All options of the graph. Unknown ones are refused."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://example.com/interview.mp3", "speakers": True}]
        },
    )

    url: str | None = Field(None, description="Where to fetch the recording, unless uploaded.")
    task: Task = Field("transcribe", description="`translate` answers in English.")
    language: Language = Field(None, description="A code, a tag or an English name; else detected.")
    languages: tuple[LanguageCode, ...] = Field(
        (), description="The languages that may be detected."
    )
    words: bool = Field(False, description="Give the time of each word.")
    speakers: bool = Field(False, description="Tell speakers apart.")
    num_speakers: SpeakerCount = None
    min_speakers: SpeakerCount = None
    max_speakers: SpeakerCount = None
    channels: Channels = "auto"
    speaker_names: SpeakerNames = ()
    known_speakers: KnownSpeakers = ()
    identify: Identify = False
    speaker_embeddings: SpeakerEmbeddings = False
    prompt: str | None = Field(None, description="Text that the transcript reads as following.")
    temperature: float = Field(
        0.0, ge=0, le=1, description="Where decoding starts; 0 is greedy, hotter on failure."
    )
    batch_size: BatchSize | None = Field(
        None, description="How many of its windows may share a batch; as many as fit if not given."
    )
    webhook: Webhook | None = Field(None, description="Where the job's end is announced.")
    metadata: Metadata = Field(
        default_factory=dict,
        description="Your own notes on the job, given back with it: up to 16 texts by name.",
    )

    _bounds = model_validator(mode="after")(ordered_bounds)

    @model_validator(mode="after")
    def _bounds_need_speakers(self) -> Self:
        if not self.speakers and (self.num_speakers or self.min_speakers or self.max_speakers):
            raise wrong("speakers", "a number of speakers needs 'speakers' to be true")
        if not self.speakers and self.speaker_names:
            raise wrong("speaker_names", "'speaker_names' needs 'speakers' to be true")
        if not self.speakers and self.known_speakers:
            raise wrong("known_speakers", "'known_speakers' needs 'speakers' to be true")
        if not self.speakers and self.identify:
            raise wrong("identify", "'identify' needs 'speakers' to be true")
        if not self.speakers and self.speaker_embeddings:
            raise wrong("speaker_embeddings", "'speaker_embeddings' needs 'speakers' to be true")
        return self

    def to_job(
        self,
        source: Source,
        digest: str | None,
        idempotency_key: str | None,
        known: tuple[Voice, ...],
        identify: str | None = None,
    ) -> NewJob:
        """`digest` stands for the content of an uploaded recording, `known` are the voices of
        the known speakers, `identify` names the key whose profiles are looked for."""
        request = transcription_request(
            source,
            self,
            task=self.task,
            words=self.words,
            speakers=self.speakers,
            languages=self.languages,
            speaker_names=self.speaker_names,
            known_speakers=known,
            identify=identify,
            speaker_embeddings=self.speaker_embeddings,
            prompt=self.prompt,
            temperature=self.temperature,
            priority="bulk",
            batch_size=self.batch_size,
        )
        # What was not given is left out: a request that is repeated after an upgrade of the
        # service has the fingerprint that it had before there was such an option.
        new = {name for name in _LATER if name not in self.model_fields_set}
        content = f"{self.model_dump_json(exclude=new)}{digest or ''}"
        return NewJob(
            request=request,
            task_id=request.id,
            fingerprint=hashlib.sha256(content.encode()).hexdigest(),
            webhook=self.webhook.target() if self.webhook else None,
            idempotency_key=idempotency_key,
            metadata=self.metadata,
        )


async def read_job(services: Services, request: Request, idempotency_key: str | None) -> NewJob:
    """The job that a request asks for. Where anything is wrong, nothing stays stored.

    Raises ClientError of several kinds, and starlette's ClientDisconnect.
    """
    kind, _ = parse_options_header(request.headers.get("content-type"))
    if kind == b"application/json":
        form, values = Form(), await read_json(request)
    else:
        form = await read_form(
            request, services.uploads, max_file_bytes=services.config.max_upload_bytes
        )
        values = None
    try:
        options = _check(_values(form) if values is None else values)
        source = recording_source(form.file, options.url, asked="url")
        identify = whose_profiles(services, request, wanted=options.identify)
        known = await learn(services, options.known_speakers, "known_speakers")
        return options.to_job(source, form.digest, idempotency_key, known, identify)
    except BaseException:
        if form.file is not None:
            await services.uploads.delete(form.file)
        raise


def _values(form: Form) -> dict[str, Any]:
    """A form's fields as JSON would have them. An empty field counts as not sent."""
    values: dict[str, Any] = {}
    for name, text in form.fields:
        key = name.removesuffix("[]")
        if text == "":
            continue
        if key in _LISTS:
            values.setdefault(key, []).append(text)
        elif key in _OBJECTS:
            try:
                values[key] = parse_json(text)
            except ValueError as error:
                raise InvalidOption(f"{key!r} is not valid JSON: {error}.", key) from error
        else:
            values[key] = text
    return values


def _check(values: Any) -> JobOptions:
    try:
        return JobOptions.model_validate(values)
    except ValidationError as error:
        raise InvalidOption(*describe(error.errors())) from error
