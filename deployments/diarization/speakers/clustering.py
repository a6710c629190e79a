"""Which local speakers of all chunks are one person."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.optimize import linear_sum_assignment

from deployments.diarization.grid import Grid, UInt8
from deployments.diarization.reconstruction import Speakers, seen
from interchange.stages import SAMPLE_RATE, DiarizationOptions, Float32

NOBODY = -2
"""In place of a speaker's number."""
_TOGETHER = 1_024
"""Chunks that are summed at once: what bounds the memory of long recordings."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many speakers there may be; `most` None for any number."""

    least: int = 1
    most: int | None = None

    @classmethod
    def of(cls, options: DiarizationOptions) -> "Bounds":
        exact = options.num_speakers
        return cls(exact or options.min_speakers or 1, exact or options.max_speakers)


class Clustering(Protocol):
    def __call__(self, embeddings: Float32, masks: UInt8, grid: Grid, bounds: Bounds) -> Speakers:
        """(chunks, local speakers, dimension), NaN for silent ones, and (chunks, frames, local
        speakers) → (chunks, local speakers) numbers of speakers, less than 0 for nobody."""
        ...


def evenly(count: int, most: int) -> npt.NDArray[np.intp]:
    """Up to `most` numbers below `count`, evenly spread."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.intp)


def nearest_apart(similarity: Float32, active: npt.NDArray[np.bool_]) -> Speakers:
    """(chunks, local speakers, speakers) → (chunks, local speakers): the most similar speakers,
    but no two active local speakers of a chunk one person while there are others.

    Segmentation has told them apart, and it saw them together.
    """
    found: Speakers = similarity.argmax(axis=2).astype(np.int16)
    found[~active] = NOBODY
    chunks, local, speakers = similarity.shape
    clash = np.zeros(chunks, np.bool_)
    for one in range(local):
        for other in range(one):
            clash |= (found[:, one] == found[:, other]) & active[:, one] & active[:, other]
    if speakers == 1:
        return found
    for chunk in np.flatnonzero(clash):
        (several,) = np.nonzero(active[chunk])
        costs = similarity[chunk, several]
        if len(several) > speakers:
            # Nobody is left over: a speaker may be taken twice, as the last resort.
            costs = np.concatenate([costs, costs - 10.0], axis=1)
        rows, columns = linear_sum_assignment(costs, maximize=True)
        found[chunk, several[rows]] = columns % speakers
    return found


def seconds(masks: UInt8, grid: Grid) -> tuple[Float32, Float32]:
    """(chunks, local speakers) each: seconds that a speaker talks, and that it talks alone."""
    frame = grid.hop / SAMPLE_RATE
    one = masks.sum(axis=2, keepdims=True, dtype=np.uint8) < 2
    talks = masks.sum(axis=1, dtype=np.uint16) * np.float32(frame)
    alone = (masks * one).sum(axis=1, dtype=np.uint16) * np.float32(frame)
    return talks, alone


def shares(masks: UInt8, grid: Grid) -> Float32:
    """(chunks, local speakers): seconds of the recording that each stands for. What several
    chunks see is divided among them: fewer see a recording's ends, and their speech counts as
    much as any other."""
    frame = grid.hop / SAMPLE_RATE
    part = (frame / seen(len(masks), grid)).astype(np.float32)
    of_chunk = sliding_window_view(part, grid.frames)[:: grid.step]
    found = np.empty((len(masks), masks.shape[2]), np.float32)
    for first in range(0, len(masks), _TOGETHER):
        some = slice(first, first + _TOGETHER)
        found[some] = np.einsum("cfk,cf->ck", masks[some], of_chunk[some])
    return found


def unit(vectors: Float32) -> Float32:
    """Vectors of length 1; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    found: Float32 = vectors / np.maximum(length, 1e-9)
    return found


def sums(rows: Float32, labels: npt.NDArray[np.intp]) -> Float32:
    """(rows, dimension), (rows,) → (labels, dimension)."""
    total = np.zeros((labels.max() + 1, rows.shape[1]), np.float32)
    np.add.at(total, labels, rows)
    return total


def centres(embeddings: Float32, masks: UInt8, grid: Grid, speakers: Speakers) -> Float32:
    """(speakers, dimension): the mean voice of each, of length 1; by how long it is heard alone.

    Zeros for a speaker who never is.
    """
    chosen = (speakers >= 0) & ~np.isnan(embeddings[..., 0])
    if not chosen.any():
        return np.zeros((int(speakers.max()) + 1, embeddings.shape[-1]), np.float32)
    _, clean = seconds(masks, grid)
    rows = unit(embeddings[chosen]) * clean[chosen][:, None]
    return unit(sums(rows, speakers[chosen].astype(np.intp)))
