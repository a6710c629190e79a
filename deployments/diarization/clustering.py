"""Which local speakers of all chunks are one person: what is clustered, and by pyannote how."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from pyannote.audio.pipelines.clustering import AgglomerativeClustering, BaseClustering
from pyannote.core import SlidingWindow, SlidingWindowFeature
from scipy.optimize import linear_sum_assignment

from deployments.diarization.grid import Grid, UInt8
from deployments.diarization.reconstruction import Speakers
from interchange.stages import SAMPLE_RATE, DiarizationOptions, Float32

MAX_CLUSTERED = 8_000
"""Embeddings that are clustered; the others go to the nearest cluster. Distances between all
of them cost 4 × n² bytes: 0.25 GB here, 12 GB for ten hours unbounded."""


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
        """(chunks, local speakers, dimension) and (chunks, frames, local speakers) → (chunks,
        local speakers) numbers of speakers."""
        ...


class PyannotesClustering:
    """A clustering of pyannote's, with a bound to what it compares with each other."""

    def __init__(self, clustering: BaseClustering) -> None:
        self._clustering = clustering
        everything = clustering.filter_embeddings

        def bounded(*args: Any, **kwargs: Any) -> tuple[npt.NDArray[Any], ...]:
            kept: tuple[npt.NDArray[Any], ...] = everything(*args, **kwargs)
            if len(kept[0]) > MAX_CLUSTERED:
                chosen = np.linspace(0, len(kept[0]) - 1, MAX_CLUSTERED).round().astype(np.intp)
                kept = tuple(each[chosen] for each in kept)
            return kept

        clustering.filter_embeddings = bounded
        clustering.constrained_argmax = apart

    def __call__(self, embeddings: Float32, masks: UInt8, grid: Grid, bounds: Bounds) -> Speakers:
        window = SlidingWindow(
            start=0.0,
            duration=grid.chunk / SAMPLE_RATE,
            step=grid.step_samples / SAMPLE_RATE,
        )
        most = np.inf if bounds.most is None else bounds.most
        found, _, _ = self._clustering(
            embeddings=embeddings,
            segmentations=SlidingWindowFeature(masks, window),
            num_clusters=bounds.most if bounds.least == bounds.most else None,
            min_clusters=bounds.least,
            max_clusters=most,
        )
        speakers: Speakers = found.astype(np.int16)
        return speakers


def apart(similarity: Float32) -> Speakers:
    """(chunks, local speakers, speakers) → (chunks, local speakers): the best choice in which
    no two local speakers of a chunk are one person; -2 for those that are left over.

    Like pyannote's, for more than 127 speakers too.
    """
    similarity = np.nan_to_num(similarity, nan=float(np.nanmin(similarity)))
    found = np.full(similarity.shape[:2], -2, np.int16)
    for chunk, costs in enumerate(similarity):
        local, speakers = linear_sum_assignment(costs, maximize=True)
        found[chunk, local] = speakers
    return found


def agglomerative(threshold: float, min_cluster_size: int) -> AgglomerativeClustering:
    clustering = AgglomerativeClustering(metric="cosine")
    clustering.instantiate(
        {"method": "centroid", "threshold": threshold, "min_cluster_size": min_cluster_size}
    )
    return clustering
