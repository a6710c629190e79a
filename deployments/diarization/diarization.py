"""One recording's way from samples to what each speaker said, whatever the models."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from deployments.diarization.analysis import Analysis
from deployments.diarization.embeddings import SpeakerEmbedder, alone
from deployments.diarization.grid import talks
from deployments.diarization.reconstruction import Spoken, reconstruct
from deployments.diarization.segmentation import Segmenter
from deployments.diarization.speakers.clustering import (
    NOBODY,
    Bounds,
    Clustering,
    centres,
    unit,
)
from deployments.diarization.speakers.parts import Parting
from deployments.diarization.speakers.voices import VoiceLimits, alike, reference_masks
from interchange.stages import SAMPLE_RATE, STRETCH, STRETCH_REACH, Float32

Progress = Callable[[str, int, int], None]
"""Told (stage, done, total) as work goes on; what it raises ends the work."""


@dataclass(frozen=True, slots=True)
class Found:
    """What was spoken, and (speakers, dimension) the mean voice of each, of length 1."""

    spoken: list[Spoken]
    voices: Float32


@dataclass(frozen=True, slots=True)
class Heard:
    """What a reference says: `seconds` in which one person talks alone, (dimension,) the voice,
    of length 1 (zeros where nobody talks), and how alike its least alike parts are (a cosine)."""

    seconds: float
    voice: Float32
    alike: float


@dataclass(frozen=True, slots=True)
class Diarization:
    """The models of a pipeline and how they are used.

    `least_clean` is how many frames without others a speaker of a chunk must have to be
    embedded from them alone; None to embed from all. `gap` is the longest pause, in seconds,
    that a turn goes on over, `quiet_gap` the longest if nobody else talks in it. `parting` splits
    speakers of a chunk who are two people; None to take them as they are.
    """

    segmenter: Segmenter
    embedder: SpeakerEmbedder
    clustering: Clustering
    voices: VoiceLimits
    least_clean: int | None
    gap: float = 0.0
    quiet_gap: float = 0.0
    parting: Parting | None = None

    def warm_up(self, waveform: Tensor) -> None:
        """Have both networks do once, with (samples,) int16 at 16 kHz, what is slow the first
        time: whether anybody talks there or not."""
        masks, _ = self.segmenter.segment(waveform, _unwatched)
        self.embedder.embed(waveform, np.ones_like(masks), self.segmenter.grid, _unwatched)

    def __call__(self, waveform: Tensor, bounds: Bounds, progress: Progress) -> Found:
        """Of (samples,) int16 at 16 kHz, the whole recording."""
        parts = [
            self.analyse(waveform[begin : begin + STRETCH + STRETCH_REACH], number, progress)
            for number, begin in enumerate(range(0, len(waveform), STRETCH))
        ]
        return self.speakers(Analysis.joined(parts), bounds, progress)

    def analyse(self, samples: Tensor, number: int, progress: Progress) -> Analysis:
        """Of a stretch, see `interchange.stages.Stretch`: the chunks that begin in it.

        Chunks lie where they would if the recording came at once, and those of a stretch see
        nothing of another: so it makes no difference who looks at which, and when.
        """
        grid = self.segmenter.grid
        begin = number * STRETCH
        chunks = grid.begun(begin, begin + STRETCH, begin + len(samples))
        if not chunks:
            return Analysis(
                np.zeros((0, grid.frames, self.segmenter.speakers), np.uint8),
                np.zeros((0, self.segmenter.speakers, self.embedder.dimension), np.float32),
                np.zeros(0, np.bool_),
            )
        first = chunks.start * grid.step_samples - begin
        waveform = samples[first : first + grid.span(len(chunks))]
        masks, looked = self.segmenter.segment(
            waveform, lambda done, total: progress("segmentation", done, total), chunks.start
        )
        used = masks if self.least_clean is None else alone(masks, self.least_clean)
        if self.parting is not None:
            used = np.concatenate([used, self.parting.masks(masks)], axis=2)
        embeddings = self.embedder.embed(
            waveform, used, grid, lambda done, total: progress("embeddings", done, total)
        )
        if self.parting is not None:
            whole, parts = np.split(embeddings, [masks.shape[2]], axis=1)
            masks, embeddings = self.parting.split(masks, whole, parts, grid)
        return Analysis(masks, embeddings, looked)

    def speakers(self, analysis: Analysis, bounds: Bounds, progress: Progress) -> Found:
        """Of the analysis of a whole recording."""
        grid, masks, embeddings = self.segmenter.grid, analysis.masks, analysis.embeddings
        looked = analysis.looked
        if not masks.any():
            return Found([], np.zeros((0, self.embedder.dimension), np.float32))
        progress("clustering", 0, 1)
        speakers = self.clustering(embeddings, masks, looked, grid, bounds)
        speakers[~talks(masks)] = NOBODY
        progress("reconstruction", 0, 1)
        most = np.inf if bounds.most is None else bounds.most
        gaps = {"gap": self.gap, "quiet_gap": self.quiet_gap}
        spoken = reconstruct(masks, looked, speakers, grid, most=most, **gaps)
        return Found(spoken, centres(embeddings, masks, grid, speakers))

    def hear(self, waveform: Tensor) -> Heard:
        """The voice of a reference, (samples,) int16 at 16 kHz, of one person."""
        grid = self.segmenter.grid
        masks, _ = self.segmenter.segment(waveform, _unwatched)
        used, enough = reference_masks(masks, grid)
        seconds = float(grid.united(used[..., 0] > 0).sum()) * grid.hop / SAMPLE_RATE
        if seconds == 0:
            return Heard(0.0, np.zeros(self.embedder.dimension, np.float32), 1.0)
        rows = unit(self.embedder.embed(waveform, used, grid, _unwatched))
        frames = used[..., 0].sum(axis=1, dtype=np.float32)[:, None]
        voice = unit(np.nan_to_num(rows[:, 0] * frames).sum(axis=0))
        pieces = rows[:, 1:][enough[:, 1:]]
        return Heard(seconds, voice, alike(pieces))


def _unwatched(done: int, total: int) -> None:
    """Nobody is told."""
