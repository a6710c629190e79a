"""The folder of recordings with references that measurements need, and what is made of them."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from configs.settings import AudioSettings
from interchange.stages import Float32, Window
from tests.support.recordings.speech import SPEECH, Recording, recordings


class NoSpeech(Exception):
    """The recordings are not there. The message says where they were looked for."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A recording with the words that are said in it. `seconds` is its length."""

    path: Path
    language: str
    text: str
    seconds: float


def spoken(folder: str) -> list[Spoken]:
    """The recordings of `en`, `multi` or `long` that have a text. Raises NoSpeech."""
    return [
        Spoken(each.path, each.language or "en", each.text, seconds(each.path))
        for each in listed(folder)
        if each.text
    ]


def listed(folder: str) -> tuple[Recording, ...]:
    """All recordings of a folder. Raises NoSpeech."""
    found = recordings(folder)
    if not found:
        raise NoSpeech(
            f"There are no recordings in {SPEECH / folder}. Measurements need the folder of "
            "recordings with a manifest.jsonl: name it by SPEECH_DIR."
        )
    return found


def long_recording() -> Spoken:
    """The one recording of several minutes. Raises NoSpeech."""
    return max(spoken("long"), key=lambda each: each.seconds)


def clips(count: int) -> list[Spoken]:
    """The first `count` English utterances. Raises NoSpeech."""
    return spoken("en")[:count]


def clip_of(length: float) -> Spoken:
    """The English utterance whose length is nearest to `length` seconds. Raises NoSpeech."""
    return min(spoken("en"), key=lambda each: abs(each.seconds - length))


def seconds(path: Path) -> float:
    """How long a recording is, by what its container says."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base


def repeated(path: Path, times: int, to: Path) -> Path:
    """Write a recording that plays another `times` over: its packets, encoded as they are."""
    # Matroska holds any codec, and lets times go on where the packets of a repetition begin.
    with av.open(str(path)) as source, av.open(str(to), "w", format="matroska") as output:
        stream = source.streams.audio[0]
        track = output.add_stream_from_template(stream)
        # Packets with no time mark the end, and carry no sound.
        packets = [
            (bytes(packet), packet.pts, packet.duration or 0)
            for packet in source.demux(stream)
            if packet.pts is not None
        ]
        assert stream.time_base is not None
        _, first, _ = packets[0]
        _, last, duration = packets[-1]
        for turn in range(times):
            shift = turn * (last + duration - first)
            for content, position, duration in packets:
                packet = av.Packet(content)
                packet.pts = packet.dts = position + shift
                packet.duration = duration
                packet.time_base = stream.time_base
                packet.stream = track
                output.mux(packet)
    return to


def beginning(path: Path, length: float, to: Path) -> Path:
    """Write the first `length` seconds of a recording: its packets, encoded as they are."""
    with av.open(str(path)) as source, av.open(str(to), "w", format="matroska") as output:
        stream = source.streams.audio[0]
        track = output.add_stream_from_template(stream)
        assert stream.time_base is not None
        for packet in source.demux(stream):
            if packet.pts is None or packet.pts * stream.time_base >= length:
                break
            packet.stream = track
            output.mux(packet)
    return to


def waveform(path: Path) -> Float32:
    """A whole recording: (samples,) at 16 kHz, mono."""
    from deployments.audio.decode import Decoder  # noqa: PLC0415

    with path.open("rb") as file:
        return np.concatenate(list(Decoder(file, max_duration_s=24 * 3600)))


def cut(samples: Float32, settings: AudioSettings) -> list[Window]:
    """The windows of a whole recording."""
    from deployments.audio.segmentation import Segmenter  # noqa: PLC0415
    from deployments.audio.speech.voice_activity import SileroNetwork  # noqa: PLC0415

    segmenter = Segmenter(SileroNetwork(settings.vad_threads), settings)
    return [*segmenter.feed(samples), *segmenter.flush()]
