"""From several channels to one, without losing what any of them says."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from deployments.audio.channels.gains import Gains
from deployments.audio.channels.meters import Metering, Meters
from deployments.audio.channels.phase import PhasedSum
from deployments.audio.speech.voice_activity import FRAME, STEP
from interchange.stages import Float32

_AROUND = 2048  # samples on both sides of a step that a channel is turned with
_RAMP = np.linspace(0, 1, FRAME, endpoint=False, dtype=np.float32)


class _Step(NamedTuple):
    samples: Float32  # (channels, STEP)
    meters: Meters


class Downmix:
    """Mixes the channels of one recording: who speaks is heard, from wherever they speak.

    What comes out is up to two steps behind what was fed, so that a word's beginning is known
    for one. It depends on the samples alone, not on how they are cut into pieces. `watch` is told
    of each step before it is mixed: what its meters say, and its samples (channels, STEP).
    """

    def __init__(
        self, channels: int, watch: Callable[[Meters, Float32], None] | None = None
    ) -> None:
        self._watch = watch
        self._metering = Metering(channels)
        self._gains = Gains(channels)
        self._sum = PhasedSum(channels)
        self._rest = np.zeros((channels, 0), np.float32)
        self._before: _Step | None = None
        self._now: _Step | None = None
        self._last: Float32 | None = None

    def feed(self, piece: Float32) -> Iterator[Float32]:
        """The mono samples that (channels, samples) of any number settle."""
        held = np.concatenate((self._rest, piece), axis=1)
        whole = held.shape[1] - held.shape[1] % STEP
        self._rest = held[:, whole:]
        for start in range(0, whole, STEP):
            yield from self._advance(held[:, start : start + STEP])

    def flush(self) -> Iterator[Float32]:
        """The mono samples of the end."""
        size = self._rest.shape[1]
        if size:
            yield from self._advance(np.pad(self._rest, ((0, 0), (0, STEP - size))))
        if self._now is not None:
            yield self._mix(self._now, None)[: size or STEP]

    def _advance(self, samples: Float32) -> Iterator[Float32]:
        after = _Step(samples, self._metering.read(samples))
        if self._watch is not None:
            self._watch(after.meters, samples)
        self._gains.follow(after.meters)
        if self._now is not None:
            yield self._mix(self._now, after)
        self._before, self._now = self._now, after

    def _mix(self, now: _Step, after: _Step | None) -> Float32:
        before = self._before
        if now.meters.same and self._sum.plain and self._even:
            only: Float32 = now.samples[0]
            return only
        gains = self._gains.of(
            before and before.meters, now.meters, None if after is None else after.meters
        )
        around = np.zeros((len(now.samples), _AROUND), np.float32)
        held = np.concatenate(
            (
                around if before is None else before.samples[:, -_AROUND:],
                now.samples,
                around if after is None else after.samples[:, :_AROUND],
            ),
            axis=1,
        )
        return self._sum(held, _AROUND, self._ramps(gains))

    @property
    def _even(self) -> bool:
        """Whether the last gains were those of channels that say the same."""
        return self._last is None or bool(np.allclose(self._last, 1 / len(self._last)))

    def _ramps(self, gains: Float32) -> Float32:
        """Gains for each sample: a step in them would be heard as a click, and taken for one."""
        first = gains[:, :1] if self._last is None else self._last
        edges: Float32 = np.concatenate(
            (first, (gains[:, :-1] + gains[:, 1:]) / 2, gains[:, -1:]), axis=1
        )
        self._last = gains[:, -1:]
        starts = edges[:, :-1, None]
        ramps: Float32 = starts + (edges[:, 1:, None] - starts) * _RAMP
        return ramps.reshape(len(gains), -1)
