"""A recording of any format as one stream of 16 kHz mono, with notes on what it lacks.

FFmpeg takes a file apart (`media`): in this process, or in a child that can do no harm
(`child`). Here its pieces become one waveform.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Protocol

import numpy as np

from deployments.audio.channels.downmix import Downmix
from deployments.audio.media.part import Readable
from deployments.audio.media.reading import Account, Piece, Reading, read
from interchange.errors import RecordingTooLong, UndecodableRecording
from interchange.stages import SAMPLE_RATE, Float32

BLOCK = SAMPLE_RATE
"""Samples in a decoded block: one second."""

_MISSING_S = 1.0  # what a container announces is not exact
_TOLERANCE_S = 0.05  # where the bytes are counted it is
_MOST_PARTS = 5_000
_LOUDEST = 8.0  # of full scale, which a mix may exceed for a while


class Mixer(Protocol):
    """Makes of (channels, samples), in pieces of any size, what is cut into windows: one channel,
    or rows of which the first one is that (`channels.division`)."""

    def feed(self, piece: Float32) -> Iterator[Float32]: ...

    def flush(self) -> Iterator[Float32]: ...


class Decoder:
    """One pass over a file: over all its parts, of each the first track that can be decoded.

    Iterate over it once for blocks of BLOCK samples (float32, 16 kHz; the last one, and the last
    of a shape, may be shorter): (samples,) or what else `mixer` makes of several channels. A fault
    in the middle ends or thins the recording and leaves a sentence in `notes`; where nothing at all
    could be decoded it raises.

    Raises UndecodableRecording, NoAudioStream, RecordingTooLong, and what reading raises.
    """

    def __init__(
        self,
        file: Readable,
        *,
        max_duration_s: float,
        read: Callable[[Readable], Reading] = read,
        mixer: Callable[[int], Mixer] = Downmix,
    ) -> None:
        self._mixer = mixer
        self._file = file
        self._read = read
        self._limit = round(max_duration_s * SAMPLE_RATE)
        self._limit_s = max_duration_s
        self._samples = 0
        self.notes: list[str] = []
        self.broken_off = False
        """Whether a container could not be read to its end."""

    def __iter__(self) -> Iterator[Float32]:
        held: list[Float32] = []
        size = 0
        with closing(self._mixed()) as pieces:
            for piece in pieces:
                self._samples += piece.shape[-1]
                if self._samples > self._limit:
                    raise RecordingTooLong(
                        f"The recording is longer than the {self._limit_s:g} s that this service "
                        "takes; send it in parts."
                    )
                if held and held[0].shape[:-1] != piece.shape[:-1]:
                    if size:
                        yield _block(held)
                    held, size = [], 0
                held.append(piece)
                size += piece.shape[-1]
                while size >= BLOCK:
                    joined = _block(held)
                    yield joined[..., :BLOCK]
                    held, size = [joined[..., BLOCK:]], size - BLOCK
        if size:
            yield _block(held)

    def _mixed(self) -> Generator[Float32]:
        failure: UndecodableRecording | None = None
        damaged = False
        number = 0
        mix = _Mix(self._mixer)
        reading = self._read(self._file)
        with closing(reading):
            for event in reading:
                if number == _MOST_PARTS:
                    self.notes.append(
                        f"The file is made of more than {_MOST_PARTS:,} parts; those after "
                        f"{self._seconds:.1f} s are missing."
                    )
                    break
                if isinstance(event, Piece):
                    yield from mix.feed(event)
                    continue
                yield from mix.flush()
                number += 1
                if event.failure is not None:
                    failure = failure or event.failure
                    self.notes.append(
                        f"A part of the file is missing after {self._seconds:.1f} s: "
                        f"{event.failure.message}"
                    )
                self.broken_off |= event.report.broken_off
                damaged |= event.report.broken_off or event.report.faults > 0
                self.notes += self._lacks(event)
        if not self._samples:
            raise failure or UndecodableRecording(
                "The audio track is damaged: nothing of it could be decoded."
                if damaged
                else "The recording is empty: its audio track holds no sound."
            )

    @property
    def _seconds(self) -> float:
        return self._samples / SAMPLE_RATE

    def _lacks(self, account: Account) -> Iterator[str]:
        """Sentences about what a part should have held."""
        report = account.report
        if report.track > 1:
            yield (
                f"The first audio track that can be decoded is number {report.track} of the file; "
                "it was taken."
            )
        seconds = report.samples / SAMPLE_RATE
        missing = account.missing_s
        if report.declared_s is not None and report.declared_s > seconds + _MISSING_S:
            missing = max(missing, report.declared_s - seconds)
        if report.broken_off:
            yield f"The file is damaged: it could be read up to {self._seconds:.1f} s only."
        elif missing > _TOLERANCE_S:
            yield (
                f"The file ends after {self._seconds:.1f} s although it announces "
                f"{self._seconds + missing:.1f} s."
            )
        elif account.cut_off:
            yield f"The file breaks off at {self._seconds:.1f} s: its end is missing."
        if report.faults:
            yield (
                f"The file is damaged: {report.faults} of its packets could not be decoded, "
                "and what was said in them is missing."
            )
        if sum(report.gaps) > _MISSING_S:
            yield (
                f"The file has no sound for {sum(report.gaps):.1f} s between other sound, by its "
                "own timestamps: what was said there was not recorded, or is lost."
            )


def _block(pieces: list[Float32]) -> Float32:
    return np.clip(np.concatenate(pieces, axis=-1), -1.0, 1.0)


class _Mix:
    """What is made of pieces of any size, anew where the kind of audio changes."""

    def __init__(self, mixer: Callable[[int], Mixer]) -> None:
        self._mixer = mixer
        self._kind: int | None = None
        self._mix: Mixer | None = None

    def feed(self, piece: Piece) -> Iterator[Float32]:
        if piece.kind != self._kind:
            yield from self.flush()
            self._kind = piece.kind
        samples = piece.samples
        # Float formats can hold what would spoil everything downstream: NaN, infinity, 1e38.
        if not np.abs(samples).max() <= _LOUDEST:
            samples = np.clip(np.nan_to_num(samples), -_LOUDEST, _LOUDEST)
        if len(samples) == 1:
            yield samples[0]
            return
        self._mix = self._mix or self._mixer(len(samples))
        yield from self._mix.feed(samples)

    def flush(self) -> Iterator[Float32]:
        """What is left of this kind, at its end."""
        if self._mix is not None:
            yield from self._mix.flush()
        self._kind, self._mix = None, None
