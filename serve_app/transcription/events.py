"""What is told of a recording on its way, and what a later try is told of an earlier one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from interchange.transcript import Segment, Transcript, Turn, WindowTranscript


@dataclass(frozen=True, slots=True)
class Progress:
    """Seconds of the recording loaded and recognized so far; `total` once it is known."""

    loaded: float
    recognized: float
    total: float | None


@dataclass(frozen=True, slots=True)
class WindowDone:
    """A window is recognized, maybe before an earlier one. A job keeps it, and hands it back as
    `Resume` after a crash. A second one for the same window replaces the first: the language of
    the others has overruled its own."""

    window: WindowTranscript


@dataclass(frozen=True, slots=True)
class FinishedStretch:
    """What diarization found in a stretch of the recording, and the fingerprint of what it was
    given: the same samples, by the same model, need not be looked at again."""

    number: int
    fingerprint: str
    analysis: bytes


@dataclass(frozen=True, slots=True)
class StretchDone:
    """A stretch is analysed, maybe before an earlier one. A job keeps it, and hands it back as
    `Resume` after a crash. A second one for the same stretch replaces the first: the recording
    behind its URL has changed."""

    stretch: FinishedStretch


@dataclass(frozen=True, slots=True)
class SegmentReady:
    """The next segment in order. Its speaker is not known before the end."""

    segment: Segment


@dataclass(frozen=True, slots=True)
class TurnsReady:
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class TranscriptReady:
    transcript: Transcript


Event = Progress | WindowDone | StretchDone | SegmentReady | TurnsReady | TranscriptReady


@dataclass(frozen=True, slots=True)
class Resume:
    """What an earlier try at the same recording finished: windows, and stretches that diarization
    has analysed, by their numbers."""

    windows: Mapping[int, WindowTranscript] = field(default_factory=dict)
    stretches: Mapping[int, FinishedStretch] = field(default_factory=dict)
