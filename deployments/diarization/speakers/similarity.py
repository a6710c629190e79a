"""Speakers of a recording by the similarity of voices: the clustering of the bundled models.

Average linkage of cosine similarities (as the makers of CAM++ use for short recordings: 3D-
Speaker, "agglomerative hierarchical clustering"), cut by the recording itself: rooms and
telephones make all voices more alike, so no one threshold fits all. Between two limits, below
which voices are two people and above which they are one, the cut lies in the widest gap
between the similarities at which people would be merged. It is the eigengap's idea, on a tree.

What each number costs is in docs/diarization.md, by `benchmarks.diarization.counting`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage

from deployments.diarization.grid import Bool, Grid, UInt8, talks
from deployments.diarization.reconstruction import Speakers, talking
from deployments.diarization.speakers.clustering import (
    NOBODY,
    Bounds,
    alone,
    cosine_distances,
    evenly,
    nearest_apart,
    shares,
    sums,
    unit,
)
from interchange.stages import SAMPLE_RATE, Float32

Float64 = npt.NDArray[np.float64]

MAX_CLUSTERED = 4_000
"""Voices that are compared with each other; the others go to the nearest speaker. Distances
between all of them cost 4 × n² bytes: 64 MB here, 2.7 GB for ten hours unbounded."""


@dataclass(frozen=True, slots=True)
class SimilarityClustering:
    """`different` and `same` are the limits of the cut, as cosines. A voice is clustered if it
    is alone for `clean_s` seconds of a chunk. A speaker speaks for `share` of all speech, but
    no less than `least_s` seconds, and no more than `enough_s` are asked for. Where two talk at
    once for `together_s` seconds, there are two.

    Local speakers from the one numbered `whole` on are parts of others (`parts.Parting`): a speaker
    who is mostly made of them speaks for `split_s` seconds at least."""

    different: float = 0.40
    same: float = 0.65
    clean_s: float = 0.4
    least_s: float = 0.5
    enough_s: float = 10.0
    share: float = 0.02
    together_s: float = 1.0
    whole: int = 3
    split_s: float = 3.0

    def __call__(
        self, embeddings: Float32, masks: UInt8, looked: Bool, grid: Grid, bounds: Bounds
    ) -> Speakers:
        active = talks(masks) & ~np.isnan(embeddings[..., 0])
        if not active.any() or bounds.most == 1:
            return np.where(active, 0, NOBODY).astype(np.int16)
        together = (talking(masks, looked, grid) > 1).sum() * grid.hop / SAMPLE_RATE
        if together >= self.together_s and bounds.least == 1:
            bounds = Bounds(2, bounds.most)
        clean = alone(masks, grid)
        voices = unit(np.nan_to_num(embeddings))
        local, some = self._chosen(active, clean, bounds)
        chosen = local[0][some], local[1][some]
        rows = voices[chosen]
        weight = shares(masks, looked, grid)
        # Only some voices are compared.
        sizes: Float32 = weight[chosen] * np.float32(len(local[0]) / len(some))
        least = max(self.least_s, min(self.share * float(weight.sum()), self.enough_s))
        labels = self._labels(rows, sizes, least, bounds)
        if bounds.least < labels.max() + 1:
            labels = self._without_split(rows, sizes, chosen[1] >= self.whole, labels)
        centres = unit(sums(rows * clean[chosen][:, None], labels))
        similarity = voices.reshape(-1, voices.shape[-1]) @ centres.T
        similarity = similarity.reshape(*active.shape, -1)
        found = nearest_apart(similarity, active)
        # Where segmentation took two people for one, it does not say either who others are.
        split = active[:, self.whole :].any(axis=1)
        found[split] = np.where(active[split], similarity[split].argmax(axis=2), NOBODY)
        return found

    def _chosen(
        self, active: npt.NDArray[np.bool_], clean: Float32, bounds: Bounds
    ) -> tuple[tuple[npt.NDArray[np.intp], ...], npt.NDArray[np.intp]]:
        """The voices that are clean enough, or the cleanest, and which of them are compared."""
        enough = self.clean_s
        while (chosen := active & (clean >= enough)).sum() < max(2, bounds.least) and enough > 0:
            enough = enough / 2 if enough > 0.1 else 0.0
        local = np.nonzero(chosen)
        return local, evenly(len(local[0]), MAX_CLUSTERED)

    def _labels(
        self, rows: Float32, sizes: Float32, least: float, bounds: Bounds
    ) -> npt.NDArray[np.intp]:
        """(rows,): which speaker each voice is."""
        if len(rows) == 1:
            return np.zeros(1, np.intp)
        tree = linkage(cosine_distances(rows), "average")
        merges = _merges(tree, sizes, least)
        cut = self._cut(merges)
        speakers = 1 + int((merges < cut).sum())
        wanted = max(bounds.least, min(speakers, bounds.most or speakers))
        if wanted != speakers:
            # Those who are asked for are they who speak most: others would be outvoted.
            least = max(least, self.split_s)
            merges = _merges(tree, sizes, least)
            while len(merges) < wanted - 1 and least > 0:
                least = least / 2 if least > 0.1 else 0.0
                merges = _merges(tree, sizes, least)
            around = np.concatenate([[-1.0], merges, [1.0]])
            at = min(wanted, len(around) - 1)
            cut = (around[at - 1] + around[at]) / 2
        found = fcluster(tree, 1 - cut, criterion="distance") - 1
        return without_small(rows, sizes, found, least)

    def _without_split(
        self, rows: Float32, sizes: Float32, split: Bool, labels: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.intp]:
        """Without speakers who are little more than parts split off from others."""
        total = np.bincount(labels, sizes)
        of_parts = np.bincount(labels, sizes * split)
        kept = (total >= self.split_s) | (of_parts <= total / 2)
        return _nearest_of(kept, rows, sizes, labels) if kept.any() else labels

    def _cut(self, merges: Float64) -> float:
        """The middle of the widest gap between the limits."""
        within = merges[(merges > self.different) & (merges < self.same)]
        around = np.concatenate([[self.different], within, [self.same]])
        widest = int(np.diff(around).argmax())
        return float(around[widest] + around[widest + 1]) / 2


def _merges(tree: Float64, sizes: Float32, least: float) -> Float64:
    """The similarities, ascending, at which two clusters merge that both are large enough."""
    of_cluster = [*sizes.tolist()]
    found = []
    for one, other, distance, _ in tree.tolist():
        pair = of_cluster[int(one)], of_cluster[int(other)]
        of_cluster.append(sum(pair))
        if min(pair) >= least:
            found.append(1 - distance)
    return np.sort(np.array(found, np.float64))


def without_small(
    rows: Float32, sizes: Float32, labels: npt.NDArray[np.intp], least: float
) -> npt.NDArray[np.intp]:
    """Clusters of less than `least` seconds dissolved into the nearest of the others."""
    size = np.bincount(labels, sizes)
    return _nearest_of(size >= min(least, size.max()), rows, sizes, labels)


def _nearest_of(
    kept: Bool, rows: Float32, sizes: Float32, labels: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    """The clusters that are kept, numbered anew; rows of others go to the nearest."""
    centres = unit(sums(rows * sizes[:, None], labels)[kept])
    number = np.cumsum(kept) - 1
    nearest = (rows @ centres.T).argmax(axis=1)
    found: npt.NDArray[np.intp] = np.where(kept[labels], number[labels], nearest)
    return found
