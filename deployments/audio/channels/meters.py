"""What each channel holds: how loud it is, and how probably somebody speaks in it."""

import copy
from dataclasses import dataclass

import numpy as np

from deployments.audio.speech.voice_activity import FRAME, STEP, Leveller, Listener, shared_network
from interchange.stages import Float32

FRAMES = STEP // FRAME

LAG = 4
"""Samples before a sample's own that its speech band needs."""

_ALIKE = 0.9
"""Coefficient of correlation from which two channels say the same, be it upside down."""

_BASS = 1e-2
_RISE = 1.1  # of noise that is not to be told from sound, in a step
_LIVELY = 2.5  # times the noise, 4 dB: less is nobody speaking
_SILENT = 1e-9  # -90 dB of full scale
_MOST_JUDGED = 8
_MOST_COMPARED = 64


def speech_band(samples: Float32) -> Float32:
    """What words are made of, without offset and hum: the last axis is LAG samples shorter.

    Differences over a quarter of a millisecond, with their peak at 2 kHz.
    """
    return samples[..., LAG:] - samples[..., :-LAG]


@dataclass(frozen=True, slots=True)
class Meters:
    """Of a step of FRAMES frames, for each channel and frame.

    `energy` is that of the `speech_band`, `noise` the least that a channel had of late.
    `speech` is its probability, if `judged`: where all channels say the same, nothing depends on
    it. `bass` tells the channels that hold nothing but what hums below that band. `same` is
    whether all channels are one, and nothing was measured.
    """

    energy: Float32
    noise: Float32
    speech: Float32
    judged: bool
    bass: np.ndarray[tuple[int], np.dtype[np.bool_]]
    same: bool = False


class Metering:
    """Meters of one recording's channels, step by step."""

    def __init__(self, channels: int) -> None:
        self._levellers = [Leveller() for _ in range(channels)]
        self._listeners = [Listener(shared_network()) for _ in range(channels)]
        self._noise = np.full(channels, np.inf, np.float32)
        self._last = np.zeros((channels, LAG), np.float32)
        self._sounded: list[int] = []
        self._take_turns = False

    def read(self, step: Float32) -> Meters:
        """Of (channels, STEP) samples."""
        channels = len(step)
        if (step[1:] == step[0]).all():  # a mono recording in two channels is common
            self._last = step[:, -LAG:]
            nothing = np.zeros((channels, FRAMES), np.float32)
            return Meters(nothing, self._noise, nothing, False, nothing[:, 0] > 0, same=True)
        frames = speech_band(np.concatenate((self._last, step), axis=1))
        frames = frames.reshape(channels, FRAMES, FRAME)
        self._last = step[:, -LAG:]
        energy = np.einsum("cfn,cfn->cf", frames, frames) / FRAME
        power = np.einsum("cn,cn->c", step, step) / STEP
        bass = energy.mean(axis=1) < _BASS * power
        speech = np.zeros((channels, FRAMES), np.float32)
        self._noise = np.minimum(_RISE * self._noise, energy.min(axis=1))
        lively = energy.max(axis=1) > np.maximum(_SILENT, _LIVELY * self._noise)
        sounding = [c for c in range(channels) if energy[c].max() > _SILENT]
        kinds = _kinds(frames, energy, sounding)
        # One at a time may be two who say nothing else the same.
        self._take_turns |= bool(sounding and self._sounded and sounding != self._sounded)
        self._sounded = sounding or self._sounded
        judged = len(kinds) > 1 or self._take_turns
        if judged:
            # Of too many, those whose level moves most: it does where somebody speaks nearby.
            movement = np.log(energy.max(axis=1) + _SILENT) - np.log(energy.min(axis=1) + _SILENT)
            kinds = [kind for kind in kinds if lively[kind].any()]
            kinds.sort(key=lambda alike: -movement[alike[0]])
            for first, *others in kinds[:_MOST_JUDGED]:
                speech[first] = self._listeners[first](self._levellers[first](step[first]))
                for other in others:
                    speech[other] = speech[first]
                    self._levellers[other] = copy.copy(self._levellers[first])
                    self._listeners[other] = copy.copy(self._listeners[first])
        return Meters(energy, self._noise, speech, judged, bass)


def _kinds(frames: Float32, energy: Float32, sounding: list[int]) -> list[list[int]]:
    """The channels that sound, those together that say the same."""
    if len(sounding) > _MOST_COMPARED:
        return [[channel] for channel in sounding]
    kinds: list[list[int]] = []
    for channel in sounding:
        for kind in kinds:
            products = np.abs(np.einsum("fn,fn->f", frames[channel], frames[kind[0]])) / FRAME
            most = np.sqrt(energy[channel].sum() * energy[kind[0]].sum())
            if products.sum() > _ALIKE * most:
                kind.append(channel)
                break
        else:
            kinds.append([channel])
    return kinds
