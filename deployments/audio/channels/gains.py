"""How much of each channel is heard, frame by frame.

As automatic mixers of microphones do it (D. Dugan, "Automatic microphone mixing", Journal of the
Audio Engineering Society 23, 1975): a channel's share is that of its level among all, so the sum
stays as loud as one of them, and who speaks is heard from the nearest microphone. Here levels
count as far as they are of speech, so the music of a film has no share beside its dialogue; and
everybody's speech is brought to the level of the loudest one's first.
"""

import numpy as np

from deployments.audio.channels.meters import Meters
from interchange.stages import Float32

_SURE = 0.5  # from here on a frame is speech
_RELATIVE = (0.5, 0.9)  # of the surest channel: beside that, up to here it is none; full from here
_SPREAD = 6  # frames around speech that belong to it: 0.2 s, the soft beginning of a word
_ECHO = 0.25  # -6 dB: below another's speech by more, a channel may hold just that
_HOLD = 2  # frames for which another's speech goes on being heard
_FEWEST = 3  # frames of speech that make a level
_MEMORY = 0.7  # of a level, from one step with speech to the next
_MOST = 4e4  # 46 dB
_NOISE = 1 / 30  # -15 dB: how far amplified noise stays below the loudest speech
_HEARD = 1e-6  # -60 dB of the loudest channel
_LEARNT = 0.5  # of a step's shares, for when nobody speaks
_FORGOTTEN = 0.05


class Gains:
    """The gains of one recording's channels."""

    def __init__(self, channels: int) -> None:
        self._level = np.zeros(channels, np.float32)  # of speech; 0 until there was some
        self._noise = np.zeros(channels, np.float32)
        self._usual = np.full(channels, 1 / channels, np.float32)

    def follow(self, meters: Meters) -> None:
        """Take in the levels of a step, which count for the step before it already."""
        if not meters.judged:
            return
        surest = np.maximum(meters.speech.max(axis=0), _SURE)
        own = (meters.speech >= _RELATIVE[1] * surest) & ~_echoes(meters)
        for channel in np.flatnonzero(own.sum(axis=1) >= _FEWEST):
            level = meters.energy[channel, own[channel]].mean()
            known = self._level[channel]
            self._level[channel] = level + _MEMORY * (known - level) if known else level
        self._noise = meters.noise

    def of(self, before: Meters | None, now: Meters, after: Meters | None) -> Float32:
        """The gains (channels, frames) of a step between two others."""
        heard = (now.energy.max(axis=1) > _HEARD * now.energy.max()) & ~now.bass
        usual = self._usual * heard
        total = usual.sum()
        usual = usual / total if total else np.full_like(usual, 1 / len(usual))
        if now.judged:
            amplified = np.where(_echoes(now), 1.0, self._amplification()[:, None])
            spoken = _spread(before, now, after)
        else:
            amplified = np.ones_like(now.energy)
            spoken = np.ones_like(now.energy) * heard[:, None]
        surest = spoken.max(axis=0)
        least, full = _RELATIVE
        counted = np.clip((spoken / np.maximum(surest, _SURE) - least) / (full - least), 0, 1)
        weighted = _smooth(now.energy) * amplified * counted
        total = weighted.sum(axis=0)
        shares = np.divide(weighted, total, out=np.zeros_like(weighted), where=total > 0)
        sure = np.minimum(surest / _SURE, 1) * (total > 0)
        if now.judged:
            self._learn(shares, sure)
        gains: Float32 = sure * shares * np.sqrt(amplified) + (1 - sure) * usual[:, None]
        return gains.astype(np.float32)

    def _amplification(self) -> Float32:
        """Of energies."""
        loudest = self._level.max()
        known = self._level > 0
        needed = np.divide(loudest, self._level, out=np.ones_like(self._level), where=known)
        allowed = np.divide(
            _NOISE * loudest, self._noise, out=np.full_like(needed, _MOST), where=self._noise > 0
        )
        gains: Float32 = np.clip(np.minimum(needed, allowed), 1.0, _MOST)
        return gains

    def _learn(self, shares: Float32, sure: Float32) -> None:
        speaking = sure >= 1
        if speaking.any():
            self._usual += _LEARNT * (shares[:, speaking].mean(axis=1) - self._usual)
        else:
            self._usual += _FORGOTTEN * (1 / len(self._usual) - self._usual)


def _echoes(meters: Meters) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Where a channel is so far below another one's speech that it may hold just that."""
    spoken = _most(np.where(meters.speech >= _SURE, meters.energy, 0), _HOLD)
    second, loudest = np.sort(spoken, axis=0)[-2:]
    others = np.where(spoken == loudest, second, loudest)
    return np.asarray(meters.energy < _ECHO * others)


def _spread(before: Meters | None, now: Meters, after: Meters | None) -> Float32:
    """The probability of speech in the frames around each one."""
    around = [
        np.zeros((len(now.speech), _SPREAD), np.float32) if step is None else step.speech[:, part]
        for step, part in ((before, slice(-_SPREAD, None)), (after, slice(_SPREAD)))
    ]
    held = np.concatenate((around[0], now.speech, around[1]), axis=1)
    return _most(held, _SPREAD)[:, _SPREAD:-_SPREAD]


def _most(values: Float32, around: int) -> Float32:
    """Of each frame and those around it."""
    padded = np.pad(values, ((0, 0), (around, around)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * around + 1, axis=1)
    most: Float32 = windows.max(axis=2)
    return most


def _smooth(energy: Float32) -> Float32:
    """Over three frames."""
    padded = np.pad(energy, ((0, 0), (1, 1)), mode="edge")
    mean: Float32 = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / np.float32(3)
    return mean
