"""What is said, with times and speakers: what lines and cues are made of."""

from collections.abc import Iterator
from dataclasses import dataclass

from interchange.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word, or a segment of which words are not known; `text` keeps its leading space.

    `segment` counts Whisper's segments. `channel` is the one that it was heard in by itself.
    """

    text: str
    start: float
    end: float
    speaker: str | None
    language: str
    segment: int
    channel: int | None = None


def spoken(transcript: Transcript) -> Iterator[Spoken]:
    """All the text, in order."""
    for number, segment in enumerate(transcript.segments):
        for part in segment.words or (segment,):
            yield Spoken(
                part.text,
                part.start,
                part.end,
                part.speaker or segment.speaker,
                segment.language,
                number,
                segment.channel,
            )
