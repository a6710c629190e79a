"""What a client asked for, in the words of the stages."""

from dataclasses import dataclass

from interchange.stages import (
    ChannelUse,
    DiarizationOptions,
    LoadOptions,
    Priority,
    RecognitionOptions,
    Source,
    SpeechDetection,
    Task,
    Voice,
)


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """What a client asked for. The fields are those of the stages' options, gathered.

    The first of `speaker_names` is written for SPEAKER_00, the second for SPEAKER_01, and so on;
    `known_speakers` are called by their names, and so are those who have a voice profile of the
    key that `identify` names, unless it is None. With `channels` separate each channel is
    recognized by itself, and a speaker is a channel; with auto it is where channels hold different
    people. `speaker_embeddings` asks for each speaker's voice.
    """

    id: str
    source: Source
    task: Task = "transcribe"
    language: str | None = None
    languages: tuple[str, ...] = ()
    words: bool = False
    speakers: bool = False
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    speaker_names: tuple[str, ...] = ()
    known_speakers: tuple[Voice, ...] = ()
    identify: str | None = None
    speaker_embeddings: bool = False
    prompt: str | None = None
    temperature: float = 0.0
    priority: Priority = "interactive"
    batch_size: int | None = None
    logprobs: bool = False
    first_window_s: float | None = None
    detection: SpeechDetection | None = None
    channels: ChannelUse = "auto"

    def loading(self, *, pcm: bool) -> LoadOptions:
        """`pcm` says whether the whole waveform is needed beside the windows."""
        return LoadOptions(pcm, self.first_window_s, self.detection, self.channels)

    @property
    def recognition(self) -> RecognitionOptions:
        return RecognitionOptions(
            request_id=self.id,
            task=self.task,
            language=self.language,
            languages=self.languages,
            # Speakers change between words, not between segments.
            word_timestamps=self.words or self.speakers,
            prompt=self.prompt,
            temperature=self.temperature,
            priority=self.priority,
            batch_size=self.batch_size,
            logprobs=self.logprobs,
        )

    @property
    def diarization(self) -> DiarizationOptions:
        return DiarizationOptions(
            self.num_speakers, self.min_speakers, self.max_speakers, self.known_speakers
        )
