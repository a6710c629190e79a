"""From the frames that a decoder emits to the samples of every channel at 16 kHz.

PyAV has two faults that kill the process here. `planes`, and what is built on it, reads past
the end of a planar frame of eight channels and more: planes are taken by their number instead.
And an order of channels that FFmpeg has no name for is freed twice, with the frame and with the
frame's layout: `forget_order` takes it from a decoder, `kind` defuses what comes all the same.
Nobody here asks which channel is which.
"""

import ctypes
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import av
import numpy as np
from av.audio.plane import AudioPlane

from interchange.errors import UndecodableRecording
from interchange.stages import SAMPLE_RATE, Float32

MOST_CHANNELS = 512
"""What FFmpeg decodes at most."""

_RATES = range(1_000, 768_001)
_AT_ONCE = 64  # channels that FFmpeg resamples at most
_HELD = 2**21  # samples of all channels together: a second of 40 of them at 48 kHz

_OWN_ORDER = re.compile(r"\d+ channels \(")
_TYPES: dict[str, tuple[type[np.generic], float]] = {
    "u8": (np.uint8, 2.0**7),
    "s16": (np.int16, 2.0**15),
    "s32": (np.int32, 2.0**31),
    "s64": (np.int64, 2.0**63),
    "flt": (np.float32, 1.0),
    "dbl": (np.float64, 1.0),
}


class Kind(NamedTuple):
    """What all frames have in common that one resampler takes."""

    format: str
    layout: str
    rate: int


def forget_order(context: av.AudioCodecContext) -> int:
    """Let a decoder that is not open yet emit its channels in no particular order.

    Returns how many it has; a decoder may learn better from the stream.
    """
    layout = context.layout  # from here on it owns what the order is kept in
    if _OWN_ORDER.match(layout.name):
        context.layout = f"{layout.nb_channels} channels"
    return layout.nb_channels


def kind(frame: av.AudioFrame) -> Kind:
    """Raises UndecodableRecording where no recording can be of that kind."""
    layout = frame.layout.name
    if _OWN_ORDER.match(layout):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(frame.layout))  # lost rather than freed twice
    if frame.sample_rate not in _RATES:
        raise UndecodableRecording(
            f"The file claims a sample rate of {frame.sample_rate} Hz, which no recording has."
        )
    return Kind(frame.format.name, layout, frame.sample_rate)


def planes(frame: av.AudioFrame) -> list[memoryview]:
    """The bytes of a frame: one buffer a channel, or one in all where samples are interleaved."""
    count = frame.layout.nb_channels if frame.format.is_planar else 1
    return [memoryview(cast("Any", AudioPlane(frame, index))) for index in range(count)]


def samples(frame: av.AudioFrame) -> Float32:
    """The (channels, samples) of a frame in any of FFmpeg's formats, from -1 to 1."""
    dtype, scale = _TYPES[frame.format.name.removesuffix("p")]
    channels = frame.layout.nb_channels
    size = frame.samples if frame.format.is_planar else frame.samples * channels
    raw = np.stack([np.frombuffer(plane, dtype, size) for plane in planes(frame)])
    wide = raw.astype(np.float32) / np.float32(scale)
    if dtype == np.uint8:
        wide -= 1
    return wide if frame.format.is_planar else wide.reshape(-1, channels).T


class Resampler:
    """Frames of one kind to (channels, samples) at 16 kHz, about a second at a time.

    Codecs emit frames of a few milliseconds, and resampling each by itself costs four times the
    decoding. So they wait in a queue of FFmpeg's; those that FFmpeg would not resample are
    resampled in groups of channels.
    """

    def __init__(self, frame: av.AudioFrame) -> None:
        self.kind = kind(frame)
        self._channels = frame.layout.nb_channels
        self._size = min(self.kind.rate, max(_HELD // self._channels, 1))
        self._queue: _Queue = (
            _Grouped(self.kind, self._channels)
            if self._channels > _AT_ONCE or _OWN_ORDER.match(self.kind.layout)
            else _Direct(frame)
        )

    def push(self, frame: av.AudioFrame) -> Iterator[Float32]:
        frame.pts = None  # positions count samples; FFmpeg's queue insists on gapless ones
        self._queue.write(frame)
        while self._queue.samples >= self._size:
            yield from self._queue.resample(self._size)

    def flush(self) -> Iterator[Float32]:
        if self._queue.samples:
            yield from self._queue.resample(self._queue.samples)
        yield from self._queue.resample(0)


class _Direct:
    """FFmpeg's queue before FFmpeg's resampler."""

    def __init__(self, frame: av.AudioFrame) -> None:
        self._channels = frame.layout.nb_channels
        self._fifo = av.AudioFifo()
        self._resampler = av.AudioResampler("flt", frame.layout, SAMPLE_RATE)

    @property
    def samples(self) -> int:
        return self._fifo.samples

    def write(self, frame: av.AudioFrame) -> None:
        self._fifo.write(frame)

    def resample(self, count: int) -> Iterator[Float32]:
        """Of `count` samples that are held; none means that nothing follows."""
        for made in self._resampler.resample(self._fifo.read(count) if count else None):
            packed = cast("Float32", made.to_ndarray())
            yield packed.reshape(-1, self._channels).T


class _Grouped:
    """As many resamplers as it takes."""

    def __init__(self, kind: Kind, channels: int) -> None:
        self._rate = kind.rate
        self._held: list[Float32] = []
        self.samples = 0
        self._groups = [
            slice(first, min(first + _AT_ONCE, channels)) for first in range(0, channels, _AT_ONCE)
        ]
        self._resamplers = [
            av.AudioResampler("flt", f"{group.stop - group.start} channels", SAMPLE_RATE)
            for group in self._groups
        ]

    def write(self, frame: av.AudioFrame) -> None:
        self._held.append(samples(frame))
        self.samples += frame.samples

    def resample(self, count: int) -> Iterator[Float32]:
        frames: list[av.AudioFrame | None] = [None] * len(self._groups)
        if count:
            held = np.concatenate(self._held, axis=1)
            frames = [self._frame(held[group, :count]) for group in self._groups]
            self._held, self.samples = [held[:, count:]], self.samples - count
        made = [
            resampler.resample(frame)
            for resampler, frame in zip(self._resamplers, frames, strict=True)
        ]
        for alike in zip(*made, strict=True):
            yield np.concatenate(
                [cast("Float32", each.to_ndarray()).reshape(each.samples, -1).T for each in alike]
            )

    def _frame(self, channels: Float32) -> av.AudioFrame:
        packed = np.ascontiguousarray(channels.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, "flt", f"{len(channels)} channels")
        frame.sample_rate = self._rate
        return frame


_Queue = _Direct | _Grouped


def at_16k(frames: Iterator[av.AudioFrame]) -> Iterator[tuple[int, Float32]]:
    """(channels, samples) at 16 kHz, with a number that changes where the kind of audio does."""
    resampler: Resampler | None = None
    number = 0
    for frame in frames:
        if resampler is None or kind(frame) != resampler.kind:
            if resampler is not None:
                yield from ((number, piece) for piece in resampler.flush())
                number += 1
            resampler = Resampler(frame)
        for piece in resampler.push(frame):
            yield number, piece
    if resampler is not None:
        yield from ((number, piece) for piece in resampler.flush())
