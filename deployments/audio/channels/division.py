"""Several channels as one, and where they hold different people also each by itself."""

from collections.abc import Callable, Iterator

import numpy as np

from deployments.audio.channels.downmix import Downmix
from deployments.audio.channels.persons import ByContent, ByLevel, Judge
from deployments.audio.channels.separation import Separation
from deployments.audio.speech.voice_activity import FRAME
from interchange.errors import InvalidOption
from interchange.stages import SAMPLE_RATE, ChannelUse, Float32

MOST_CHANNELS = 8
_OPENING = 60 * SAMPLE_RATE
"""Samples that are held back, at most, until it is known what they are."""

_RUN = 8  # frames: a pause of a quarter of a second
_QUIET = 1 / 400  # of the loudest frame of late: -26 dB
_DECAY = 0.93  # of that, a step; halves in ten seconds
_PATIENCE = 10  # steps for which a pause is waited for


class Division:
    """Yields the mix, (samples,), and from where on channels hold different people (1 + channels,
    samples): the mix and each channel by itself.

    What a recording begins with is held back until a judge knows, or for a minute. Later the kind
    changes in a pause, so that no word is cut.
    """

    def __init__(self, channels: int, judge: Judge) -> None:
        self._judge = judge
        self._downmix = Downmix(channels, judge.hear)
        self._separation = Separation(channels)
        self._unmixed = np.zeros((channels, 0), np.float32)
        self._opening: list[Float32] | None = []
        self._apart = False
        self._waited = 0
        self._loudest = 0.0

    def feed(self, piece: Float32) -> Iterator[Float32]:
        """What (channels, samples) of any number settle."""
        self._unmixed = np.concatenate((self._unmixed, piece), axis=1)
        for mono in self._downmix.feed(piece):
            yield from self._settle(mono)

    def flush(self) -> Iterator[Float32]:
        """The end."""
        for mono in self._downmix.flush():
            yield from self._settle(mono)
        yield from self._open()

    def _settle(self, mono: Float32) -> Iterator[Float32]:
        channels, self._unmixed = np.split(self._unmixed, [len(mono)], axis=1)
        both = np.concatenate((mono[None], channels))
        if self._opening is not None:
            if not self._opening and (channels == channels[0]).all():
                yield mono
                return
            self._opening.append(both)
            held = sum(each.shape[1] for each in self._opening)
            if self._judge.apart is not None or held >= _OPENING:
                yield from self._open()
            return
        pause = self._pause(mono)
        wanted = self._judge.apart
        if wanted is None or wanted == self._apart:
            self._waited = 0
        elif pause is None and self._waited < _PATIENCE:
            self._waited += 1
        else:
            if pause is not None:
                yield self._given(both[:, :pause])
                both = both[:, pause:]
            self._apart = wanted
        yield self._given(both)

    def _open(self) -> Iterator[Float32]:
        """The opening, of which all that can be known is known."""
        if self._opening is not None:
            self._apart = bool(self._judge.apart)
            for each in self._opening:
                yield self._given(each)
            self._opening = None

    def _given(self, both: Float32) -> Float32:
        if not self._apart:
            mix: Float32 = both[0]
            return mix
        return np.concatenate((both[:1], self._separation(both[1:])))

    def _pause(self, mono: Float32) -> int | None:
        """A sample in whose surroundings nobody speaks."""
        if len(mono) < _RUN * FRAME:
            return None
        frames = mono[: len(mono) - len(mono) % FRAME].reshape(-1, FRAME)
        energy = np.einsum("fn,fn->f", frames, frames)
        self._loudest = max(_DECAY * self._loudest, float(energy.max()))
        runs = np.lib.stride_tricks.sliding_window_view(energy, _RUN).max(axis=1)
        quietest = int(runs.argmin())
        if runs[quietest] > _QUIET * self._loudest:
            return None
        return (quietest + _RUN // 2) * FRAME


def mixer(use: ChannelUse) -> Callable[[int], Downmix | Division]:
    """What makes of so many channels what is asked for.

    Its call raises InvalidOption where more are to be separate than can be.
    """

    def made(channels: int) -> Downmix | Division:
        if use == "separate":
            if channels > MOST_CHANNELS:
                raise InvalidOption(
                    f"The recording has {channels} channels, and at most {MOST_CHANNELS} can be "
                    "recognized separately; leave 'channels' out.",
                    "channels",
                )
            return Division(channels, ByContent(channels))
        if use == "auto" and channels <= MOST_CHANNELS:
            return Division(channels, ByLevel(channels))
        return Downmix(channels)

    return made
