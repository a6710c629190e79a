"""How speakers are counted and clustered, and by what that was chosen:
`python -m benchmarks.diarization.counting --help`.

Every recording is looked at once, and what the models say is kept in a folder: the conversations
of `conversation/`, and composites of many kinds. Prints the tables of docs/diarization.md.
"""

import argparse
import itertools
import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.diarization.cases import KINDS, Case, composites, conversations
from benchmarks.diarization.clusterings import Eigengap, MergedCentroids, OfPyannote
from benchmarks.diarization.looks import DTYPES, Look, Looker, dtype_on_cpu
from benchmarks.measuring.speaker_errors import NIST_COLLAR_S, diarization_error_rate
from benchmarks.measuring.tables import Cell, percent, table
from benchmarks.systems.own_flow import OwnFlow
from deployments.diarization import bundled
from deployments.diarization.bundled import GAP_S, PARTS_ALIKE, SPARING
from deployments.diarization.reconstruction import Spoken, reconstruct
from deployments.diarization.sparing import NONE_SPARED, Sparing
from deployments.diarization.speakers.clustering import NOBODY, Bounds, Clustering
from deployments.diarization.speakers.parts import Parting
from deployments.diarization.speakers.similarity import SimilarityClustering
from deployments.models.resolve import resolve
from interchange.stages import SAMPLE_RATE
from interchange.transcript import Turn

PARTS = ("ways", "limits", "left-out", "steps", "sparing", "pauses", "files", "placements")
SIZES = (
    *((1, 4, 60.0), (2, 2, 30.0), (2, 5, 60.0), (1, 1, 30.0), (1, 7, 60.0), (2, 3, 60.0)),
    *((1, 5, 150.0), (1, 6, 420.0), (2, 3, 300.0), (3, 4, 300.0)),
)
"""Seed, speakers and seconds of composites, each of every kind, as far as they are asked for."""
PAUSES = (0.25, 0.50, 0.75, 1.00, 1.50, 2.00)
STEPS = (1, 2, 3, 4, 5)
SPARED = (
    NONE_SPARED,
    *(Sparing(0.0, every, 0.05) for every in (2, 3)),
    *(
        Sparing(30.0, every, apart)
        for every in (2, 3, 4)
        for apart in (0.03, 0.05, 0.07, 0.10, 0.15, 1.0)
    ),
)
PLACEMENTS = (116, 117, 118, 119, 120, 121)
"""Frames between chunks: nobody has reason to prefer one, and each shows other chunks."""
CHOSEN_STEP = 2
PARTING = Parting(PARTS_ALIKE)
LIMITS = ((0.40, 0.45, 0.50), (0.50, 0.60, 0.65, 0.70))
"""`different` and `same` of SimilarityClustering, as far as the second is not the smaller."""
ALONE_S = (0.3, 0.4, 0.5, 1.0)
"""`clean_s` of the same, chosen together with the limits where a conversation is left out."""
_SHORT_S, _LONG_S, _MINUTES_S = 45.0, 90.0, 200.0

USED = SimilarityClustering()
WAYS: dict[str, tuple[Clustering, Parting | None]] = {
    "as it is": (USED, PARTING),
    "parts below 0.40": (USED, Parting(0.40)),
    "parts below 0.45": (USED, Parting(0.45)),
    "parts below 0.55": (USED, Parting(0.55)),
    "parts not split": (USED, None),
    "speakers of parts from 2 s on": (replace(USED, split_s=2.0), PARTING),
    "speakers of parts from 4 s on": (replace(USED, split_s=4.0), PARTING),
    "voices alone for 0.3 s": (replace(USED, clean_s=0.3), PARTING),
    "voices alone for 0.5 s": (replace(USED, clean_s=0.5), PARTING),
    "voices alone for 1 s": (replace(USED, clean_s=1.0), PARTING),
    "least share 1 %": (replace(USED, share=0.01), PARTING),
    "least share 5 %": (replace(USED, share=0.05), PARTING),
    "centroids merged from 0.60 on": (MergedCentroids(0.60), PARTING),
    "eigengap": (Eigengap(), PARTING),
    "pyannote's, cut at 0.70": (OfPyannote(), None),
    "pyannote's, cut at 0.90": (OfPyannote(0.90), None),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A recording's error rate and the speakers found in it."""

    look: Look
    der: float
    found: int

    @property
    def right(self) -> bool:
        return self.found == self.look.speakers


def judge(
    looks: Iterable[Look],
    way: Clustering,
    step: int = CHOSEN_STEP,
    parts: Parting | None = PARTING,
    *,
    pause: float = GAP_S,
    sparing: Sparing = SPARING,
) -> list[Judged]:
    found = []
    for fine in looks:
        look, looked = fine.stepping(step).spared(sparing)
        grid = look.grid
        masks, embeddings = look.masks, look.embeddings
        if parts is not None:
            masks, embeddings = parts.split(masks, embeddings, look.parts, grid)
        speakers = way(embeddings, masks, looked, grid, Bounds())
        speakers[~masks.any(axis=1)] = NOBODY
        spoken = reconstruct(masks, looked, speakers, grid, quiet_gap=pause)
        found.append(judged(fine, turns_of(spoken, look.seconds)))
    return found


def turns_of(spoken: Iterable[Spoken], seconds: float) -> list[Turn]:
    return [
        Turn(max(0.0, each.start), min(seconds, each.end), str(each.speaker))
        for each in spoken
        if each.start < seconds
    ]


def judged(look: Look, turns: Sequence[Turn]) -> Judged:
    rate = diarization_error_rate(list(look.turns), list(turns), look.seconds, NIST_COLLAR_S)
    return Judged(look, rate, len({turn.speaker for turn in turns}))


GROUPS: dict[str, Callable[[Look], bool]] = {
    "conversations": lambda look: look.kind == "conversation",
    "composites": lambda look: look.kind != "conversation",
    "to 45 s": lambda look: look.seconds < _SHORT_S,
    "to 90 s": lambda look: _SHORT_S <= look.seconds < _LONG_S,
    "to 200 s": lambda look: _LONG_S <= look.seconds < _MINUTES_S,
    "longer": lambda look: look.seconds >= _MINUTES_S,
}


def summary(found: Sequence[Judged]) -> list[Cell]:
    """Error rates with their spread and counts by group, then counts that are too many and few."""
    cells: list[Cell] = []
    for of_group in GROUPS.values():
        some = [each for each in found if of_group(each.look)]
        rates = [each.der for each in some]
        right = sum(each.right for each in some)
        cells.append(
            f"{percent(float(np.mean(rates)))} ± {100 * float(np.std(rates)):.0f}, "
            f"{right} of {len(some)}"
            if some
            else "–"
        )
    more = sum(each.found > each.look.speakers for each in found)
    fewer = sum(each.found < each.look.speakers for each in found)
    return [*cells, more, fewer]


HEADINGS = [*GROUPS, "too many", "too few"]


def ways(looks: list[Look]) -> str:
    """The table of ways of clustering."""
    rows = [[name, *summary(judge(looks, way, parts=parts))] for name, (way, parts) in WAYS.items()]
    return table(["clustering", *HEADINGS], rows)


def limits(looks: list[Look]) -> str:
    """The table of the two limits of the cut."""
    rows = [[str(pair), *summary(found)] for pair, found in _by_limits(looks).items()]
    return table(["limits", *HEADINGS], rows)


def left_out(looks: list[Look]) -> str:
    """Each conversation with the limits, and how long a voice is alone, that are best on all other
    recordings."""
    by_settings = {
        (*pair, alone): judged_
        for alone in ALONE_S
        for pair, judged_ in _by_limits(looks, alone).items()
    }
    found = []
    for at, look in enumerate(looks):
        if GROUPS["conversations"](look):
            costs = {each: _cost(judged_, at) for each, judged_ in by_settings.items()}
            best = min(costs, key=costs.__getitem__)
            found.append((best, by_settings[best][at]))
    rows: list[list[Cell]] = [
        [each.look.name, str(best), percent(each.der), each.look.speakers, each.found]
        for best, each in found
    ]
    mean = float(np.mean([each.der for _, each in found]))
    right = sum(each.right for _, each in found)
    rows.append(["mean", "", percent(mean), f"{right} right", ""])
    return table(["left out", "limits, alone", "DER", "speakers", "found"], rows)


def _by_limits(
    looks: list[Look], alone: float = USED.clean_s
) -> dict[tuple[float, float], list[Judged]]:
    return {
        (low, high): judge(looks, replace(USED, different=low, same=high, clean_s=alone))
        for low, high in itertools.product(*LIMITS)
        if low <= high
    }


def _cost(found: list[Judged], left_out_: int) -> float:
    """The mean error rate, and a wrong count as a twentieth more, without one recording."""
    others = [each for at, each in enumerate(found) if at != left_out_]
    return float(np.mean([each.der + 0.05 * (not each.right) for each in others]))


def steps(looks: list[Look]) -> str:
    """The table of steps between chunks."""
    rows = [
        [f"{step:.0f} s", *summary(judge(looks, USED, step, sparing=NONE_SPARED))] for step in STEPS
    ]
    return table(["step", *HEADINGS], rows)


def sparing(looks: list[Look]) -> str:
    """The table of chunks that are not looked at: the share of those beyond the first half minute
    that are, and what it costs."""
    rows: list[list[Cell]] = []
    late = round(SPARING.dense_s * SAMPLE_RATE / looks[0].stepping(CHOSEN_STEP).grid.step_samples)
    for spared in SPARED:
        looked = [look.stepping(CHOSEN_STEP).spared(spared)[1][late:] for look in looks]
        share = percent(float(np.concatenate(looked).mean()))
        found = judge(looks, USED, sparing=spared)
        rows.append([f"{spared.every}", spared.dense_s, spared.apart, share, *summary(found)])
    return table(["one in", "from, s", "disagreeing", "looked at", *HEADINGS], rows)


def pauses(looks: list[Look]) -> str:
    """The table of the quiet pauses that a turn goes on over."""
    rows = [[f"{pause:.2f} s", *summary(judge(looks, USED, pause=pause))] for pause in PAUSES]
    return table(["pause", *HEADINGS], rows)


def placements(cases: Sequence[Case], looks: Sequence[Look], dtype: torch.dtype) -> str:
    """The table of chunks that lie elsewhere, by the models as they are used, looking at all."""
    folder = resolve("bundled:diarization", None, None)
    rows: list[list[Cell]] = []
    every: list[Judged] = []
    for frames in PLACEMENTS:
        grid = looks[0].grid
        step = frames * grid.hop / grid.chunk
        models = bundled.load(folder, torch.device("cpu"), dtype, 32, step, sparing=NONE_SPARED)
        found = []
        for case, look in zip(cases, looks, strict=True):
            spoken = models(torch.from_numpy(case.samples), Bounds(), _unwatched).spoken
            found.append(judged(look, turns_of(spoken, case.seconds)))
        rows.append([f"{frames} frames", *summary(found)])
        every += found
    rows.append(["all", *summary(every)])
    return table(["step", *HEADINGS], rows)


def _unwatched(stage: str, done: int, total: int) -> None:
    """Nobody is told."""


def files(looks: list[Look], cases: Iterable[Case], folder: Path) -> str:
    """Each conversation, by the clustering that is used and by pyannote's own flow."""
    flow: OwnFlow | None = None
    rows: list[list[Cell]] = []
    pairs = []
    for case, ours in zip(cases, judge(looks, USED), strict=True):
        kept = folder / f"{case.sum}.flow.json"
        if not kept.exists():
            flow = flow or OwnFlow()
            found = [(turn.start, turn.end, turn.speaker) for turn in flow.turns(case.samples)]
            kept.write_text(json.dumps(found))
        theirs = judged(ours.look, [Turn(*each) for each in json.loads(kept.read_text())])
        pairs.append((ours, theirs))
        sides = percent(ours.der), ours.found, percent(theirs.der), theirs.found
        rows.append([case.name, case.speakers, *sides])
    means = [float(np.mean([pair[side].der for pair in pairs])) for side in (0, 1)]
    right = [sum(pair[side].right for pair in pairs) for side in (0, 1)]
    rows.append(["mean", "", percent(means[0]), f"{right[0]} right", percent(means[1])])
    rows[-1].append(f"{right[1]} right")
    return table(["file", "speakers", "ours", "found", "pyannote's flow", "found"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="the first so many of them")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dtype", default="auto", help=DTYPES)
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "rayscribe-counting"
    )
    chosen = parser.parse_args()
    looker = Looker(chosen.cache, dtype_on_cpu(chosen.dtype), chosen.threads)
    talks = list(conversations())
    looks = list(looker.looks(talks))
    if "files" in chosen.parts:
        print(files(looks, talks, chosen.cache), flush=True)
    if set(chosen.parts) == {"files"}:
        return
    cases = [*talks]
    for seed, speakers, length in SIZES[: chosen.sizes]:
        cases += composites([(kind, speakers, length) for kind in chosen.kinds], seed)
    looks += looker.looks(cases[len(talks) :])
    tables = {
        "ways": ways,
        "limits": limits,
        "left-out": left_out,
        "steps": steps,
        "sparing": sparing,
        "pauses": pauses,
    }
    for name, made in tables.items():
        if name in chosen.parts:
            print(f"\n{made(looks)}", flush=True)
    if "placements" in chosen.parts:
        dtype = dtype_on_cpu(chosen.dtype)
        print(f"\n{placements(cases, looks, dtype)}", flush=True)


if __name__ == "__main__":
    main()
