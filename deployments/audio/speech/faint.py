"""Speech that voice activity calls silence, such as whispers: where the model is to judge itself.

Two signs raise a doubt. The detector's network answers noise and music with a hundredth, and a
whisper now and then with a tenth. And pauses are far quieter than any speech, or steady, while a
whisper is loud and falls silent between its words. Few recordings have any such stretch.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from deployments.audio.speech.voice_activity import FRAME
from interchange.stages import SAMPLE_RATE

CUE = 0.1
"""Speech probability that raises a doubt about silence."""
_TRACE = 0.02  # and from which on there is something to listen to
AUDIBLE_DB = -55.0
"""Level of a frame that can be heard. Pauses are at -62 dB and less, whispers at -46 and more."""
_CHANGE_DB = 12.0  # from its quiet frames to its loud ones; music and engines stay below


def _frames(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE / FRAME)


_CUES = _frames(0.4)  # of doubt, until a stretch is worth it
_JUDGED = _frames(2.0)  # of sound that changes
_APART = _frames(0.3)  # of detected speech, which fades in and out
_END = _frames(2.0)  # without a trace
_BEFORE = _frames(5.0)  # of a stretch that had too little doubt so far
_PART = _frames(2.0)

Span = tuple[int, int]
"""Frames."""


@dataclass(slots=True)
class FaintFinder:
    """Finds faint speech in the frames between pieces of detected speech, as they come."""

    start: int | None = None
    """The first frame of a stretch that may be faint speech; what lies before is settled."""
    _doubtful: bool = False
    _last: int = 0  # frame with a trace
    _from: int = 0
    _cues: deque[int] = field(default_factory=lambda: deque(maxlen=_CUES))
    _levels: list[float] = field(default_factory=list)

    def add(self, frame: int, probability: float, level: float) -> Iterator[Span]:
        """The parts of faint speech that a frame settles, in order, each about two seconds long."""
        if frame < self._from:
            return
        if probability >= _TRACE or level > AUDIBLE_DB:
            self.start = frame if self.start is None else self.start
            self._last = frame
        if self.start is None:
            return
        if frame - self._last >= _END:
            yield from self._close(self._last + 1)
        elif not self._doubtful:
            self._doubtful = self._doubt(frame, probability, level)
            self.start = max(self.start, frame - _BEFORE)
        else:
            while min(frame - _APART, self._last) - self.start >= _PART:
                yield self.start, self.start + _PART
                self.start += _PART

    def speech_begins(self, frame: int) -> Iterator[Span]:
        """What is left where detected speech begins, or the recording ends."""
        yield from self._close(frame - _APART)

    def speech_ended(self, frame: int) -> None:
        """Take up again behind detected speech."""
        self._from = frame + _APART

    def _doubt(self, frame: int, probability: float, level: float) -> bool:
        if probability >= CUE:
            self._cues.append(frame)
            if len(self._cues) == _CUES and frame - self._cues[0] < _BEFORE:
                return True
        self._levels.append(level)
        if len(self._levels) < _JUDGED:
            return False
        quiet, usual, loud = np.percentile(self._levels, (10, 50, 90))
        del self._levels[: _JUDGED // 4]
        return bool(usual > AUDIBLE_DB and loud - quiet > _CHANGE_DB)

    def _close(self, end: int) -> Iterator[Span]:
        if self.start is not None and self._doubtful and end > self.start:
            yield self.start, end
        self.start, self._doubtful = None, False
        self._cues.clear()
        self._levels.clear()
