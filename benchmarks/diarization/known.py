"""How well known speakers are named, by the threshold: `python -m benchmarks.diarization.known`.

Composites of readers of `en/`, clean and spoiled, in which some are known by references from
utterances that are not in them. Prints the tables of docs/diarization.md.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.diarization.composites import (
    Composite,
    Spoil,
    clean,
    composite,
    noisy,
    readers,
    telephone,
)
from benchmarks.diarization.looks import DTYPES, dtype_on_cpu
from benchmarks.measuring.tables import Cell, percent, table
from deployments.diarization import bundled
from deployments.diarization.diarization import Diarization, Found
from deployments.diarization.reconstruction import Spoken
from deployments.diarization.speakers.clustering import Bounds
from deployments.diarization.speakers.voices import named
from deployments.models.resolve import resolve
from interchange.samples import as_int16
from interchange.stages import SAMPLE_RATE, Float32, Voice
from interchange.transcript import Turn

CONDITIONS: dict[str, tuple[tuple[float, float], Spoil]] = {
    "clean": ((0.2, 1.0), clean),
    "telephone": ((0.2, 1.0), telephone),
    "noise, 15 dB": ((0.2, 1.0), noisy),
    "overlapping": ((-1.5, 0.3), clean),
}
THRESHOLDS = (0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60)
SEVERAL = (0.30, 0.35, 0.40, 0.45, 0.50)
PARTS = ("names", "references")
DRAWS = 4
"""Choices of who is known, a composite."""
MOST_KNOWN = 4
LEAST_REFERENCE_S, LONGEST_REFERENCE_S = 2, 10

Readers = dict[str, list[Float32]]


@dataclass(frozen=True, slots=True)
class Trial:
    """A composite with what was found in it, and who is known."""

    turns: tuple[Turn, ...]
    found: Found
    known: tuple[Voice, ...]


@dataclass(slots=True)
class Counted:
    """Turns: of those who are known, with the right and a wrong name; of strangers, with one."""

    known: int = 0
    right: int = 0
    wrong: int = 0
    strangers: int = 0
    named: int = 0

    def add(self, trial: Trial, least: float) -> None:
        names = named(trial.found.voices, trial.known, least)
        known = {voice.name for voice in trial.known}
        for turn in trial.turns:
            speaker = _heard(turn, trial.found.spoken)
            name = None if speaker is None else names.get(speaker)
            if turn.speaker in known:
                self.known += 1
                self.right += name == turn.speaker
                self.wrong += name not in (None, turn.speaker)
            else:
                self.strangers += 1
                self.named += name is not None

    def cells(self) -> list[str]:
        return [
            percent(self.right / self.known),
            percent(self.wrong / self.known),
            percent(self.named / self.strangers),
        ]


def trials(
    diarization: Diarization, said: Readers, composites: int, rng: np.random.Generator
) -> Iterator[tuple[str, Trial]]:
    """The condition of each, and the trial."""
    references = {
        (name, number): diarization.hear(_int16(samples[: LONGEST_REFERENCE_S * SAMPLE_RATE])).voice
        for name, utterances in said.items()
        for number, samples in enumerate(utterances)
        if len(samples) >= LEAST_REFERENCE_S * SAMPLE_RATE
    }
    for condition, (gap, spoil) in CONDITIONS.items():
        for number in range(composites):
            made = _composite(said, number % 2, gap, spoil, rng)
            found = diarization(torch.from_numpy(made.samples), Bounds(), _unwatched)
            for _ in range(DRAWS):
                count = int(rng.integers(1, MOST_KNOWN + 1))
                known = []
                for name in rng.choice(list(said), count, replace=False):
                    others = [
                        voice
                        for (who, utterance), voice in references.items()
                        if who == name and utterance % 2 != number % 2
                    ]
                    voice = others[int(rng.integers(len(others)))]
                    known.append(Voice(str(name), (tuple(voice.tolist()),), ""))
                yield condition, Trial(made.turns, found, tuple(known))


def _composite(
    said: Readers, half: int, gap: tuple[float, float], spoil: Spoil, rng: np.random.Generator
) -> Composite:
    """2 to 5 readers take 6 to 10 turns, with the even utterances of each, or the odd ones."""
    cast = [str(name) for name in rng.choice(list(said), rng.integers(2, 6), replace=False)]
    left = {name: _mixed(said[name][half::2], rng) for name in cast}
    parts: list[tuple[str, Float32]] = []
    for turn in range(int(rng.integers(6, 11))):
        free = [name for name in cast if left[name] and (not parts or parts[-1][0] != name)]
        if not free:
            break
        # All speak once before anybody goes on by chance.
        name = cast[turn] if turn < len(cast) else free[int(rng.integers(len(free)))]
        parts.append((name, spoil(left[name].pop(), rng)))
    return composite(parts, gap, rng)


def _mixed(utterances: list[Float32], rng: np.random.Generator) -> list[Float32]:
    return [utterances[int(number)] for number in rng.permutation(len(utterances))]


def alike_references(
    diarization: Diarization, said: Readers, rng: np.random.Generator
) -> dict[str, list[float]]:
    """How alike the two least alike parts are of references of one person, and of two."""
    found: dict[str, list[float]] = {}
    for condition, (_, spoil) in list(CONDITIONS.items())[:3]:
        ones = [samples for utterances in said.values() for samples in utterances]
        for samples in ones:
            heard = diarization.hear(_int16(spoil(samples[: 10 * SAMPLE_RATE], rng)))
            found.setdefault(f"one person, {condition}", []).append(heard.alike)
        for seconds in (2, 4):
            for _ in range(len(ones)):
                one, other = rng.choice(list(said), 2, replace=False)
                pair = (said[one], 4), (said[other], seconds)
                both = [
                    utterances[int(rng.integers(len(utterances)))][: length * SAMPLE_RATE]
                    for utterances, length in pair
                ]
                heard = diarization.hear(_int16(spoil(np.concatenate(both), rng)))
                found.setdefault(f"4 s and {seconds} s of two, {condition}", []).append(heard.alike)
    return found


def _int16(samples: Float32) -> torch.Tensor:
    return torch.from_numpy(as_int16(np.clip(samples, -1, 1)))


def _heard(turn: Turn, spoken: list[Spoken]) -> int | None:
    """Who is found to speak most in a turn."""
    seconds: dict[int, float] = {}
    for each in spoken:
        shared = min(turn.end, each.end) - max(turn.start, each.start)
        if shared > 0:
            seconds[each.speaker] = seconds.get(each.speaker, 0.0) + shared
    return max(seconds, key=seconds.__getitem__, default=None)


def _unwatched(stage: str, done: int, total: int) -> None:
    """Nobody is told."""


def naming(
    diarization: Diarization, said: Readers, composites: int, rng: np.random.Generator
) -> str:
    """The table of thresholds."""
    counted = {(each, least): Counted() for each in (*CONDITIONS, "all") for least in THRESHOLDS}
    for condition, trial in trials(diarization, said, composites, rng):
        for least in THRESHOLDS:
            counted[condition, least].add(trial, least)
            counted["all", least].add(trial, least)
    headings = ["condition", "threshold", "turns", "right name", "wrong name", "strangers named"]
    rows: list[list[Cell]] = [
        [condition, least, f"{count.known} + {count.strangers}", *count.cells()]
        for (condition, least), count in counted.items()
    ]
    return table(headings, rows)


def refusing(diarization: Diarization, said: Readers, rng: np.random.Generator) -> str:
    """The table of references, and from where on they are taken for several people's."""
    headings = ["references", "count", "least alike", *(f"below {each:.2f}" for each in SEVERAL)]
    rows: list[list[Cell]] = [
        [kind, len(found), min(found), *(percent(_below(found, each), 0) for each in SEVERAL)]
        for kind, found in alike_references(diarization, said, rng).items()
    ]
    return table(headings, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--composites", type=int, default=20, help="a condition")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dtype", default="auto", help=DTYPES)
    chosen = parser.parse_args()
    folder = resolve("bundled:diarization", None, None)
    diarization = bundled.load(folder, torch.device("cpu"), dtype_on_cpu(chosen.dtype), 32)
    said = readers()
    if "names" in chosen.parts:
        rng = np.random.default_rng(chosen.seed)
        print(naming(diarization, said, chosen.composites, rng), flush=True)
    if "references" in chosen.parts:
        print(refusing(diarization, said, np.random.default_rng(chosen.seed)), flush=True)


def _below(values: list[float], limit: float) -> float:
    return float(np.mean(np.array(values) < limit))


if __name__ == "__main__":
    main()
