"""Where somebody speaks within a window."""

from dataclasses import dataclass
from itertools import pairwise

from deployments.recognition.window.questions import Piece
from interchange.stages import SAMPLE_RATE, Window


@dataclass(frozen=True, slots=True)
class Speech:
    """Spans in seconds from the window's start, in order."""

    spans: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, window: Window) -> "Speech":
        """Voice activity's spans; all of a window that came without any."""
        spans = window.speech or ((0, len(window.samples)),)
        return cls(tuple((start / SAMPLE_RATE, end / SAMPLE_RATE) for start, end in spans))

    @property
    def end(self) -> float:
        return self.spans[-1][1]

    def next_start(self, at: float) -> float:
        """When somebody speaks next: then, or later; `at` itself if nobody does."""
        return next((max(at, start) for start, end in self.spans if end > at), at)

    def pauses(self) -> list[tuple[float, float]]:
        """The silences between the spans."""
        return [(one[1], two[0]) for one, two in pairwise(self.spans) if two[0] > one[1]]

    def within(self, start: float, end: float) -> float:
        """Seconds of speech between two times."""
        return sum(max(0.0, min(end, e) - max(start, s)) for s, e in self.spans)


def speech_end(window: Window, piece: Piece) -> float:
    """Seconds from a piece's start to the end of the window's speech."""
    end = round(Speech.of(window).end * SAMPLE_RATE)
    return (min(max(end, piece.start), piece.end) - piece.start) / SAMPLE_RATE
