"""One recording's way from samples to what each speaker said, whatever the models."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from deployments.diarization.embeddings import SpeakerEmbedder, alone
from deployments.diarization.reconstruction import Spoken, reconstruct
from deployments.diarization.segmentation import Segmenter
from deployments.diarization.speakers.clustering import NOBODY, Bounds, Clustering

Progress = Callable[[str, int, int], None]
"""Told (stage, done, total) as work goes on; what it raises ends the work."""


@dataclass(frozen=True, slots=True)
class Diarization:
    """The models of a pipeline and how they are used.

    `least_clean` is how many frames without others a speaker of a chunk must have to be
    embedded from them alone; None to embed from all. `gap` is the longest pause, in seconds,
    that a turn goes on over, `quiet_gap` the longest if nobody else talks in it.
    """

    segmenter: Segmenter
    embedder: SpeakerEmbedder
    clustering: Clustering
    least_clean: int | None
    gap: float = 0.0
    quiet_gap: float = 0.0

    def __call__(self, waveform: Tensor, bounds: Bounds, progress: Progress) -> list[Spoken]:
        """What was spoken in (samples,) int16 at 16 kHz, speaker by speaker."""
        grid = self.segmenter.grid
        masks = self.segmenter.segment(
            waveform, lambda done, total: progress("segmentation", done, total)
        )
        if not masks.any():
            return []
        used = masks if self.least_clean is None else alone(masks, self.least_clean)
        embeddings = self.embedder.embed(
            waveform, used, grid, lambda done, total: progress("embeddings", done, total)
        )
        progress("clustering", 0, 1)
        speakers = self.clustering(embeddings, masks, grid, bounds)
        speakers[~masks.any(axis=1)] = NOBODY
        progress("reconstruction", 0, 1)
        most = np.inf if bounds.most is None else bounds.most
        return reconstruct(masks, speakers, grid, most=most, gap=self.gap, quiet_gap=self.quiet_gap)
