"""The form of OpenAI's audio API, as it arrives and as it is checked."""

import re
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from interchange.errors import InvalidOption
from interchange.stages import Source, SpeechDetection, Task, Voice
from serve_app.http.around.sentences import describe, wrong
from serve_app.http.intake.known_speakers import KnownName, KnownSpeaker, Reference, repeated
from serve_app.http.intake.options import (
    Channels,
    Identify,
    Language,
    LanguageCode,
    SpeakerCount,
    SpeakerEmbeddings,
    SpeakerNames,
    ordered_bounds,
)
from serve_app.http.intake.transcription import transcription_request
from serve_app.http.openai.chunking import NAME as CHUNKING
from serve_app.http.openai.chunking import ChunkingStrategy, add_chunking
from serve_app.transcription.request import TranscriptionRequest

Written = Literal["json", "text", "srt", "verbose_json", "vtt"]
ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt", "diarized_json"]
Granularity = Literal["word", "segment"]

MOST_KNOWN = 4
"""Known speakers in OpenAI's API."""
_REFERENCES = "known_speaker_references"

_FIRST_WINDOW_S = 8.0
"""The longest first window of a streamed answer: who streams waits for the first words."""


class TranslationForm(BaseModel):
    """What both routes take. Unknown fields are ignored."""

    model_config = ConfigDict(populate_by_name=True)

    task: ClassVar[Task] = "translate"

    model: str = Field(description="An id from `GET /v1/models`, or one of OpenAI's own names.")
    prompt: str | None = Field(None, description="Text that the transcript reads as following.")
    response_format: Written = Field("json", description="What the transcript is written as.")
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
    channels: Channels = "auto"
    speaker_names: SpeakerNames = Field((), alias="speaker_names[]")
    identify: Identify = False
    speaker_embeddings: SpeakerEmbeddings = Field(
        False,
        description="With `verbose_json` and `diarized_json`: answer each speaker's voice too, as "
        "numbers that are near each other for the same person. Not in OpenAI's API.",
    )
    progress: bool = Field(
        False,
        description="With `stream`: also send `transcript.progress` events, and the whole answer "
        "as `output` in the last event. Not in OpenAI's API.",
    )
    outputs: tuple[Written, ...] = Field(
        (),
        alias="outputs[]",
        description="With `progress`: the answer in these forms too, by form, as `outputs` in the "
        "last event. Not in OpenAI's API.",
    )

    _bounds = model_validator(mode="after")(ordered_bounds)

    @model_validator(mode="after")
    def _progress_streams(self) -> Self:
        if self.progress and not self.stream:
            raise wrong("progress", "'progress' needs 'stream' to be true")
        if self.outputs and not self.progress:
            raise wrong("outputs", "'outputs[]' needs 'progress' to be true")
        if self.speaker_names and not self.wants_speakers:
            raise wrong("speaker_names", "'speaker_names[]' needs 'speakers' to be true")
        if self.identify and not self.wants_speakers:
            raise wrong("identify", "'identify' needs 'speakers' to be true")
        if self.speaker_embeddings and not (self.wants_speakers and self.has_voices):
            raise wrong(
                "speaker_embeddings",
                "this answer has no place for 'speaker_embeddings'; ask for 'diarized_json', or "
                "for 'verbose_json' with 'speakers', and with 'stream' for 'progress' too",
            )
        return self

    def to_request(
        self, source: Source, known: tuple[Voice, ...] = (), identify: str | None = None
    ) -> TranscriptionRequest:
        """`known` are the voices of the known speakers, and `identify` names the key whose
        profiles are looked for."""
        return transcription_request(
            source,
            self,
            task=self.task,
            words=self.wants_words,
            speakers=self.wants_speakers,
            languages=self.allowed_languages,
            speaker_names=self.speaker_names,
            known_speakers=known,
            identify=identify,
            speaker_embeddings=self.speaker_embeddings,
            prompt=self.hints,
            temperature=self.temperature,
            logprobs=self.wants_logprobs,
            first_window_s=_FIRST_WINDOW_S if self.stream else None,
            detection=self.detection,
        )

    @property
    def known_speakers(self) -> tuple[KnownSpeaker, ...]:
        """Who is called by a name that the request gives."""
        return ()

    @property
    def given_names(self) -> tuple[str, ...]:
        """What nobody else may be called."""
        return self.speaker_names

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
        return not {"srt", "vtt"}.isdisjoint({self.response_format, *self.outputs})

    @property
    def has_voices(self) -> bool:
        """Whether there is a place for voices in the answer."""
        written = {self.response_format, *self.outputs}
        whole = self.progress or not self.stream
        return whole and not written.isdisjoint({"verbose_json", "diarized_json"})

    @property
    def wants_logprobs(self) -> bool:
        return False

    @property
    def detection(self) -> SpeechDetection | None:
        """How speech is found in this recording; None for the service's own way."""
        return None

    @property
    def hints(self) -> str | None:
        """The text that decoding continues from."""
        return self.prompt


class TranscriptionForm(TranslationForm):
    task: ClassVar[Task] = "transcribe"

    response_format: ResponseFormat = Field(  # type: ignore[assignment]
        "json", description="What the transcript is written as."
    )
    languages: tuple[LanguageCode, ...] = Field(
        (), alias="languages[]", description="The languages that may be detected."
    )
    keywords: tuple[str, ...] = Field(
        (), alias="keywords[]", description="Words to expect, such as names."
    )
    include: tuple[Literal["logprobs"], ...] = Field(
        (), alias="include[]", description="`logprobs`: each token, with `json` only."
    )
    timestamp_granularities: tuple[Granularity, ...] = Field(
        ("segment",),
        alias="timestamp_granularities[]",
        description="With `verbose_json`: `word`, `segment` or both. Ignored with the others.",
    )
    chunking_strategy: ChunkingStrategy = Field(
        ChunkingStrategy(type="auto"),
        description="`auto`, or `server_vad` with values in fields such as "
        "`chunking_strategy[threshold]`.",
    )
    known_speaker_names: tuple[KnownName, ...] = Field(
        (), alias="known_speaker_names[]", description="Up to 4 people, called so where they speak."
    )
    known_speaker_references: tuple[Reference, ...] = Field(
        (),
        alias="known_speaker_references[]",
        description="A recording of each of them, in the names' order, as a data URL: 2 to 10 s "
        "in which nobody else talks.",
    )

    @model_validator(mode="after")
    def _combinations(self) -> Self:
        if self.include and self.response_format != "json":
            raise wrong(
                "include",
                "'include[]=logprobs' needs 'response_format' to be 'json', not "
                f"{self.response_format!r}",
            )
        self._check_known_speakers()
        return self

    def _check_known_speakers(self) -> None:
        names, references = self.known_speaker_names, self.known_speaker_references
        if len(names) != len(references):
            raise wrong(
                "known_speaker_names" if len(names) > len(references) else _REFERENCES,
                f"there are {len(names)} 'known_speaker_names[]' and {len(references)} "
                "'known_speaker_references[]'; send one reference for each name",
            )
        if len(names) > MOST_KNOWN:
            raise wrong(
                "known_speaker_names",
                f"there are {len(names)} known speakers; send at most {MOST_KNOWN}",
            )
        if name := repeated(names):
            raise wrong(
                "known_speaker_names",
                f"two known speakers are called {name!r}; give each another name",
            )
        if names and not self.wants_speakers:
            raise wrong(
                "known_speaker_names",
                "known speakers need 'response_format' to be 'diarized_json', or 'speakers' to be "
                "true",
            )

    @property
    def known_speakers(self) -> tuple[KnownSpeaker, ...]:
        pairs = zip(self.known_speaker_names, self.known_speaker_references, strict=True)
        return tuple(KnownSpeaker(name=name, references=(each,)) for name, each in pairs)

    @property
    def given_names(self) -> tuple[str, ...]:
        return (*self.speaker_names, *self.known_speaker_names)

    @property
    def allowed_languages(self) -> tuple[str, ...]:
        return self.languages

    @property
    def wants_speakers(self) -> bool:
        return self.speakers or self.response_format == "diarized_json"

    @property
    def wants_words(self) -> bool:
        asked = self.response_format == "verbose_json" and "word" in self.timestamp_granularities
        return asked or super().wants_words

    @property
    def wants_logprobs(self) -> bool:
        return "logprobs" in self.include

    @property
    def detection(self) -> SpeechDetection | None:
        return self.chunking_strategy.detection

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
        "outputs",
        "speaker_names",
    }
)

_INDEX = re.compile(r"\[\d*\]$")
"""How clients mark an entry of a list: `include[]`, `include[0]`, or not at all."""

F = TypeVar("F", bound=TranslationForm)


def parse_form(model: type[F], fields: list[tuple[str, str]]) -> F:
    """Check a form's fields. An empty field counts as not sent. Raises InvalidOption."""
    values: dict[str, Any] = {}
    for name, text in fields:
        if text == "":
            continue
        key = _INDEX.sub("", name)
        if key in _LISTS:
            values.setdefault(key, []).append(text)
        elif name.partition("[")[0] == CHUNKING:
            add_chunking(values, name, text)
        else:
            values[name] = text
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidOption(*describe(error.errors())) from error
