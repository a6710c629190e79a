"""Where `channels=auto` takes channels apart, and what it adds: `python -m benchmarks.channels`.

First the recordings with several channels: windows and their seconds, mixed and with `auto`. Then
conversations of two readers: how many of each kind are taken apart, and from which second on.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import numpy as np
import typer

from benchmarks.diarization.composites import readers
from benchmarks.measuring.recordings import NoSpeech, listed
from benchmarks.measuring.tables import Cell, table
from configs.settings import AudioSettings
from deployments.audio.channels.division import mixer
from deployments.audio.decode import Decoder
from deployments.audio.lines import Lines
from deployments.audio.media.part import Whole
from deployments.audio.media.tracks import Report, decode
from deployments.audio.speech.voice_activity import shared_network
from interchange.errors import UndecodableRecording
from interchange.stages import SAMPLE_RATE, Apart, ChannelUse, Float32, Window
from tests.support.recordings.voices import Planes, decibels, in_a_room, music, noise

FOLDERS = ("en", "multi", "long", "conversation", "hard", "reported")
TURNS = 8

A_CHANNEL_EACH: dict[str, tuple[tuple[float, float], Callable[[Float32, Float32], Planes]]] = {
    "a call": ((0.2, 1.0), lambda a, b: (a, b)),
    "they interrupt each other": ((-1.5, 0.2), lambda a, b: (a, b)),
    "both all the time, 10 to 30 s": ((-9.0, -9.0), lambda a, b: (a, b)),
    "lines with noise at -60 dB": ((0.2, 1.0), lambda a, b: (a + noise(a, -60), b + noise(b, -60))),
    "one side 26 dB fainter": ((0.2, 1.0), lambda a, b: (a, decibels(-26) * b)),
    "24 dB leak over": ((0.2, 1.0), lambda a, b: _leaking(a, b, -24)),
    "15 dB leak over": ((0.2, 1.0), lambda a, b: _leaking(a, b, -15)),
}
ONE_SOUND: dict[str, tuple[tuple[float, float], Callable[[Float32, Float32], Planes]]] = {
    "9 dB leak over": ((0.2, 1.0), lambda a, b: _leaking(a, b, -9)),
    "two microphones in a room": ((0.2, 1.0), in_a_room),
    "the same, interrupting": ((-1.5, 0.2), in_a_room),
    "one recording twice": ((0.2, 1.0), lambda a, b: (a + b, 0.7 * (a + b))),
    "on one side, noise on the other": ((0.2, 1.0), lambda a, b: (a + b, noise(a, -60))),
    "speech over music in stereo": (
        (0.2, 1.0), lambda a, b: (a + b + music(a, -30), a + b + music(a, -30, 1))
    ),
}  # fmt: skip


def main(
    composites: Annotated[int, typer.Option(min=1, help="Of each kind.")] = 12,
) -> None:
    """Print both tables."""
    try:
        typer.echo(table(("recording", "channels", "", *_HEADINGS), list(_recordings())))
        said = list(readers().values())
    except NoSpeech as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    rng = np.random.default_rng(0)
    rows: list[Sequence[Cell]] = []
    for kinds, expected in ((A_CHANNEL_EACH, "all"), (ONE_SOUND, "none")):
        for kind, (gap, record) in kinds.items():
            found = [
                apart(np.stack(record(*_conversation(said, gap, rng)))) for _ in range(composites)
            ]
            begun = [spans[0].start for spans in found if spans]
            latest = f"{max(begun):.1f}" if begun else ""
            rows.append((kind, f"{len(begun)} of {composites}", expected, latest))
    headings = ("two readers", "taken apart", "should be", "from, at the latest, s")
    typer.echo(table(headings, rows))


_HEADINGS = ("windows, mix", "auto", "seconds, mix", "auto")


def _recordings() -> Iterator[Sequence[Cell]]:
    for folder in FOLDERS:
        for each in listed(folder):
            data = each.path.read_bytes()
            try:
                channels = _channels(data)
                if channels < 2:
                    continue
                mixed, _ = _windows(data, "mix")
                auto, spans = _windows(data, "auto")
            except UndecodableRecording:
                continue
            counts = [len(mixed), len(auto), _seconds(mixed), _seconds(auto)]
            yield f"{folder}/{each.name}", channels, "apart" if spans else "mixed", *counts


def _channels(data: bytes) -> int:
    return max(
        (len(samples) for _, samples in decode(Whole(io.BytesIO(data)), Report())), default=0
    )


def _windows(data: bytes, use: ChannelUse) -> tuple[list[Window], tuple[Apart, ...]]:
    lines = Lines(shared_network(), AudioSettings())
    decoder = Decoder(io.BytesIO(data), max_duration_s=24 * 3600, mixer=mixer(use))
    found = [window for block in decoder for window in lines.feed(block)]
    return [*found, *lines.flush()], lines.apart


def _seconds(windows: Sequence[Window]) -> float:
    return sum(each.end - each.start for each in windows)


def apart(planes: Float32) -> tuple[Apart, ...]:
    """Where (channels, samples) are taken apart."""
    division = mixer("auto")(len(planes))
    lines = Lines(shared_network(), AudioSettings())
    for block in (*division.feed(planes), *division.flush()):
        list(lines.feed(block))
    list(lines.flush())
    return lines.apart


def _conversation(
    said: Sequence[list[Float32]], gap_s: tuple[float, float], rng: np.random.Generator
) -> tuple[Float32, Float32]:
    """What two readers say in turn, each by themselves; a gap below 0 has them talk at once."""
    pair = rng.choice(len(said), 2, replace=False)
    parts: list[tuple[int, int, Float32]] = []
    begin = end = 0
    for turn in range(TURNS):
        mine = said[pair[turn % 2]]
        samples = mine[int(rng.integers(len(mine)))]
        begin = max(begin, end + round(rng.uniform(*gap_s) * SAMPLE_RATE))
        end = begin + len(samples)
        parts.append((turn % 2, begin, samples))
    both = np.zeros((2, max(at + len(samples) for _, at, samples in parts)), np.float32)
    for side, at, samples in parts:
        both[side, at : at + len(samples)] += samples
    return both[0], both[1]


def _leaking(a: Float32, b: Float32, level_db: float) -> Planes:
    return a + decibels(level_db) * np.roll(b, 90), b + decibels(level_db) * np.roll(a, 90)


if __name__ == "__main__":
    typer.run(main)
