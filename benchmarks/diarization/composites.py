"""Conversations made of readers' utterances: who speaks when is known to the sample."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, sosfilt

from benchmarks.measuring.recordings import listed, waveform
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Float32, Int16
from interchange.transcript import Turn

_LEAST_UTTERANCES = 8
_TAIL_S = 0.5


@dataclass(frozen=True, slots=True)
class Composite:
    """(samples,) int16 at 16 kHz, and who speaks when."""

    samples: Int16
    turns: tuple[Turn, ...]


def readers() -> dict[str, list[Float32]]:
    """The utterances of every reader of `en/` who has several. Raises NoSpeech."""
    found: dict[str, list[Float32]] = {}
    for each in listed("en"):
        if each.speaker:
            found.setdefault(each.speaker, []).append(waveform(each.path))
    return {name: said for name, said in found.items() if len(said) >= _LEAST_UTTERANCES}


def composite(
    said: Sequence[tuple[str, Float32]], gap_s: tuple[float, float], rng: np.random.Generator
) -> Composite:
    """Utterances, (speaker, samples) each, one after the other with a gap between these bounds;
    where it is less than 0, two talk at once."""
    total = sum(len(samples) for _, samples in said) + round(
        (max(0.0, gap_s[1]) * len(said) + _TAIL_S) * SAMPLE_RATE
    )
    mixed = np.zeros(total, np.float32)
    turns = []
    begin = end = 0
    for speaker, samples in said:
        begin = max(begin, end + round(rng.uniform(*gap_s) * SAMPLE_RATE))
        end = begin + len(samples)
        mixed[begin:end] += samples
        turns.append(Turn(begin / SAMPLE_RATE, end / SAMPLE_RATE, speaker))
    return Composite(as_int16(np.clip(mixed[: end + SAMPLE_RATE // 2], -1, 1)), tuple(turns))


Spoil = Callable[[Float32, np.random.Generator], Float32]


def telephone(samples: Float32, rng: np.random.Generator) -> Float32:
    """Only what a telephone lets through."""
    sections = butter(6, (300, 3400), "bandpass", fs=SAMPLE_RATE, output="sos")
    found: Float32 = sosfilt(sections, samples).astype(np.float32)
    return found


def noisy(samples: Float32, rng: np.random.Generator) -> Float32:
    """White noise 15 dB below the speech."""
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-15 / 20)
    found: Float32 = samples + rng.normal(0, level, len(samples)).astype(np.float32)
    return found


def clean(samples: Float32, rng: np.random.Generator) -> Float32:
    return samples
