"""The part of a session's audio that may still be needed."""

from collections import deque

import numpy as np

from interchange.stages import Int16


class AudioBuffer:
    """Samples `start` to `end` of a stream."""

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
