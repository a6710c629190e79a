"""Channels by themselves, without what they only repeat of each other."""

import numpy as np
import numpy.typing as npt

from deployments.audio.channels.meters import LAG, speech_band
from deployments.audio.speech.voice_activity import FRAME, STEP
from interchange.stages import SAMPLE_RATE, Float32

Bool = npt.NDArray[np.bool_]

SPAN = STEP // 2
"""Samples that are compared together: half a second."""

_NEAR = SAMPLE_RATE // 50  # samples: how far microphones may be apart
_SAME = 0.9  # coefficient of correlation at the best lag
_LEAKED = 0.5
_FAINTER = 0.25  # of the other's energy, -6 dB
_FOLLOWED = round(3 * SAMPLE_RATE / FRAME)  # frames of which levels are compared
_LEAST_FOLLOWED = 2 * SAMPLE_RATE // FRAME
_LATE = 3  # frames: the end of a sound in a room
_FOLLOWS = 0.75  # coefficient of correlation
_MUCH_FAINTER = 0.1  # of the other's energy, -10 dB
_SILENT = 1e-9  # energy of the speech band, -90 dB of full scale
_FADE = SAMPLE_RATE // 50


class Separation:
    """Passes channels on, each with silence for as long as it repeats another one.

    Two channels repeat each other where they are alike, be one upside down or late. Equally loud,
    and up to 20 ms apart, they are one recording twice, and the first of them has it. The fainter
    one of two is what leaked into another microphone, or came back over a line up to half a second
    later; through a room its waveform is another, but its level rises and falls with that of its
    source. Where a person speaks as well, they are not alike, and nothing is left out.
    """

    def __init__(self, channels: int) -> None:
        self._open = np.ones(channels, np.float32)
        self._before = np.zeros((channels, _NEAR), np.float32)
        self._levels = np.zeros((channels, 0), np.float32)  # of frames

    def __call__(self, samples: Float32) -> Float32:
        """Of (channels, n) samples, any number."""
        parts = [
            self._passed(samples[:, start : start + SPAN])
            for start in range(0, samples.shape[1], SPAN)
        ]
        return np.concatenate(parts, axis=1)

    def _passed(self, span: Float32) -> Float32:
        found = own(span, self._before)
        frames = span.shape[1] // FRAME
        if frames:
            levels = np.concatenate((self._levels, _levels(span)), axis=1)
            self._levels = levels[:, -_FOLLOWED - _LATE :]
            found &= ~_follow(self._levels, frames)
        before, self._open = self._open, found.astype(np.float32)
        self._before = span
        gates = np.repeat(self._open[:, None], span.shape[1], axis=1)
        fade = min(_FADE, span.shape[1])
        # What opens late, in the middle of a word, would lose its beginning: it opens at once.
        for channel in np.flatnonzero(before > self._open):
            gates[channel, :fade] = np.linspace(1, 0, fade, dtype=np.float32)
        passed: Float32 = span * gates
        return passed


def _levels(span: Float32) -> Float32:
    """Of the whole frames of a span: (channels, frames)."""
    band = speech_band(np.pad(span, ((0, 0), (LAG, 0)), "edge"))
    frames = band[:, : band.shape[1] // FRAME * FRAME].reshape(len(band), -1, FRAME)
    levels: Float32 = np.sqrt(np.einsum("cfn,cfn->cf", frames, frames) / FRAME)
    return levels


def _follow(levels: Float32, frames: int) -> Bool:
    """(channels,): whose level, (channels, n), follows that of one that is much louder, in all and
    in the last `frames`."""
    found = np.zeros(len(levels), np.bool_)
    if levels.shape[1] < _LEAST_FOLLOWED + _LATE:
        return found
    powers = levels**2
    now = powers[:, -frames:].mean(axis=1)
    late = np.maximum(now, powers[:, -2 * frames : -frames].mean(axis=1))
    whole = powers.mean(axis=1)
    fainter = (now[:, None] < _MUCH_FAINTER * late) & (whole[:, None] < _MUCH_FAINTER * whole)
    for channel, source in np.argwhere(fainter):
        follower = levels[channel, _LATE:]
        for lag in range(_LATE + 1):
            leader = levels[source, _LATE - lag : levels.shape[1] - lag]
            apart = follower.std() * leader.std()
            together = np.mean((follower - follower.mean()) * (leader - leader.mean()))
            found[channel] |= bool(together > _FOLLOWS * apart > 0)
    return found


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
