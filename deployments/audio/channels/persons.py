"""Whether channels hold a person each: by what they say, or by who is loud where."""

from collections import deque
from typing import Protocol

import numpy as np
import numpy.typing as npt

from deployments.audio.channels.meters import FRAMES, Meters
from deployments.audio.channels.separation import SPAN, own
from deployments.audio.speech.voice_activity import FRAME
from interchange.stages import SAMPLE_RATE, Float32

Counts = npt.NDArray[np.int64]

_SECOND = SAMPLE_RATE / FRAME  # frames


class Judge(Protocol):
    """Says of a recording's channels whether they are to be recognized each by itself."""

    @property
    def apart(self) -> bool | None:
        """By what was heard last; None where it says neither."""
        ...

    def hear(self, meters: Meters, samples: Float32) -> None:
        """Take in a step of (channels, n) samples."""
        ...


class ByContent:
    """For who asks for separate channels: whether two of them say something of their own."""

    _LEAST = round(1.5 * _SECOND)  # frames: who says less is no channel by itself
    _HEARD = 1e-4  # of the loudest there was, -40 dB: below it nobody speaks

    def __init__(self, channels: int) -> None:
        self._frames = np.zeros(channels, np.int64)
        self._loudest = 0.0

    @property
    def apart(self) -> bool | None:
        return True if (self._frames >= self._LEAST).sum() > 1 else None

    def hear(self, meters: Meters, samples: Float32) -> None:
        if self.apart or meters.same:
            return
        for start in range(0, samples.shape[1], SPAN):
            span = samples[:, start : start + SPAN]
            level = np.einsum("cn,cn->c", span, span) / span.shape[1]
            self._loudest = max(self._loudest, float(level.max()))
            heard = own(span) & (level > self._HEARD * self._loudest)
            self._frames += heard * (span.shape[1] // FRAME)


class ByLevel:
    """For who leaves it open: whether two channels or more have a speaker each.

    Whoever speaks into a microphone or a line of their own is louder there, by far, than anywhere
    else; and two who talk at the same time are so by turns, as syllables and pauses alternate. One
    who is heard by several microphones, as by a stereo pair, is about as loud in all of them.
    """

    _LEAST = round(_SECOND)  # frames of speech: who says less is nobody
    _STEPS = 30  # with sound, about half a minute
    _FAR = 16.0  # times the energy of the others: 12 dB
    _CLEAR = 4.0  # with the noise of both
    _NOISE = 2.0  # times the least energy that a channel had of late
    _AUDIBLE = 1e-6  # -60 dB of full scale
    _SPEECH = 0.5
    _APART = 1 / 3  # of the frames with speech that are loud in one channel only
    _TOGETHER = 1 / 5
    _ENOUGH = round(5 * _SECOND)

    def __init__(self, channels: int) -> None:
        # Frames with speech, and those of them that each channel has for itself.
        self._spoken: deque[int] = deque(maxlen=self._STEPS)
        self._alone: deque[Counts] = deque([np.zeros(channels, np.int64)], maxlen=self._STEPS)

    @property
    def apart(self) -> bool | None:
        spoken = sum(self._spoken)
        alone = np.sum(self._alone, axis=0)
        speakers = alone >= self._LEAST
        if speakers.sum() > 1 and alone[speakers].sum() >= self._APART * spoken:
            return True
        if spoken >= self._ENOUGH and alone.sum() < self._TOGETHER * spoken:
            return False
        return None

    def hear(self, meters: Meters, samples: Float32) -> None:
        energy = meters.energy
        alone = np.zeros(energy.shape, np.bool_)
        if meters.same:
            audible = np.vdot(samples[0], samples[0]) > self._AUDIBLE * samples.shape[1]
            spoken = FRAMES if audible else 0
        elif meters.judged:
            speech = meters.speech >= self._SPEECH
            net = np.maximum(energy - self._NOISE * meters.noise[:, None], 0)
            alone = speech & (net > self._FAR * _others(net))
            alone &= energy > self._CLEAR * _others(energy)
            spoken = int(speech.any(axis=0).sum())
        else:  # alike, or there is one that sounds
            spoken = int((np.sort(energy, axis=0)[-2] > self._AUDIBLE).sum())
        if spoken:
            self._spoken.append(spoken)
            self._alone.append(alone.sum(axis=1))


def _others(values: Float32) -> Float32:
    """The most that the other channels have, for each channel and frame."""
    second, loudest = np.sort(values, axis=0)[-2:]
    most: Float32 = np.where(values == loudest, second, loudest)
    return most
