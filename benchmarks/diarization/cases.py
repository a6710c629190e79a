"""Recordings in which speakers are counted: the conversations, and composites of many kinds.

Who speaks in a composite is exact. Its voices are the readers of `en/` and the voices of `multi/`;
what makes voices alike in a conversation (one room, one line) is done to all of them together.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve

from benchmarks.diarization.composites import Composite, clean, noisy, telephone
from benchmarks.measuring.recordings import listed, waveform
from benchmarks.measuring.speaker_errors import NOT_FOR_SPEAKERS, read_rttm
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Float32, Int16
from interchange.transcript import Turn

_FRAME = SAMPLE_RATE // 100
_LONE_S = 8.0
"""A voice of one recording takes part if that is so long: it is cut into several pieces."""
_PIECE_S = (2.0, 6.0)
_STRANGERS = "unknown"
_CALL = "earnings22-4483589"
"""Several people may talk in it."""


@dataclass(frozen=True, slots=True)
class Case:
    """A recording whose speakers are known. (samples,) int16 at 16 kHz."""

    name: str
    kind: str
    samples: Int16
    turns: tuple[Turn, ...]

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE

    @property
    def speakers(self) -> int:
        return len({turn.speaker for turn in self.turns})

    @property
    def sum(self) -> str:
        """What tells its samples from all others."""
        return hashlib.sha256(self.samples.tobytes()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Kind:
    """How composites are made: `gap_s` between turns, less than 0 where two talk at once; turns of
    at most `turn_s` seconds; `uneven` where one talks most and others now and then."""

    gap_s: tuple[float, float]
    spoil: Callable[[Float32, np.random.Generator], Float32] = clean
    turn_s: tuple[float, float] = (4.0, 15.0)
    uneven: bool = False


def room(samples: Float32, rng: np.random.Generator) -> Float32:
    """A room with an echo of 0.3 to 0.6 s, 6 dB below what comes straight, and its noise."""
    length = round(rng.uniform(0.3, 0.6) * SAMPLE_RATE)
    decay = np.exp(-6.9 * np.arange(length) / length)
    echo = rng.normal(0, 1, length) * decay
    echo *= 0.5 / np.sqrt(np.sum(echo**2))
    echo[0] = 1.0
    found: Float32 = fftconvolve(samples, echo)[: len(samples)].astype(np.float32)
    return _with_noise(found, 25.0, rng)


def line(samples: Float32, rng: np.random.Generator) -> Float32:
    """A telephone line with a little noise."""
    return _with_noise(telephone(samples, rng), 25.0, rng)


def _with_noise(samples: Float32, below_db: float, rng: np.random.Generator) -> Float32:
    level = np.sqrt(np.mean(samples**2)) * 10 ** (-below_db / 20)
    found: Float32 = samples + rng.normal(0, level, len(samples)).astype(np.float32)
    return found


KINDS = {
    "in turn": Kind((0.2, 1.0)),
    "pauses": Kind((1.0, 6.0)),
    "overlapping": Kind((-1.5, 0.3)),
    "noise, 15 dB": Kind((0.2, 1.0), noisy),
    "telephone": Kind((-0.3, 0.6), line, (1.5, 8.0)),
    "room": Kind((-0.3, 0.6), room, (1.5, 8.0)),
    "meeting": Kind((-0.8, 0.5), room, (0.6, 6.0), uneven=True),
}


def conversations() -> Iterator[Case]:
    """Those of `conversation/`. Raises NoSpeech."""
    for each in listed("conversation"):
        if each.path.stem != NOT_FOR_SPEAKERS:
            turns = tuple(read_rttm(each.path.with_suffix(".rttm")))
            samples = as_int16(waveform(each.path))
            yield Case(each.path.stem, "conversation", samples, turns)


def composites(plan: list[tuple[str, int, float]], seed: int) -> Iterator[Case]:
    """One for each (kind, speakers, seconds). Raises NoSpeech."""
    voices = _voices()
    for number, (kind, speakers, length) in enumerate(plan):
        # Each by itself: what others there are makes no difference.
        rng = np.random.default_rng([seed, list(KINDS).index(kind), speakers, round(length)])
        made = _made(voices, KINDS[kind], speakers, length, rng)
        name = f"{number}: {speakers} {kind}, {length:.0f} s"
        yield Case(name, kind, made.samples, made.turns)


def _made(
    voices: dict[str, list[Float32]],
    kind: Kind,
    speakers: int,
    length: float,
    rng: np.random.Generator,
) -> Composite:
    able = [name for name, said in voices.items() if len(said) > 1]
    # Readers of one corpus are harder to tell apart than recordings from everywhere.
    near = [name for name in able if len(voices[name]) >= 8]
    others = [name for name in able if name not in near]
    drawn = [*rng.permutation(near), *rng.permutation(others)]
    cast = [name for name in drawn if name != _CALL][:speakers]
    weights = np.array([1.0 if not kind.uneven else 3.0 ** -min(n, 2) for n in range(speakers)])
    left = {name: list(rng.permutation(len(voices[name]))) for name in cast}
    total = round((length + 20) * SAMPLE_RATE)
    mixed = np.zeros(total, np.float32)
    turns: list[Turn] = []
    end, before = 0, -1
    while end < length * SAMPLE_RATE or len(turns) < 2 * speakers:
        number = len(turns)
        if number < 2 * speakers:
            who = number % speakers  # all speak twice before anybody goes on by chance
        else:
            chances = np.array([w * (n != before or speakers == 1) for n, w in enumerate(weights)])
            who = int(rng.choice(speakers, p=chances / chances.sum()))
        name = cast[who]
        if not left[name]:
            left[name] = list(rng.permutation(len(voices[name])))
        said = voices[name][left[name].pop()]
        limits = kind.turn_s
        if kind.uneven and who > 0:
            limits = (limits[0], limits[1] / 2)
        said = _part(said, rng.uniform(*limits), rng)
        least = 0.2 if speakers == 1 else -np.inf  # nobody interrupts themselves
        gap = max(least, rng.uniform(*kind.gap_s))
        begin = max(0, end + round(gap * SAMPLE_RATE))
        if begin + len(said) > total:
            break
        mixed[begin : begin + len(said)] += said
        turns.append(Turn(begin / SAMPLE_RATE, (begin + len(said)) / SAMPLE_RATE, str(name)))
        end, before = max(end, begin + len(said)), who
    mixed = kind.spoil(mixed[: end + SAMPLE_RATE // 2], rng)
    return Composite(as_int16(np.clip(mixed, -1, 1)), tuple(turns))


def _voices() -> dict[str, list[Float32]]:
    """The pieces that each voice says, as loud as the others, without silence around them."""
    found: dict[str, list[Float32]] = {}
    for folder in ("en", "multi"):
        for each in listed(folder):
            samples = _spoken(waveform(each.path))
            if each.speaker and each.speaker != _STRANGERS:
                # One person reads the prompts of two languages.
                found.setdefault(each.speaker.partition("_f_")[2] or each.speaker, []).append(
                    samples
                )
    return {
        name: pieces
        for name, said in found.items()
        if (pieces := said if len(said) > 1 else _pieces(said[0]))
    }


def _pieces(samples: Float32) -> list[Float32]:
    if len(samples) < _LONE_S * SAMPLE_RATE:
        return []
    count = max(2, round(len(samples) / SAMPLE_RATE / 5))
    level = _levels(samples)
    edges = [0]
    for number in range(1, count):
        # At the quietest place near an even share.
        middle, around = number * len(level) // count, 80
        near = level[max(0, middle - around) : middle + around]
        edges.append((max(0, middle - around) + int(near.argmin())) * _FRAME)
    edges.append(len(samples))
    return [_spoken(samples[a:b]) for a, b in itertools.pairwise(edges)]


def _part(samples: Float32, seconds: float, rng: np.random.Generator) -> Float32:
    """At most so many seconds of it, ending where it is quiet."""
    wanted = round(seconds * SAMPLE_RATE)
    if len(samples) <= wanted:
        return samples
    begin = int(rng.integers(0, len(samples) - wanted + 1))
    return _spoken(samples[begin : begin + wanted])


def _levels(samples: Float32) -> Float32:
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    found: Float32 = np.sqrt(np.mean(frames**2, axis=1))
    return np.convolve(found, np.ones(5) / 5, "same").astype(np.float32)


def _spoken(samples: Float32) -> Float32:
    """Without silence before and after, at one loudness."""
    level = _levels(samples)
    (loud,) = np.nonzero(level > 0.05 * np.percentile(level, 95))
    kept = samples[loud[0] * _FRAME : (loud[-1] + 1) * _FRAME]
    found: Float32 = kept * np.float32(0.05 / max(1e-6, float(np.sqrt(np.mean(kept**2)))))
    return found
