"""What a client asked for, in the words of the stages."""

from dataclasses import dataclass

from interchange.stages import DiarizationOptions, Priority, RecognitionOptions, Source, Task


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """What a client asked for. The fields are those of the stages' options, gathered."""

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
    prompt: str | None = None
    temperature: float = 0.0
    priority: Priority = "interactive"
    batch_size: int | None = None

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
        )

    @property
    def diarization(self) -> DiarizationOptions:
        return DiarizationOptions(self.num_speakers, self.min_speakers, self.max_speakers)
