"""Calls between readers: a channel each, and who says what in both."""

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.measuring.recordings import listed, waveform
from benchmarks.measuring.speaker_words import Said
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Int16

TURNS = 8
GAPS_S = {"in turn": (0.2, 1.0), "interrupting": (-1.5, 0.2)}


@dataclass(frozen=True, slots=True)
class Call:
    """(2, samples) at 16 kHz, and what is said in it."""

    kind: str
    samples: Int16
    said: tuple[Said, ...]

    def write(self, path: Path) -> None:
        with wave.open(str(path), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(np.ascontiguousarray(self.samples.T).tobytes())


def calls(count: int, seed: int = 0) -> Iterator[Call]:
    """So many of each kind, of `TURNS` utterances. Raises NoSpeech."""
    by_reader: dict[str, list[tuple[Path, str]]] = {}
    for each in listed("en"):
        if each.speaker and each.text:
            by_reader.setdefault(each.speaker, []).append((each.path, each.text))
    names = sorted(name for name, utterances in by_reader.items() if len(utterances) > 1)
    rng = np.random.default_rng(seed)
    for kind, gap_s in GAPS_S.items():
        for _ in range(count):
            pair = rng.choice(names, 2, replace=False)
            said, parts, begin, end = list[Said](), [], 0, 0
            for turn in range(TURNS):
                mine = by_reader[pair[turn % 2]]
                path, text = mine[int(rng.integers(len(mine)))]
                samples = waveform(path)
                begin = max(begin, end + round(rng.uniform(*gap_s) * SAMPLE_RATE))
                end = begin + len(samples)
                parts.append((turn % 2, begin, samples))
                said.append(Said(pair[turn % 2], begin / SAMPLE_RATE, end / SAMPLE_RATE, text))
            both = np.zeros((2, max(at + len(part) for _, at, part in parts)), np.float32)
            for channel, at, part in parts:
                both[channel, at : at + len(part)] += part
            yield Call(kind, as_int16(np.clip(both, -1, 1)), tuple(said))
