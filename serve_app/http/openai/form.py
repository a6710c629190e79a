"""The form of OpenAI's audio API, as it arrives and as it is checked."""

import json
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from interchange.errors import InvalidOption
from interchange.stages import Source, Task
from serve_app.http.around.errors import describe
from serve_app.http.intake.options import Language, LanguageCode, SpeakerCount, ordered_bounds
from serve_app.http.intake.transcription import transcription_request
from serve_app.transcription.request import TranscriptionRequest

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
Granularity = Literal["word", "segment"]


class ChunkingStrategy(BaseModel):
    """Recordings are always cut at pauses by voice activity, so both types mean the same.

    Its tuning values are refused: the service has one setting for all requests.
    """

    model_config = ConfigDict(extra="forbid")

    type: Literal["auto", "server_vad"] = "auto"


class TranslationForm(BaseModel):
    """What both routes take. Unknown fields are ignored."""

    model_config = ConfigDict(populate_by_name=True)

    task: ClassVar[Task] = "translate"

    model: str = Field(description="An id from `GET /v1/models`, or one of OpenAI's own names.")
    prompt: str | None = Field(None, description="Text that the transcript reads as following.")
    response_format: Literal["json", "text", "srt", "verbose_json", "vtt"] = "json"
    temperature: float = Field(
        0.0, ge=0, le=1, description="Where decoding starts; 0 is greedy, hotter on failure."
    )
    language: Language = Field(None, description="A code, a tag or an English name; else detected.")
    stream: bool = Field(False, description="Answer by server-sent events.")
    url: str | None = Field(
        None, description="Instead of `file`: where to fetch the recording. Not in OpenAI's API."
    )
    speakers: bool = Field(
        False,
        description="Tell speakers apart in `verbose_json`, `srt`, `vtt` and `text` too. "
        "Not in OpenAI's API.",
    )
    num_speakers: SpeakerCount = None
    min_speakers: SpeakerCount = None
    max_speakers: SpeakerCount = None
    progress: bool = Field(
        False,
        description="With `stream`: also send `transcript.progress` events, and the whole answer "
        "as `output` in the last event. Not in OpenAI's API.",
    )

    _bounds = model_validator(mode="after")(ordered_bounds)

    @model_validator(mode="after")
    def _progress_streams(self) -> Self:
        if self.progress and not self.stream:
            raise ValueError("'progress' needs 'stream' to be true")
        return self

    def to_request(self, source: Source) -> TranscriptionRequest:
        return transcription_request(
            source,
            self,
            task=self.task,
            words=self.wants_words,
            speakers=self.wants_speakers,
            languages=self.allowed_languages,
            prompt=self.hints,
            temperature=self.temperature,
        )

    @property
    def allowed_languages(self) -> tuple[str, ...]:
        """Among which the language is detected; all where there are none."""
        return ()

    @property
    def wants_speakers(self) -> bool:
        return self.speakers

    @property
    def wants_words(self) -> bool:
        """Subtitles are cut between words, so they need their times."""
        return self.response_format in ("srt", "vtt")

    @property
    def hints(self) -> str | None:
        """The text that decoding continues from."""
        return self.prompt


class TranscriptionForm(TranslationForm):
    task: ClassVar[Task] = "transcribe"

    response_format: ResponseFormat = "json"  # type: ignore[assignment]
    languages: tuple[LanguageCode, ...] = Field(
        (), alias="languages[]", description="The languages that may be detected."
    )
    keywords: tuple[str, ...] = Field(
        (), alias="keywords[]", description="Words to expect, such as names."
    )
    include: tuple[Literal["logprobs"], ...] = Field(
        (), alias="include[]", description="Not offered: the engine gives averages a segment."
    )
    timestamp_granularities: tuple[Granularity, ...] = Field(
        ("segment",),
        alias="timestamp_granularities[]",
        description="With `verbose_json`: `word`, `segment` or both.",
    )
    chunking_strategy: ChunkingStrategy | Literal["auto"] = "auto"
    known_speaker_names: tuple[str, ...] = Field(
        (), alias="known_speaker_names[]", description="Not offered yet."
    )
    known_speaker_references: tuple[str, ...] = Field(
        (), alias="known_speaker_references[]", description="Not offered yet."
    )

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        if self.response_format != "verbose_json" and (
            "timestamp_granularities" in self.model_fields_set
        ):
            raise ValueError(
                "'timestamp_granularities[]' needs 'response_format' to be 'verbose_json'"
            )
        if self.include:
            raise ValueError(
                "'include[]=logprobs' is not offered; 'verbose_json' has the average "
                "log-probability of each segment"
            )
        if self.known_speaker_names or self.known_speaker_references:
            raise ValueError("Known speakers are not offered; leave 'known_speaker_names[]' out")
        return self

    @property
    def allowed_languages(self) -> tuple[str, ...]:
        return self.languages

    @property
    def wants_speakers(self) -> bool:
        return self.speakers or self.response_format == "diarized_json"

    @property
    def wants_words(self) -> bool:
        return super().wants_words or "word" in self.timestamp_granularities

    @property
    def hints(self) -> str | None:
        parts = [", ".join(self.keywords) + "." if self.keywords else "", self.prompt or ""]
        return " ".join(part for part in parts if part) or None


_LISTS = frozenset(
    {
        "languages",
        "keywords",
        "include",
        "timestamp_granularities",
        "known_speaker_names",
        "known_speaker_references",
    }
)


F = TypeVar("F", bound=TranslationForm)


def parse_form(model: type[F], fields: list[tuple[str, str]]) -> F:
    """Check a form's fields. An empty field counts as not sent. Raises InvalidOption."""
    values: dict[str, Any] = {}
    for name, text in fields:
        if text == "":
            continue
        key = name.removesuffix("[]")
        if key in _LISTS:
            values.setdefault(key, []).append(text)
        elif name.startswith("chunking_strategy"):
            _add_chunking(values, name, text)
        else:
            values[name] = text
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidOption(*describe(error.errors())) from error


def _add_chunking(values: dict[str, Any], name: str, text: str) -> None:
    """`auto`, an object as JSON, or an object's members as `chunking_strategy[type]`."""
    _, bracket, member = name.partition("[")
    if bracket:
        strategy = values.setdefault("chunking_strategy", {})
        if isinstance(strategy, dict):
            strategy[member.removesuffix("]")] = text
    elif text.startswith("{"):
        try:
            values["chunking_strategy"] = json.loads(text)
        except json.JSONDecodeError as error:
            raise InvalidOption(
                f"'chunking_strategy' is not valid JSON: {error}.", "chunking_strategy"
            ) from error
    else:
        values["chunking_strategy"] = text
