"""Channels by themselves, without what they only repeat of each other."""

import numpy as np
import numpy.typing as npt

from deployments.audio.channels.meters import LAG, speech_band
from deployments.audio.speech.voice_activity import STEP
from interchange.stages import SAMPLE_RATE, Float32

Bool = npt.NDArray[np.bool_]

SPAN = STEP // 2
"""Samples that are compared together: half a second."""

_NEAR = SAMPLE_RATE // 50  # samples: how far microphones may be apart
_SAME = 0.9  # coefficient of correlation at the best lag
_LEAKED = 0.5
_FAINTER = 0.25  # of the other's energy, -6 dB
_SILENT = 1e-9  # energy of the speech band, -90 dB of full scale
_FADE = SAMPLE_RATE // 50


class Separation:
    """Passes channels on, each with silence for as long as it repeats another one.

    Two channels repeat each other where they are alike, be one upside down or late. Equally loud,
    and up to 20 ms apart, they are one recording twice, and the first of them has it. The fainter
    one of two is what leaked into another microphone, or came back over a line up to half a second
    later. Where a person speaks as well, they are not alike, and nothing is left out.
    """

    def __init__(self, channels: int) -> None:
        self._open = np.ones(channels, np.float32)
        self._before = np.zeros((channels, _NEAR), np.float32)

    def __call__(self, samples: Float32) -> Float32:
        """Of (channels, n) samples, any number."""
        parts = [
            self._passed(samples[:, start : start + SPAN])
            for start in range(0, samples.shape[1], SPAN)
        ]
        return np.concatenate(parts, axis=1)

    def _passed(self, span: Float32) -> Float32:
        before, self._open = self._open, own(span, self._before).astype(np.float32)
        self._before = span
        gates = np.repeat(self._open[:, None], span.shape[1], axis=1)
        fade = min(_FADE, span.shape[1])
        # What opens late, in the middle of a word, would lose its beginning: it opens at once.
        for channel in np.flatnonzero(before > self._open):
            gates[channel, :fade] = np.linspace(1, 0, fade, dtype=np.float32)
        passed: Float32 = span * gates
        return passed


def own(span: Float32, before: Float32 | None = None) -> Bool:
    """(channels,): whether each says something that no other one says as well or louder, be it in
    what came `before`."""
    size = span.shape[1] - LAG
    if size <= 2 * _NEAR:
        return np.ones(len(span), np.bool_)
    if before is None:
        before = np.zeros((len(span), _NEAR), np.float32)
    heard = speech_band(np.concatenate((before, span), axis=1)).astype(np.float64)
    now = heard[:, -size:]
    energy = np.einsum("cn,cn->c", now, now)
    found: Bool = energy > _SILENT * size
    points = 2 ** int(np.ceil(np.log2(heard.shape[1] + size)))
    # Energies of what is as long as `now`, from each sample of `heard` on.
    sums = np.cumsum(np.pad(heard**2, ((0, 0), (1, _NEAR))), axis=1)
    last = heard.shape[1] - size
    energies = sums[:, np.minimum(np.arange(last + _NEAR) + size, sums.shape[1] - 1)]
    energies -= sums[:, : last + _NEAR]
    sources = np.flatnonzero(energies.max(axis=1) > _SILENT * size)
    spectra = {source: np.fft.rfft(heard[source], points) for source in sources}
    for channel in np.flatnonzero(found):
        mine = np.fft.rfft(now[channel], points).conj()
        for source in sources[sources != channel]:
            products = np.abs(np.fft.irfft(mine * spectra[source], points)[: last + _NEAR])
            theirs = np.maximum(energies[source], _SILENT)
            alike = products / np.sqrt(theirs * energy[channel])
            louder = theirs * _FAINTER > energy[channel]
            if (alike[louder] > _LEAKED).any():
                found[channel] = False
            elif source < channel:
                as_loud = ~louder & (energy[channel] * _FAINTER <= theirs)
                found[channel] &= (alike * as_loud)[max(0, last - _NEAR) :].max() < _SAME
    return found
