"""One channel of several by itself, without what it only repeats of the others."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from deployments.audio.channels.meters import LAG, speech_band
from interchange.stages import SAMPLE_RATE, Float32

_STEP = SAMPLE_RATE // 2
_MOST_LAG = SAMPLE_RATE // 50  # samples: how far an echo may lie behind, or before
_SAME = 0.9  # coefficient of correlation at the best lag
_BLEED = 0.5
_FAINTER = 0.25  # of the other's energy, -6 dB
_SILENT = 1e-9  # energy of the speech band, -90 dB of full scale
_HEARD = 1e-4  # of the loudest there was, -40 dB: below it nobody speaks
_LEAST_STEPS = 3  # 1.5 s: who says less is no channel by itself
_FADE = SAMPLE_RATE // 50
OPENING_S = 60
"""Seconds by which it is said how many channels there are."""


@dataclass(slots=True)
class Census:
    """How often, in the first minute, each channel had something of its own to say: `steps` of
    half a second."""

    channels: int = 1
    own: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    @property
    def count(self) -> int:
        """How many channels there are; 1 where at most one has anything of its own."""
        return self.channels if (self.own >= _LEAST_STEPS).sum() > 1 else 1

    def add(self, own: npt.NDArray[np.bool_]) -> None:
        if len(own) > self.channels:
            self.own = np.pad(self.own, (0, len(own) - len(self.own)))
            self.channels = len(own)
        self.own[: len(own)] += own


class Separation:
    """Passes one channel on, and silence for as long as it repeats another one.

    Two channels repeat each other where they are alike, be one upside down or up to 20 ms late:
    equally loud they are one recording twice, and the first of them has it; otherwise the
    fainter one is what leaked from one microphone or line into the other. Where a person speaks
    as well, they are not alike, and nothing is left out.
    """

    def __init__(self, channel: int, census: Census, channels: int) -> None:
        self._channel = channel
        self._census = census
        self._rest = np.zeros((channels, 0), np.float32)
        self._open = 1.0
        self._seen = 0
        self._loudest = 0.0

    def feed(self, piece: Float32) -> Iterator[Float32]:
        """The samples that (channels, samples) of any number settle."""
        held = np.concatenate((self._rest, piece), axis=1)
        whole = held.shape[1] - held.shape[1] % _STEP
        self._rest = held[:, whole:]
        for start in range(0, whole, _STEP):
            yield self._passed(held[:, start : start + _STEP])

    def flush(self) -> Iterator[Float32]:
        """The samples of the end."""
        if self._rest.shape[1]:
            yield self._passed(self._rest)

    def _passed(self, step: Float32) -> Float32:
        own = _own(step)
        if self._seen < OPENING_S * SAMPLE_RATE:
            level = np.einsum("cn,cn->c", step, step) / step.shape[1]
            self._loudest = max(self._loudest, float(level.max()))
            self._census.add(own & (level > _HEARD * self._loudest))
            self._seen += step.shape[1]
        if self._channel >= len(step):
            return np.zeros(step.shape[1], np.float32)
        before, self._open = self._open, float(own[self._channel])
        gate = np.full(step.shape[1], self._open, np.float32)
        fade = min(_FADE, len(gate))
        # What opens late, in the middle of a word, would lose its beginning: it opens at once.
        if before > self._open:
            gate[:fade] = np.linspace(before, self._open, fade, dtype=np.float32)
        passed: Float32 = step[self._channel] * gate
        return passed


def _own(step: Float32) -> npt.NDArray[np.bool_]:
    """(channels,): whether each says something that no other one says as well or louder."""
    if step.shape[1] <= LAG + 2 * _MOST_LAG:
        return np.ones(len(step), np.bool_)
    band = speech_band(step).astype(np.float64)
    energy = np.einsum("cn,cn->c", band, band)
    own = energy > _SILENT * band.shape[1]
    size = 2 ** int(np.ceil(np.log2(band.shape[1] + _MOST_LAG)))
    spectra = np.fft.rfft(band, size, axis=1)
    for one in range(len(step)):
        for other in range(one):
            if not (energy[one] > 0 and energy[other] > 0):
                continue
            products = np.fft.irfft(spectra[one] * spectra[other].conj(), size)
            near = np.concatenate((products[: _MOST_LAG + 1], products[-_MOST_LAG:]))
            alike = np.abs(near).max() / np.sqrt(energy[one] * energy[other])
            fainter, louder = sorted((one, other), key=energy.__getitem__)
            if energy[fainter] < _FAINTER * energy[louder]:
                own[fainter] &= alike < _BLEED
            else:
                own[one] &= alike < _SAME
    found: npt.NDArray[np.bool_] = own
    return found
