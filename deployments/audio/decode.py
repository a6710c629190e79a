"""Decoding any audio or video file to 16 kHz mono with PyAV (FFmpeg's libraries).

FFmpeg runs in this process, on input that anybody may have made. It is given bytes and
nothing else: demuxers come from a list without playlists, devices and network formats, and
a file that refers to another one is refused when it tries to open it.
"""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import NoReturn, Protocol, cast

import av
import av.container
import numpy as np

from deployments.audio.channels.downmix import Downmix
from deployments.audio.media.timeline import fill_gaps
from interchange.errors import NoAudioStream, RecordingTooLong, UndecodableRecording
from interchange.stages import SAMPLE_RATE, Float32

BLOCK = SAMPLE_RATE
"""Samples in a decoded block: one second."""

# Self-contained media files that FFmpeg recognises by their content.
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,ircam,loas,matroska,"
    "mlp,mmf,mov,mp3,mpc,mpc8,mpeg,mpegts,mxf,nistsphere,nsv,nut,ogg,oma,qcp,rm,sox,tak,truehd,"
    "tta,voc,w64,wav,webm,wsd,wv,xwma"
)
_RATES = range(1_000, 768_001)
_MISSING_S = 1.0


class _Nameless:
    """A file object without its name, which FFmpeg would draw conclusions from."""

    def __init__(self, file: "Readable") -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable


class Readable(Protocol):
    """What the decoder needs of a file; of one that is not seekable it reads on only."""

    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def seekable(self) -> bool: ...


class Decoder:
    """One pass over a file's first audio track.

    Iterate over it once for blocks of BLOCK samples (float32, 16 kHz, mono; the last one may be
    shorter). A fault in the middle ends or thins the recording and leaves a sentence in
    `notes`; where nothing at all could be decoded it raises.

    Raises UndecodableRecording, NoAudioStream, RecordingTooLong, and what reading raises.
    """

    def __init__(self, file: Readable, *, max_duration_s: float) -> None:
        self._file = file
        self._limit = round(max_duration_s * SAMPLE_RATE)
        self._limit_s = max_duration_s
        self._samples = 0
        self._faults = 0
        self._ended_by: av.FFmpegError | None = None
        self._declared: float | None = None
        self.notes: list[str] = []

    @property
    def broken_off(self) -> bool:
        """Whether the container could not be read to its end."""
        return self._ended_by is not None

    def __iter__(self) -> Iterator[Float32]:
        try:
            container = av.open(
                _Nameless(self._file),
                mode="r",
                metadata_errors="replace",
                io_open=_refuse_reference,
                container_options={"format_whitelist": _FORMATS, "protocol_whitelist": "none"},
            )
        except (av.FFmpegError, ValueError) as error:
            raise UndecodableRecording(
                "The file is not audio or video in a format that can be decoded, "
                "or it is damaged at its start."
            ) from error
        with container:
            if not container.streams.audio:
                raise NoAudioStream(
                    f"The file is {container.format.long_name} without an audio track; "
                    "send one that has sound."
                )
            # The first track, whatever a container flags as its default: players differ in
            # that, and a user can tell which track is first.
            stream = container.streams.audio[0]
            if stream.codec_context is None:
                raise UndecodableRecording("The audio track uses a codec that is not known here.")
            if stream.duration is not None and stream.time_base is not None:
                self._declared = float(stream.duration * stream.time_base)
            start = container.start_time
            frames = fill_gaps(
                self._frames(container, stream), None if start is None else start / av.time_base
            )
            yield from self._rebatch(_at_16k(frames))
        self._conclude()

    def _frames(
        self, container: av.container.InputContainer, stream: av.AudioStream
    ) -> Iterator[av.AudioFrame]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._ended_by = error
                return
            if packet is None:
                return
            try:
                frames = packet.decode()
            except av.FFmpegError:
                # As ffmpeg does: one bad packet does not spoil those after it.
                self._faults += 1
                continue
            for frame in frames:
                if isinstance(frame, av.AudioFrame) and frame.samples:
                    yield frame

    def _rebatch(self, pieces: Iterator[tuple[int, Float32]]) -> Iterator[Float32]:
        """Cut (channels, samples) pieces into mono blocks of BLOCK samples."""
        for _, alike in groupby(pieces, key=itemgetter(0)):
            held: list[Float32] = []
            size = 0
            downmix: Downmix | None = None
            for _, piece in alike:
                if downmix is None and len(piece) > 1:
                    downmix = Downmix(len(piece))
                held.append(piece)
                size += piece.shape[1]
                if size >= BLOCK:
                    joined = np.concatenate(held, axis=1)
                    whole = size - size % BLOCK
                    for start in range(0, whole, BLOCK):
                        yield self._mono(downmix, joined[:, start : start + BLOCK])
                    held, size = [joined[:, whole:]], size - whole
            if size:
                yield self._mono(downmix, np.concatenate(held, axis=1))

    def _mono(self, downmix: Downmix | None, block: Float32) -> Float32:
        self._samples += block.shape[1]
        if self._samples > self._limit:
            raise RecordingTooLong(
                f"The recording is longer than the {self._limit_s:g} s that this service takes; "
                "send it in parts."
            )
        mono = downmix(block) if downmix is not None else block[0].copy()
        # Float formats can hold NaN and infinity, which would spoil everything downstream.
        if not np.isfinite(mono).all():
            mono = np.nan_to_num(mono, nan=0.0, posinf=1.0, neginf=-1.0)
        return np.clip(mono, -1.0, 1.0, out=mono)

    def _conclude(self) -> None:
        seconds = self._samples / SAMPLE_RATE
        if not self._samples:
            raise UndecodableRecording(
                "The audio track is damaged: nothing of it could be decoded."
                if self._ended_by or self._faults
                else "The recording is empty: its audio track holds no sound."
            )
        if self._ended_by is not None:
            self.notes.append(f"The file is damaged: it could be read up to {seconds:.1f} s only.")
        elif self._declared is not None and self._declared > seconds + _MISSING_S:
            self.notes.append(
                f"The file ends after {seconds:.1f} s although it announces {self._declared:.1f} s."
            )
        if self._faults:
            self.notes.append(
                f"The file is damaged: {self._faults} of its packets could not be decoded, "
                "and what was said in them is missing."
            )


def _refuse_reference(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise UndecodableRecording("The file refers to another file or address; send the media itself.")


class _Chain:
    """From frames of one sample format, layout and rate to planar float32 at 16 kHz.

    Frames go through a queue of FFmpeg's to the resampler a second at a time: codecs emit
    frames of a few milliseconds, and a call for each costs four times the decoding itself.
    """

    def __init__(self, frame: av.AudioFrame) -> None:
        if frame.sample_rate not in _RATES:
            raise UndecodableRecording(
                f"The file claims a sample rate of {frame.sample_rate} Hz, which no recording has."
            )
        self.shape = _shape(frame)
        self._rate = frame.sample_rate
        self._queue = av.AudioFifo()
        self._resampler = av.AudioResampler("fltp", frame.layout, SAMPLE_RATE)
        # The bass channel of a film carries no speech.
        names = [channel.name for channel in frame.layout.channels]
        spoken = [i for i, name in enumerate(names) if not name.startswith("LFE")]
        self._channels = spoken if 0 < len(spoken) < len(names) else None

    def push(self, frame: av.AudioFrame) -> Iterator[Float32]:
        frame.pts = None  # positions count samples; the queue insists on gapless ones
        self._queue.write(frame)
        while self._queue.samples >= self._rate:
            yield from self._resample(self._queue.read(self._rate))

    def flush(self) -> Iterator[Float32]:
        if self._queue.samples:
            yield from self._resample(self._queue.read())
        yield from self._resample(None)

    def _resample(self, frame: av.AudioFrame | None) -> Iterator[Float32]:
        for resampled in self._resampler.resample(frame):
            planes = cast("Float32", resampled.to_ndarray())
            yield planes if self._channels is None else planes[self._channels]


def _shape(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _at_16k(frames: Iterator[av.AudioFrame]) -> Iterator[tuple[int, Float32]]:
    """(channels, samples) at 16 kHz, with a number that changes where the kind of audio does."""
    chain: _Chain | None = None
    number = 0
    for frame in frames:
        if chain is None or chain.shape != _shape(frame):
            if chain is not None:
                yield from ((number, piece) for piece in chain.flush())
                number += 1
            chain = _Chain(frame)
        for piece in chain.push(frame):
            yield number, piece
    if chain is not None:
        yield from ((number, piece) for piece in chain.flush())
