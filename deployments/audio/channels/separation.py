"""Channels by themselves, without what they only repeat of each other."""

import numpy as np
import numpy.typing as npt

from deployments.audio.channels.meters import LAG, speech_band
from deployments.audio.speech.voice_activity import STEP
from interchange.stages import SAMPLE_RATE, Float32

Bool = npt.NDArray[np.bool_]

SPAN = STEP // 2
"""Samples that are compared together: half a second."""

_MOST_LAG = SAMPLE_RATE // 50  # samples: how far an echo may lie behind, or before
_SAME = 0.9  # coefficient of correlation at the best lag
_BLEED = 0.5
_FAINTER = 0.25  # of the other's energy, -6 dB
_SILENT = 1e-9  # energy of the speech band, -90 dB of full scale
_FADE = SAMPLE_RATE // 50


class Separation:
    """Passes channels on, each with silence for as long as it repeats another one.

    Two channels repeat each other where they are alike, be one upside down or up to 20 ms late:
    equally loud they are one recording twice, and the first of them has it; otherwise the
    fainter one is what leaked from one microphone or line into the other. Where a person speaks
    as well, they are not alike, and nothing is left out.
    """

    def __init__(self, channels: int) -> None:
        self._open = np.ones(channels, np.float32)

    def __call__(self, samples: Float32) -> Float32:
        """Of (channels, n) samples, any number."""
        parts = [
            self._passed(samples[:, start : start + SPAN])
            for start in range(0, samples.shape[1], SPAN)
        ]
        return np.concatenate(parts, axis=1)

    def _passed(self, span: Float32) -> Float32:
        before, self._open = self._open, own(span).astype(np.float32)
        gates = np.repeat(self._open[:, None], span.shape[1], axis=1)
        fade = min(_FADE, span.shape[1])
        # What opens late, in the middle of a word, would lose its beginning: it opens at once.
        for channel in np.flatnonzero(before > self._open):
            gates[channel, :fade] = np.linspace(1, 0, fade, dtype=np.float32)
        passed: Float32 = span * gates
        return passed


def own(span: Float32) -> Bool:
    """(channels,): whether each says something that no other one says as well or louder."""
    if span.shape[1] <= LAG + 2 * _MOST_LAG:
        return np.ones(len(span), np.bool_)
    band = speech_band(span).astype(np.float64)
    energy = np.einsum("cn,cn->c", band, band)
    found: Bool = energy > _SILENT * band.shape[1]
    size = 2 ** int(np.ceil(np.log2(band.shape[1] + _MOST_LAG)))
    sounding = np.flatnonzero(found)
    spectra = {channel: np.fft.rfft(band[channel], size) for channel in sounding}
    for one in sounding:
        for other in sounding[sounding < one]:
            products = np.fft.irfft(spectra[one] * spectra[other].conj(), size)
            near = np.concatenate((products[: _MOST_LAG + 1], products[-_MOST_LAG:]))
            alike = np.abs(near).max() / np.sqrt(energy[one] * energy[other])
            fainter, louder = sorted((one, other), key=energy.__getitem__)
            if energy[fainter] < _FAINTER * energy[louder]:
                found[fainter] &= alike < _BLEED
            else:
                found[one] &= alike < _SAME
    return found
