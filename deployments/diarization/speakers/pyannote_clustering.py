"""The clusterings of pyannote's published pipelines, with a bound to their work."""

from typing import Any

import numpy as np
import numpy.typing as npt
from pyannote.audio.pipelines import clustering as pyannotes
from pyannote.audio.pipelines.clustering import BaseClustering
from pyannote.core import SlidingWindow, SlidingWindowFeature
from scipy.cluster.hierarchy import linkage
from scipy.optimize import linear_sum_assignment

from deployments.diarization.grid import Bool, Grid, UInt8
from deployments.diarization.reconstruction import Speakers
from deployments.diarization.speakers.clustering import (
    NOBODY,
    Bounds,
    cosine_distances,
    evenly,
)
from interchange.stages import SAMPLE_RATE, Float32

MAX_CLUSTERED = 8_000
"""Embeddings that are clustered; the others go to the nearest cluster. Distances between all
of them cost 4 × n² bytes: 0.25 GB here, 12 GB for ten hours unbounded."""


class PyannoteClustering:
    """Agglomerative clustering or VBx, by pyannote's own code with its own parameters."""

    def __init__(self, clustering: BaseClustering) -> None:
        self._clustering = clustering
        everything = clustering.filter_embeddings

        def bounded(*args: Any, **kwargs: Any) -> tuple[npt.NDArray[Any], ...]:
            kept: tuple[npt.NDArray[Any], ...] = everything(*args, **kwargs)
            if len(kept[0]) > MAX_CLUSTERED:
                chosen = evenly(len(kept[0]), MAX_CLUSTERED)
                kept = tuple(each[chosen] for each in kept)
            return kept

        clustering.filter_embeddings = bounded
        clustering.constrained_argmax = apart

    def __call__(
        self, embeddings: Float32, masks: UInt8, looked: Bool, grid: Grid, bounds: Bounds
    ) -> Speakers:
        # A speaker's frames beside each other in memory: numpy sums over them six times as fast.
        masks = np.ascontiguousarray(masks.transpose(0, 2, 1)).transpose(0, 2, 1)
        window = SlidingWindow(
            start=0.0,
            duration=grid.chunk / SAMPLE_RATE,
            step=grid.step_samples / SAMPLE_RATE,
        )
        found, _, _ = self._clustering(
            embeddings=embeddings,
            segmentations=SlidingWindowFeature(masks, window),
            num_clusters=bounds.most if bounds.least == bounds.most else None,
            min_clusters=bounds.least,
            max_clusters=np.inf if bounds.most is None else bounds.most,
        )
        speakers: Speakers = found.astype(np.int16)
        return speakers


def linked(rows: Float32, method: str, metric: str) -> npt.NDArray[np.float64]:
    """The tree of scipy's `linkage`, by products of matrices.

    `metric` is "cosine", or "euclidean" for rows of length 1, as pyannote makes them before.
    """
    distances = cosine_distances(rows)
    if metric == "euclidean":
        distances *= 2
        np.sqrt(distances, out=distances)
    tree: npt.NDArray[np.float64] = linkage(distances, method)
    return tree


# What scipy takes longest for where pyannote calls it with vectors.
pyannotes.linkage = linked


def apart(similarity: Float32) -> Speakers:
    """(chunks, local speakers, speakers) → (chunks, local speakers): the best choice in which
    no two local speakers of a chunk are one person; less than 0 for those left over.

    In place of pyannote's, which counts speakers in 8 bits.
    """
    similarity = np.nan_to_num(similarity, nan=float(np.nanmin(similarity)))
    found = np.full(similarity.shape[:2], NOBODY, np.int16)
    for chunk, costs in enumerate(similarity):
        local, speakers = linear_sum_assignment(costs, maximize=True)
        found[chunk, local] = speakers
    return found
