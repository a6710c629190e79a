"""Other ways of clustering than the one that is used, to compare it with."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pyannote.audio.pipelines.clustering import AgglomerativeClustering
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.cluster.vq import kmeans2

from benchmarks.systems.own_flow import PARAMETERS
from deployments.diarization.grid import Bool, Grid, UInt8
from deployments.diarization.reconstruction import Speakers
from deployments.diarization.speakers.clustering import (
    NOBODY,
    Bounds,
    alone,
    nearest_apart,
    shares,
    sums,
    unit,
)
from deployments.diarization.speakers.pyannote_clustering import PyannoteClustering
from deployments.diarization.speakers.similarity import Float64, without_small
from interchange.stages import Float32

Labels = npt.NDArray[np.intp]


class _OfRows(ABC):
    """What ways have in common: who is clustered, what becomes of small clusters, and of others."""

    clean_s = 0.5
    least_s = 0.5
    enough_s = 10.0
    share = 0.02

    def __call__(
        self, embeddings: Float32, masks: UInt8, looked: Bool, grid: Grid, bounds: Bounds
    ) -> Speakers:
        active = masks.any(axis=1) & ~np.isnan(embeddings[..., 0])
        clean = alone(masks, grid)
        chosen = active & (clean >= self.clean_s)
        if chosen.sum() < 3:
            return np.where(active, 0, NOBODY).astype(np.int16)
        voices, weight = unit(np.nan_to_num(embeddings)), shares(masks, looked, grid)
        rows, sizes = voices[chosen], weight[chosen]
        least = max(self.least_s, min(self.share * float(weight.sum()), self.enough_s))
        labels = without_small(rows, sizes, self._labels(rows, sizes), least)
        centres = unit(sums(rows * clean[chosen][:, None], labels))
        similarity = voices.reshape(-1, voices.shape[-1]) @ centres.T
        return nearest_apart(similarity.reshape(*active.shape, -1), active)

    @abstractmethod
    def _labels(self, rows: Float32, sizes: Float32) -> Labels:
        """(rows,): the cluster of each voice, of `sizes` seconds."""


@dataclass(frozen=True, slots=True)
class MergedCentroids(_OfRows):
    """Clusters of voices that are surely one person, merged by the cosine of their centroids."""

    same: float
    sure: float = 0.7

    def _labels(self, rows: Float32, sizes: Float32) -> Labels:
        tree = linkage(rows, "average", metric="cosine")
        first = fcluster(tree, 1 - self.sure, criterion="distance") - 1
        total = sums(rows * sizes[:, None], first)
        of_cluster = np.arange(len(total))
        while len(total) > 1:
            centres = unit(total)
            similarity = centres @ centres.T - 3 * np.eye(len(total), dtype=np.float32)
            one, other = sorted(divmod(int(similarity.argmax()), len(total)))
            if similarity[one, other] < self.same:
                break
            total[one] += total[other]
            total = np.delete(total, other, axis=0)
            of_cluster[of_cluster == other] = one
            of_cluster[of_cluster > other] -= 1
        found: Labels = of_cluster[first]
        return found


@dataclass(frozen=True, slots=True)
class Eigengap(_OfRows):
    """Spectral clustering with the normalised maximum eigengap (T. J. Park et al., "Auto-Tuning
    Spectral Clustering for Speaker Diarization", IEEE SPL 2020): nothing to choose but `most`."""

    most: int = 12

    def _labels(self, rows: Float32, sizes: Float32) -> Labels:
        affinity = rows @ rows.T
        count = len(rows)
        order = np.argsort(-affinity, axis=1)
        best: tuple[float, int, Float64] | None = None
        for kept in range(2, max(3, min(count // 2, 40))):
            near = np.zeros((count, count))
            np.put_along_axis(near, order[:, :kept], 1.0, axis=1)
            near = (near + near.T) / 2
            values, vectors = np.linalg.eigh(np.diag(near.sum(axis=1)) - near)
            gaps = np.diff(values[: min(self.most, count - 1) + 1])
            ratio = kept / count / (gaps.max() / (values[-1] + 1e-10) + 1e-10)
            if best is None or ratio < best[0]:
                best = ratio, 1 + int(gaps.argmax()), vectors
        assert best is not None
        _, speakers, vectors = best
        _, labels = kmeans2(vectors[:, :speakers], speakers, minit="++", seed=0)
        _, found = np.unique(labels, return_inverse=True)
        return found.astype(np.intp)


@dataclass(frozen=True, slots=True)
class OfPyannote:
    """Agglomerative clustering by centroids, as speaker-diarization-3.1 has it."""

    threshold: float = field(default=PARAMETERS["clustering"]["threshold"])

    def __call__(
        self, embeddings: Float32, masks: UInt8, looked: Bool, grid: Grid, bounds: Bounds
    ) -> Speakers:
        clustering = AgglomerativeClustering(metric="cosine")
        clustering.instantiate(PARAMETERS["clustering"] | {"threshold": self.threshold})
        return PyannoteClustering(clustering)(embeddings, masks, looked, grid, bounds)
