"""How loud a recording is over its length, for who draws it."""

import numpy as np

from interchange.stages import SAMPLE_RATE, Float32
from interchange.transcript import Waveform

_STEP = SAMPLE_RATE // 20
_MOST = 4096
"""More peaks than a screen is wide; beyond, each stands for twice as long."""


class PeakMeter:
    """Keeps the loudest sample of each step of a recording, in a few kilobytes at any length."""

    def __init__(self) -> None:
        self._step = _STEP
        self._peaks = np.empty(0, np.float32)
        self._rest = np.empty(0, np.float32)

    def feed(self, block: Float32) -> None:
        """The next samples, from -1 to 1."""
        samples = np.concatenate((self._rest, block))
        whole = len(samples) // self._step * self._step
        found = np.abs(samples[:whole]).reshape(-1, self._step).max(axis=1)
        self._rest = samples[whole:]
        self._peaks = np.concatenate((self._peaks, found))
        while len(self._peaks) > _MOST:
            self._halve()

    def _halve(self) -> None:
        """What has no partner goes back to the samples, as one that is as loud."""
        even = len(self._peaks) // 2 * 2
        if even < len(self._peaks):
            alone = np.full(self._step, self._peaks[-1], np.float32)
            self._rest = np.concatenate((alone, self._rest))
        self._peaks = self._peaks[:even].reshape(-1, 2).max(axis=1)
        self._step *= 2

    def waveform(self) -> Waveform:
        """Of all that was fed; the last step may be cut short."""
        last = [np.abs(self._rest).max()] if len(self._rest) else []
        scaled = np.clip(np.rint(np.append(self._peaks, last) * 255), 0, 255).astype(np.uint8)
        return Waveform(self._step / SAMPLE_RATE, tuple(scaled.tolist()))
