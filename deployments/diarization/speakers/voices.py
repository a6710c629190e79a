"""Voices that are known: what a reference says, and which speakers of a recording are theirs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import linkage
from scipy.optimize import linear_sum_assignment

from deployments.diarization.grid import Bool, Grid, UInt8
from deployments.diarization.speakers.clustering import unit
from interchange.stages import SAMPLE_RATE, Float32, Voice

_PIECES = 5
"""Parts of a chunk of 10 s that are compared, to hear whether two people talk."""
_LEAST_PIECE_S = 0.8
"""Less than so much speech says too little of a voice."""


@dataclass(frozen=True, slots=True)
class VoiceLimits:
    """Cosines: from `same` on a speaker is a known voice; parts of a reference that are less
    alike than `several` are of several people."""

    same: float
    several: float


def named(voices: Float32, known: Sequence[Voice], least: float) -> dict[int, str]:
    """The names of speakers, by their number: one to one, as alike in all as can be; from
    `least` on.

    `voices` is (speakers, dimension), of length 1. Of several recordings of a person the most
    alike counts.
    """
    if not known or len(voices) == 0:
        return {}
    similarity = np.stack(
        [(voices @ unit(np.array(each.embeddings, np.float32)).T).max(axis=1) for each in known],
        axis=1,
    )
    pairs = zip(*linear_sum_assignment(similarity, maximize=True), strict=True)
    return {int(one): known[who].name for one, who in pairs if similarity[one, who] >= least}


def reference_masks(masks: UInt8, grid: Grid) -> tuple[UInt8, Bool]:
    """What of a reference is embedded: (chunks, frames, 1 + pieces), 1 where one person talks
    alone in the whole chunk, then in each piece of it; and which of them say enough."""
    alone = (masks.sum(axis=2) == 1).astype(np.uint8)
    edges = np.linspace(0, grid.frames, _PIECES + 1).round().astype(int)
    found = np.zeros((*alone.shape, 1 + _PIECES), np.uint8)
    found[..., 0] = alone
    for piece in range(_PIECES):
        part = slice(edges[piece], edges[piece + 1])
        found[:, part, 1 + piece] = alone[:, part]
    return found, found.sum(axis=1) * grid.hop >= _LEAST_PIECE_S * SAMPLE_RATE


def alike(embeddings: Float32) -> float:
    """How alike the two voices are into which the rows fall most readily (a cosine, by average
    linkage); 1 for less than two rows."""
    if len(embeddings) < 2:
        return 1.0
    tree: npt.NDArray[np.float64] = linkage(embeddings, "average", metric="cosine")
    return float(1 - tree[-1, 2])
