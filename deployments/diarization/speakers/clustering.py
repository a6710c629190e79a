"""Which local speakers of all chunks are one person."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array

from deployments.diarization.grid import Bool, Grid, UInt8, frames_of, lone
from deployments.diarization.reconstruction import Speakers, seen
from interchange.stages import SAMPLE_RATE, DiarizationOptions, Float32

Floats = TypeVar("Floats", bound="np.floating[Any]")

NOBODY = -2
"""In place of a speaker's number."""
_TOGETHER = 1_024
"""Chunks that are summed at once: what bounds the memory of long recordings."""
_COMPARED = 512
"""Voices that are compared with all others at once: what bounds the memory beside the distances."""


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
    def __call__(
        self, embeddings: Float32, masks: UInt8, looked: Bool, grid: Grid, bounds: Bounds
    ) -> Speakers:
        """(chunks, local speakers, dimension), NaN for silent ones, (chunks, frames, local
        speakers), and (chunks,), which of them were looked at, → (chunks, local speakers) numbers
        of speakers, less than 0 for nobody."""
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


def alone(masks: UInt8, grid: Grid) -> Float32:
    """(chunks, local speakers): seconds that a speaker talks alone."""
    return frames_of(lone(masks)) * np.float32(grid.hop / SAMPLE_RATE)


def shares(masks: UInt8, looked: Bool, grid: Grid) -> Float32:
    """(chunks, local speakers): seconds of the recording that each stands for. What several
    chunks see is divided among them: fewer see a recording's ends, and their speech counts as
    much as any other."""
    frame = grid.hop / SAMPLE_RATE
    part = (frame / seen(looked, grid)).astype(np.float32)
    of_chunk = sliding_window_view(part, grid.frames)[:: grid.step]
    found = np.empty((len(masks), masks.shape[2]), np.float32)
    for first in range(0, len(masks), _TOGETHER):
        some = slice(first, first + _TOGETHER)
        found[some] = np.einsum("cfk,cf->ck", masks[some], of_chunk[some])
    return found


def unit(vectors: npt.NDArray[Floats]) -> npt.NDArray[Floats]:
    """Vectors of length 1; zeros stay zeros."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    found: npt.NDArray[Floats] = vectors / np.maximum(length, 1e-9)
    return found


def sums(rows: Float32, labels: npt.NDArray[np.intp]) -> Float32:
    """(rows, dimension), (rows,) → (labels, dimension)."""
    count = len(rows)
    chosen = csr_array(
        (np.ones(count, np.float32), labels, np.arange(count + 1)), (count, labels.max() + 1)
    )
    total: Float32 = chosen.T @ rows
    return total


def cosine_distances(rows: Float32) -> npt.NDArray[np.float64]:
    """(rows, dimension) → (pairs,): one minus the cosine of each, as scipy's `linkage` takes them.

    By products of matrices: scipy compares pair by pair, which takes six times as long. In double
    precision, so that the same are near each other.
    """
    exact = unit(rows.astype(np.float64))
    count = len(exact)
    found = np.empty(count * (count - 1) // 2, np.float64)
    at = 0
    for first in range(0, count, _COMPARED):
        distances = 1.0 - exact[first : first + _COMPARED] @ exact[first:].T
        np.maximum(distances, 0.0, out=distances)
        for number, row in enumerate(distances, 1):
            found[at : at + len(row) - number] = row[number:]
            at += len(row) - number
    return found


def centres(embeddings: Float32, masks: UInt8, grid: Grid, speakers: Speakers) -> Float32:
    """(speakers, dimension): the mean voice of each, of length 1; by how long it is heard alone.

    Zeros for a speaker who never is.
    """
    chosen = (speakers >= 0) & ~np.isnan(embeddings[..., 0])
    if not chosen.any():
        return np.zeros((int(speakers.max()) + 1, embeddings.shape[-1]), np.float32)
    rows = unit(embeddings[chosen]) * alone(masks, grid)[chosen][:, None]
    return unit(sums(rows, speakers[chosen].astype(np.intp)))
