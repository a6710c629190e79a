"""The options of whisper-asr-webservice's routes, which stand in the query."""

from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from interchange.stages import Source, Task
from serve_app.http.around.sentences import wrong
from serve_app.http.intake.options import (
    Channels,
    Identify,
    Language,
    SpeakerCount,
    ordered_bounds,
)
from serve_app.http.intake.transcription import transcription_request
from serve_app.transcription.request import TranscriptionRequest

Output = Literal["txt", "vtt", "srt", "tsv", "json"]


class Encoding(BaseModel):
    """Unknown options are ignored."""

    encode: bool = Field(
        True,
        description="`false` says that the file is 16-bit PCM at 16 kHz, mono, without a header.",
    )


class AsrOptions(Encoding):
    task: Task = Field("transcribe", description="`translate` answers in English.")
    language: Language = Field(None, description="A code, a tag or an English name; else detected.")
    initial_prompt: str | None = Field(
        None, description="Text that the transcript reads as following."
    )
    word_timestamps: bool = Field(False, description="With `json`: each segment's words.")
    vad_filter: bool = Field(True, description="Silence is always left out.")
    diarize: bool = Field(False, description="Tell speakers apart.")
    num_speakers: SpeakerCount = None
    min_speakers: SpeakerCount = None
    max_speakers: SpeakerCount = None
    channels: Channels = "auto"
    identify: Identify = False
    output: Output = "txt"

    _bounds = model_validator(mode="after")(ordered_bounds)

    @model_validator(mode="after")
    def _identified_speak(self) -> Self:
        if self.identify and not self.diarize:
            raise wrong("identify", "'identify' needs 'diarize' to be true")
        return self

    def to_request(self, source: Source, identify: str | None) -> TranscriptionRequest:
        """`identify` names the key whose profiles are looked for."""
        return transcription_request(
            source,
            self,
            task=self.task,
            # Subtitles are cut between words, so they need their times.
            words=self.word_timestamps or self.output in ("srt", "vtt"),
            speakers=self.diarize,
            identify=identify,
            prompt=self.initial_prompt,
        )
