"""The audio track of a part that is decoded, and what it lacks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import av
import av.container

from deployments.audio.media.part import Part
from deployments.audio.media.resample import MOST_CHANNELS, at_16k, forget_order
from deployments.audio.media.timeline import fill_gaps
from interchange.errors import NoAudioStream, UndecodableRecording
from interchange.stages import Float32

# Self-contained media files that FFmpeg recognises by their content.
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,gsm,ircam,loas,matroska,"
    "mlp,mmf,mov,mp3,mpc,mpc8,mpeg,mpegts,mxf,nistsphere,nsv,nut,ogg,oma,qcp,rm,sox,tak,truehd,"
    "tta,voc,w64,wav,webm,wsd,wv,xwma"
)
_HOPELESS = 250
"""Packets of a track after which it is given up if none of them could be decoded."""


class _Nameless:
    """A file object without its name, which FFmpeg would draw conclusions from."""

    def __init__(self, file: Part) -> None:
        self.read = file.read
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable


@dataclass(slots=True)
class Report:
    """How decoding a part went.

    `track` counts from 1. `declared_s` is what the container announces; `broken_off` whether it
    could not be read to its end; `faults` counts packets that could not be decoded, and `gaps`
    holds the seconds of each stretch for which there is no sound between others.
    """

    track: int = 1
    declared_s: float | None = None
    broken_off: bool = False
    faults: int = 0
    gaps: list[float] = field(default_factory=list)
    samples: int = 0


def decode(part: Part, report: Report) -> Iterator[tuple[int, Float32]]:
    """The (channels, samples) of a part at 16 kHz, of the first track that can be decoded.

    Each comes with a number that changes where the kind of audio does. `report` is filled
    meanwhile. Raises UndecodableRecording or NoAudioStream, and what reading raises.
    """
    first = 0
    while True:
        with _open(part) as container:
            first, last = _next_track(container, first)
            report.track, report.faults, report.broken_off = first + 1, 0, False
            last = last or not part.rereadable
            try:
                for number, piece in at_16k(
                    _frames(container, container.streams.audio[first], report, last=last)
                ):
                    report.samples += piece.shape[1]
                    yield number, piece
            except UndecodableRecording:
                if report.samples or last:
                    raise
            if report.samples or last:
                return
        first += 1
        part.seek(0)


def _open(part: Part) -> av.container.InputContainer:
    try:
        return av.open(
            _Nameless(part),
            mode="r",
            metadata_errors="replace",
            io_open=_refuse_reference,
            container_options={"format_whitelist": _FORMATS, "protocol_whitelist": "none"},
        )
    except (av.FFmpegError, ValueError) as error:
        if part.tell() == 0 and not part.read(1):
            raise UndecodableRecording("The file is empty: it has no bytes.") from error
        raise UndecodableRecording(
            "The file is not audio or video in a format that can be decoded, "
            "or it is damaged at its start."
        ) from error


def _refuse_reference(url: str, flags: int, options: dict[str, str]) -> NoReturn:
    raise UndecodableRecording("The file refers to another file or address; send the media itself.")


def _next_track(container: av.container.InputContainer, first: int) -> tuple[int, bool]:
    """The first audio track from `first` on of a known codec, and whether it is the last one.

    In the file's order, whatever a container flags as its default: players differ in that, and
    a user can tell which track is first.
    """
    tracks = container.streams.audio
    if not tracks:
        raise NoAudioStream(
            f"The file is {container.format.long_name} without an audio track; "
            "send one that has sound."
        )
    known = [i for i in range(first, len(tracks)) if tracks[i].codec_context is not None]
    if not known:
        raise UndecodableRecording("The audio track uses a codec that is not known here.")
    return known[0], len(known) == 1


def _frames(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    report: Report,
    *,
    last: bool,
) -> Iterator[av.AudioFrame]:
    if (channels := forget_order(stream.codec_context)) > MOST_CHANNELS:
        raise UndecodableRecording(
            f"The file claims {channels} channels; at most {MOST_CHANNELS} can be decoded."
        )
    if stream.duration is not None and stream.time_base is not None:
        report.declared_s = float(stream.duration * stream.time_base)
    start = container.start_time
    yield from fill_gaps(
        _decoded(container, stream, report, last=last),
        None if start is None else start / av.time_base,
        report.gaps,
    )


def _decoded(
    container: av.container.InputContainer,
    stream: av.AudioStream,
    report: Report,
    *,
    last: bool,
) -> Iterator[av.AudioFrame]:
    packets = container.demux(stream)
    any_yet = False
    while last or any_yet or report.faults < _HOPELESS:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            report.broken_off = True
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            # As ffmpeg does: one bad packet does not spoil those after it.
            report.faults += 1
            continue
        for frame in frames:
            if isinstance(frame, av.AudioFrame) and frame.samples:
                any_yet = True
                yield frame
