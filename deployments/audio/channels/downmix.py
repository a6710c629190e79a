"""From several channels to one, without losing what any of them says."""

import numpy as np

from interchange.stages import SAMPLE_RATE, Float32

_SILENT = 1e-3  # of the loudest channel's energy: -30 dB
_OPPOSED = -0.6  # coefficient of correlation with the loudest channel
_MEMORY = 0.8  # of the running energies from one block to the next
_FADE = SAMPLE_RATE // 50


class Downmix:
    """Averages the channels that carry sound, block by block.

    A plain average fails in two cases that occur. Where a channel is the other one upside
    down (a wrongly wired balanced line) the average is silence: such a channel is turned
    over. Where only one of many channels carries sound, it comes out faint: channels that
    were silent so far do not count. One speaker a channel, as telephone systems record,
    needs neither: unlike channels do not cancel.

    Weights are decided from a block and, with less weight, those before it, so the result
    depends only on where blocks begin, and a pause changes nothing.
    """

    def __init__(self, channels: int) -> None:
        self._products = np.zeros((channels, channels))
        self._heard = np.zeros(channels, dtype=bool)
        self._sign = np.ones(channels)
        self._weights: Float32 | None = None

    def __call__(self, block: Float32) -> Float32:
        """Mix `block` (channels, samples) down to (samples,)."""
        # Differences weaken what lies below speech, such as the bass of a film, by 12 dB an octave.
        wide = np.diff(block.astype(np.float64), 2)
        self._products = _MEMORY * self._products + wide @ wide.T
        before, after = self._weights, self._decide()
        self._weights = after
        mono: Float32 = after @ block
        if before is not None and not np.array_equal(before, after):
            # A step in the weights would be heard as a click, and looks like an onset.
            fade = np.linspace(0, 1, min(_FADE, block.shape[1]), dtype=np.float32)
            head = block[:, : len(fade)]
            mono[: len(fade)] = (before @ head) * (1 - fade) + mono[: len(fade)] * fade
        return mono

    def _decide(self) -> Float32:
        energy = np.diag(self._products)
        loudest = int(energy.argmax())
        if energy[loudest] > 0:
            self._heard |= energy > _SILENT * energy[loudest]
            scale = np.sqrt(energy * energy[loudest])
            correlation = np.divide(
                self._products[loudest], scale, out=np.zeros_like(scale), where=scale > 0
            )
            # The sign stays where the correlation says little: unlike channels, pauses.
            relative = self._sign * self._sign[loudest]
            relative = np.where(correlation < _OPPOSED, -1.0, relative)
            relative = np.where(correlation > -_OPPOSED, 1.0, relative)
            self._sign = relative * relative[0]  # the first channel is never the one turned over
        counted = self._heard if self._heard.any() else np.ones_like(self._heard)
        weights: Float32 = (self._sign * counted / counted.sum()).astype(np.float32)
        return weights
