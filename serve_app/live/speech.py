"""Where somebody speaks, from the speech probability of each frame.

The thresholds work as in Silero's and most other detectors: speech begins where the probability
rises over one threshold, and ends where it stays under a lower one for a while.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from interchange.stages import Float32

FRAME = 512
"""Samples that one speech probability stands for: 32 ms."""

_HYSTERESIS = 0.15
_SHORTEST = 3 * FRAME  # 96 ms, shorter than any word
_PAUSE = 4 * FRAME  # longer than the closure of a plosive


class VoiceDetector(Protocol):
    """The voice activity of one stream, which it judges by steps of `step` samples."""

    step: int

    def __call__(self, samples: Float32) -> Sequence[float]:
        """How probably each frame of the next steps is speech."""
        ...


class SpeechTracker:
    """The spans of speech in one stream, in samples, as its frames come."""

    def __init__(self, threshold: float) -> None:
        self.position = 0
        self._ended = 0
        self._spans: deque[tuple[int, int]] = deque()
        self._open: int | None = None
        self._quiet: int | None = None
        self.use(threshold)

    def use(self, threshold: float) -> None:
        """Judge by another threshold from here on."""
        self._enter = threshold
        self._leave = max(threshold - _HYSTERESIS, threshold / 2)

    def feed(self, probability: float) -> None:
        """The next frame."""
        if self._open is None:
            if probability >= self._enter:
                self._open = self.position
        elif probability >= self._enter:
            self._quiet = None
        elif probability < self._leave and self._quiet is None:
            self._quiet = self.position
        self.position += FRAME
        if self._quiet is not None and self.position - self._quiet >= _PAUSE:
            self._ended = self.voiced_end
            self._spans += ((s, e) for s, e in self._going_on() if e - s >= _SHORTEST)
            self._open = self._quiet = None

    @property
    def voiced_end(self) -> int:
        """Where the last speech of all ends; 0 before any."""
        return max((e for s, e in self._going_on() if e - s >= _SHORTEST), default=self._ended)

    def spans(self, start: int, end: int) -> list[tuple[int, int]]:
        """What is speech between two samples, in order; the last span may go on. What is shorter
        than any word is none."""
        clipped = ((max(s, start), min(e, end)) for s, e in (*self._spans, *self._going_on()))
        return [(s, e) for s, e in clipped if e - s >= _SHORTEST]

    def voiced_until(self, start: int, end: int) -> int | None:
        """Where the last speech between two samples ends; None without any."""
        found = self.spans(start, end)
        return found[-1][1] if found else None

    def forget_before(self, sample: int) -> None:
        while self._spans and self._spans[0][1] <= sample:
            self._spans.popleft()

    def _going_on(self) -> list[tuple[int, int]]:
        if self._open is None:
            return []
        end = self.position if self._quiet is None else self._quiet
        return [(self._open, end)]
