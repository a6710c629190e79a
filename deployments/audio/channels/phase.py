"""Adding channels that may be upside down to each other, in part and for a while."""

from enum import Enum, auto

import numpy as np

from deployments.audio.channels.meters import LAG, speech_band
from deployments.audio.speech.voice_activity import FRAME
from interchange.stages import SAMPLE_RATE, Float32

_OPPOSED = 0.3
"""Coefficient of correlation: below its negative a sum loses something, above it a difference."""

_FAINT = 1e-5  # of the loudest frame's energy: -50 dB
_FADE = SAMPLE_RATE // 50


class _Way(Enum):
    """How a channel is added to those before it."""

    PLAIN = auto()
    UPSIDE_DOWN = auto()
    TURNED = auto()


class PhasedSum:
    """Adds up channels so that nothing that two of them hold is lost.

    A plain sum is silent where one channel is the other one upside down, as of a wrongly wired
    line; a difference is where they are alike; and of two speakers one may be each. Turned by a
    quarter of a period (a Hilbert transform) a channel adds to both: the sum has the energy of
    its parts. That is done where either way would lose something, as each has 3 dB less noise.
    """

    def __init__(self, channels: int) -> None:
        self._ways: list[_Way | None] = [None] * channels

    @property
    def plain(self) -> bool:
        """Whether the last channels were added as they are."""
        return all(way in (None, _Way.PLAIN) for way in self._ways)

    def __call__(self, held: Float32, start: int, gains: Float32) -> Float32:
        """The sum, by `gains` (channels, samples), of what `held` has from sample `start` on.

        What lies before and behind serves to turn a channel. Whole frames only.
        """
        size = gains.shape[1]
        total: Float32 | None = None
        for channel in np.flatnonzero(gains.any(axis=1)):
            part = gains[channel] * held[channel, start : start + size]
            now = _way(total, part)
            before = self._ways[channel] or now
            self._ways[channel] = now
            ways = {_Way.PLAIN: part}
            if _Way.UPSIDE_DOWN in (before, now):
                ways[_Way.UPSIDE_DOWN] = -part
            if _Way.TURNED in (before, now):
                turned = _quarter(held[channel])[start : start + size]
                ways[_Way.TURNED] = gains[channel] * turned
            part = ways[now] if before is now else _faded(ways[before], ways[now])
            total = part if total is None else total + part
        return np.zeros(size, np.float32) if total is None else total


def _way(total: Float32 | None, part: Float32) -> _Way:
    """By the frames in which both are to be heard."""
    if total is None:
        return _Way.PLAIN
    one, other = (
        speech_band(np.pad(each, (LAG, 0), "edge")).reshape(-1, FRAME).astype(np.float64)
        for each in (total, part)
    )
    energies = np.einsum("fn,fn->f", one, one), np.einsum("fn,fn->f", other, other)
    audible = np.minimum(*energies) > _FAINT * max(energy.max() for energy in energies)
    most = np.sqrt(energies[0] * energies[1])[audible]
    correlation = np.einsum("fn,fn->f", one, other)[audible] / most
    if not (correlation < -_OPPOSED).any():
        return _Way.PLAIN
    return _Way.TURNED if (correlation > _OPPOSED).any() else _Way.UPSIDE_DOWN


def _quarter(samples: Float32) -> Float32:
    """`samples` a quarter of a period later, at every frequency."""
    spectrum = np.fft.rfft(samples)
    return np.fft.irfft(-1j * spectrum, len(samples)).astype(np.float32)


def _faded(before: Float32, after: Float32) -> Float32:
    """From one into the other; a quarter of a period apart, they keep their energy on the way."""
    angle = np.linspace(0, np.pi / 2, min(_FADE, len(after)), dtype=np.float32)
    made = after.copy()
    made[: len(angle)] *= np.sin(angle)
    made[: len(angle)] += np.cos(angle) * before[: len(angle)]
    return made
