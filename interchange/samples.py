"""The two forms of a waveform: 16 bits where it lies or travels, floats where it is worked on.

And the stretches that diarization takes it in.
"""

from collections.abc import Iterator

import numpy as np

from interchange.stages import STRETCH, STRETCH_REACH, Float32, Int16, Stretch

_FULL_SCALE = 32768


def as_int16(samples: Float32) -> Int16:
    """Samples in [-1, 1] in half the memory; what once was 16 bits is so again, bit for bit."""
    scaled = np.rint(samples * np.float32(_FULL_SCALE))
    quantized: Int16 = np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)
    return quantized


def as_float32(samples: Int16) -> Float32:
    """Samples in [-1, 1]."""
    return samples * np.float32(1 / _FULL_SCALE)


class StretchCutter:
    """Cuts a recording that comes in blocks into stretches; how it comes makes no difference."""

    def __init__(self) -> None:
        self._number = 0
        self._held: list[Int16] = []
        self._size = 0

    def feed(self, samples: Int16) -> Iterator[Stretch]:
        """The stretches that these samples complete."""
        # Never more at once than a stretch wants: what is held is copied with each of them.
        while len(samples) > 0:
            wanted = STRETCH + STRETCH_REACH - self._size
            self._held.append(samples[:wanted])
            self._size += len(samples[:wanted])
            samples = samples[wanted:]
            if self._size == STRETCH + STRETCH_REACH:
                yield self._next()

    def flush(self) -> Iterator[Stretch]:
        """What is left when the recording has ended."""
        while self._size > 0:
            yield self._next()

    def _next(self) -> Stretch:
        held = np.concatenate(self._held)
        found = Stretch(self._number, held[: STRETCH + STRETCH_REACH])
        self._number += 1
        # A copy: what is kept holds nothing of what has left.
        self._held, self._size = [held[STRETCH:].copy()], len(held) - STRETCH
        return found
