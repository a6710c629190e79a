"""The result of a transcription: words, segments, turns.

All times are seconds from the start of the recording.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Word:
    """One word. `text` keeps the leading space that Whisper puts before a word.

    `token_count` is how many of its segment's tokens spell it; 0 where nobody counted.
    """

    text: str
    start: float
    end: float
    probability: float
    speaker: str | None = None
    token_count: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of text between two of Whisper's timestamps. `text` keeps its leading space."""

    start: float
    end: float
    text: str
    language: str
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0
    words: tuple[Word, ...] = ()
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker talks from `start` to `end`. Turns of several speakers may overlap."""

    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class WindowTranscript:
    """What recognition made of one window.

    `segments` is empty where the window held no words. `language_probabilities` lists the
    likeliest languages, best first; it is empty where the language was given.
    `decoded_again` counts the decodings after the first. `no_speech_prob` is how probably nobody
    speaks in it, as the model heard its beginning. `failed` says why the window has no
    transcript although it held speech; None if it has one.
    """

    index: int
    start: float
    end: float
    segments: tuple[Segment, ...]
    language: str
    language_probabilities: tuple[tuple[str, float], ...] = ()
    decoded_again: int = 0
    no_speech_prob: float = 0.0
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """Where each second of the recording went; `transcribed + silent + failed` is all of it.

    `decoded_again` is the part of `transcribed` that needed a second decoding. `silence_score`
    is how probably nobody speaks in the silent seconds, in mean: 1 where voice activity found
    none, and what the model gave for silence where it was asked.
    """

    transcribed: float = 0.0
    silent: float = 0.0
    silence_score: float = 1.0
    decoded_again: float = 0.0
    failed: float = 0.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole recording. `turns` is None where speakers were not asked for.

    `stage_seconds` has the wall time of each stage: load, recognize, diarize, total.
    """

    segments: tuple[Segment, ...]
    language: str
    duration: float
    turns: tuple[Turn, ...] | None = None
    quality: Quality = field(default_factory=Quality)
    stage_seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The whole text. It keeps its leading space, as Whisper writes it."""
        return "".join(segment.text for segment in self.segments)

    @property
    def words(self) -> tuple[Word, ...]:
        return tuple(word for segment in self.segments for word in segment.words)
