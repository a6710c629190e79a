"""Decoding any audio or video file to 16 kHz mono with PyAV (FFmpeg's libraries).

FFmpeg runs in this process, on input that anybody may have made. It is given bytes and
nothing else: demuxers come from a list without playlists, devices and network formats, and
a file that refers to another one is refused when it tries to open it.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Protocol

import numpy as np

from deployments.audio.channels.downmix import Downmix
from deployments.audio.media.part import Part, Readable
from deployments.audio.media.parts import parts
from deployments.audio.media.tracks import Report, decode
from interchange.errors import RecordingTooLong, UndecodableRecording
from interchange.stages import SAMPLE_RATE, Float32

BLOCK = SAMPLE_RATE
"""Samples in a decoded block: one second."""

_MISSING_S = 1.0  # what a container announces is not exact
_TOLERANCE_S = 0.05  # where the bytes are counted it is
_MOST_PARTS = 5_000
_LOUDEST = 8.0  # of full scale, which a mix may exceed for a while


class Mixer(Protocol):
    """Makes one channel of (channels, samples), in pieces of any size."""

    def feed(self, piece: Float32) -> Iterator[Float32]: ...

    def flush(self) -> Iterator[Float32]: ...


class Decoder:
    """One pass over a file: over all its parts, of each the first track that can be decoded.

    Iterate over it once for blocks of BLOCK samples (float32, 16 kHz, mono; the last one may be
    shorter); `mixer` makes one channel of several. A fault in the middle ends or thins the
    recording and leaves a sentence in `notes`; where nothing at all could be decoded it raises.

    Raises UndecodableRecording, NoAudioStream, RecordingTooLong, and what reading raises.
    """

    def __init__(
        self, file: Readable, *, max_duration_s: float, mixer: Callable[[int], Mixer] = Downmix
    ) -> None:
        self._mixer = mixer
        self._file = file
        self._limit = round(max_duration_s * SAMPLE_RATE)
        self._limit_s = max_duration_s
        self._samples = 0
        self.notes: list[str] = []
        self.broken_off = False
        """Whether a container could not be read to its end."""

    def __iter__(self) -> Iterator[Float32]:
        held: list[Float32] = []
        size = 0
        for piece in self._mono():
            self._samples += len(piece)
            if self._samples > self._limit:
                raise RecordingTooLong(
                    f"The recording is longer than the {self._limit_s:g} s that this service "
                    "takes; send it in parts."
                )
            held.append(piece)
            size += len(piece)
            while size >= BLOCK:
                joined = np.concatenate(held)
                yield np.clip(joined[:BLOCK], -1.0, 1.0)
                held, size = [joined[BLOCK:]], size - BLOCK
        if size:
            yield np.clip(np.concatenate(held), -1.0, 1.0)

    def _mono(self) -> Iterator[Float32]:
        failure: UndecodableRecording | None = None
        damaged = False
        for number, part in enumerate(parts(self._file)):
            if number == _MOST_PARTS:
                self.notes.append(
                    f"The file is made of more than {_MOST_PARTS:,} parts; those after "
                    f"{self._seconds:.1f} s are missing."
                )
                break
            report = Report()
            try:
                yield from _mixed(decode(part, report), self._mixer)
            except UndecodableRecording as error:
                failure = failure or error
                self.notes.append(
                    f"A part of the file is missing after {self._seconds:.1f} s: {error.message}"
                )
            self.broken_off |= report.broken_off
            damaged |= report.broken_off or report.faults > 0
            self.notes += self._lacks(part, report)
        if not self._samples:
            raise failure or UndecodableRecording(
                "The audio track is damaged: nothing of it could be decoded."
                if damaged
                else "The recording is empty: its audio track holds no sound."
            )

    @property
    def _seconds(self) -> float:
        return self._samples / SAMPLE_RATE

    def _lacks(self, part: Part, report: Report) -> Iterator[str]:
        """Sentences about what `part` should have held."""
        if report.track > 1:
            yield (
                f"The first audio track that can be decoded is number {report.track} of the file; "
                "it was taken."
            )
        seconds = report.samples / SAMPLE_RATE
        missing = part.missing_s
        if report.declared_s is not None and report.declared_s > seconds + _MISSING_S:
            missing = max(missing, report.declared_s - seconds)
        if report.broken_off:
            yield f"The file is damaged: it could be read up to {self._seconds:.1f} s only."
        elif missing > _TOLERANCE_S:
            yield (
                f"The file ends after {self._seconds:.1f} s although it announces "
                f"{self._seconds + missing:.1f} s."
            )
        elif part.cut_off:
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


def _mixed(
    pieces: Iterator[tuple[int, Float32]], mixer: Callable[[int], Mixer]
) -> Iterator[Float32]:
    """Mono pieces of any size; channels are mixed anew where the kind of audio changes."""
    for _, alike in groupby(pieces, key=itemgetter(0)):
        mix: Mixer | None = None
        for _, piece in alike:
            # Float formats can hold what would spoil everything downstream: NaN, infinity, 1e38.
            if not np.abs(piece).max() <= _LOUDEST:
                piece = np.clip(np.nan_to_num(piece), -_LOUDEST, _LOUDEST)  # noqa: PLW2901
            if len(piece) == 1 and mixer is Downmix:
                yield piece[0]
                continue
            mix = mix or mixer(len(piece))
            yield from mix.feed(piece)
        if mix is not None:
            yield from mix.flush()
