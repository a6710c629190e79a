"""The ear of a session: its audio, and where somebody speaks in it."""

from collections import deque
from collections.abc import Iterator

import numpy as np

from interchange.samples import as_float32
from interchange.stages import Float32, Int16
from serve_app.live.speech import SpeechTracker, VoiceDetector


class AudioBuffer:
    """Samples `start` to `end` of a stream: those that may still be needed."""

    def __init__(self) -> None:
        self._blocks: deque[Int16] = deque()
        self.start = 0
        self.end = 0

    def append(self, block: Int16) -> None:
        if len(block):
            self._blocks.append(block)
            self.end += len(block)

    def drop_before(self, sample: int) -> None:
        """Forget whole blocks that end before a sample."""
        while self._blocks and self.start + len(self._blocks[0]) <= sample:
            self.start += len(self._blocks.popleft())

    def cut(self, start: int, end: int) -> Int16:
        """A copy of the samples from `start` to `end` that are held."""
        parts = []
        position = self.start
        for block in self._blocks:
            if position < end and position + len(block) > start:
                parts.append(block[max(start - position, 0) : end - position])
            position += len(block)
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)


class Hearing:
    """What of a stream is remembered. `speech` lags behind `audio`, by less than a detector's
    step."""

    def __init__(self, detector: VoiceDetector, threshold: float) -> None:
        self.audio = AudioBuffer()
        self.speech = SpeechTracker(threshold)
        self._detector = detector
        self._unjudged: Float32 = np.zeros(0, np.float32)

    def listen(self, samples: Int16) -> Iterator[int]:
        """Take more audio; the position, in samples, after each frame that is judged."""
        self.audio.append(samples)
        waiting = np.concatenate((self._unjudged, as_float32(samples)))
        step = self._detector.step
        whole = len(waiting) - len(waiting) % step
        self._unjudged = waiting[whole:]
        if whole:
            for probability in self._detector(waiting[:whole]):
                self.speech.feed(probability)
                yield self.speech.position

    def forget_before(self, sample: int) -> None:
        self.audio.drop_before(sample)
        self.speech.forget_before(sample)
