"""What is said, with times and speakers: what lines and cues are made of."""

from collections.abc import Iterator
from dataclasses import dataclass

from interchange.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word, or a segment of which words are not known; `text` keeps its leading space.

    `segment` counts Whisper's segments.
    """

    text: str
    start: float
    end: float
    speaker: str | None
    language: str
    segment: int


def spoken(transcript: Transcript) -> Iterator[Spoken]:
    """All the text, in order."""
    for number, segment in enumerate(transcript.segments):
        for part in segment.words or (segment,):
            speaker = part.speaker or segment.speaker
            yield Spoken(part.text, part.start, part.end, speaker, segment.language, number)
