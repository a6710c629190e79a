"""From the options of a dialect to what the graph is asked."""

import uuid
from typing import Protocol

from interchange.stages import ChannelUse, Priority, Source, SpeechDetection, Task, Voice
from serve_app.transcription.request import TranscriptionRequest


class SharedOptions(Protocol):
    """What every dialect calls by the same names."""

    language: str | None
    num_speakers: int | None
    min_speakers: int | None
    max_speakers: int | None
    channels: ChannelUse


def transcription_request(
    source: Source,
    options: SharedOptions,
    *,
    task: Task,
    words: bool,
    speakers: bool,
    languages: tuple[str, ...] = (),
    speaker_names: tuple[str, ...] = (),
    known_speakers: tuple[Voice, ...] = (),
    identify: str | None = None,
    speaker_embeddings: bool = False,
    prompt: str | None = None,
    temperature: float = 0.0,
    priority: Priority = "interactive",
    batch_size: int | None = None,
    logprobs: bool = False,
    first_window_s: float | None = None,
    detection: SpeechDetection | None = None,
) -> TranscriptionRequest:
    """A request under a new id. What dialects say each in its own way comes by keyword; what a
    dialect has no word for is as here."""
    return TranscriptionRequest(
        id=str(uuid.uuid4()),
        source=source,
        task=task,
        language=options.language,
        languages=languages,
        words=words,
        speakers=speakers,
        num_speakers=options.num_speakers,
        min_speakers=options.min_speakers,
        max_speakers=options.max_speakers,
        channels=options.channels,
        speaker_names=speaker_names,
        known_speakers=known_speakers,
        identify=identify,
        speaker_embeddings=speaker_embeddings,
        prompt=prompt,
        temperature=temperature,
        priority=priority,
        batch_size=batch_size,
        logprobs=logprobs,
        first_window_s=first_window_s,
        detection=detection,
    )
