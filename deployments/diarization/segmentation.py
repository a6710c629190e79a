"""Who of a few local speakers talks in each frame of each chunk of 10 s.

pyannote runs its segmentation network over chunks that overlap by 9 s. Two things are done in
another way here, with the same result: the filters at the network's entry are applied once to
a stretch of chunks (`sincnet.py`), and chunks between two that cover them and are silent are
not looked at. A third saves looks where they would say nothing new: between two chunks that agree
about what both see.
"""

import itertools
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Protocol

import numpy as np
import torch
from pyannote.audio import Model
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.utils.powerset import Powerset
from torch import Tensor

from deployments.diarization.grid import Bool, Grid, UInt8
from deployments.diarization.networks.pyannet import PyanNetScores, SharedPyanNet
from deployments.diarization.networks.waveforms import pieces
from deployments.diarization.networks.workers import Workers
from deployments.diarization.sparing import NONE_SPARED, Sparing, covering

Progress = Callable[[int, int], None]
"""Told (done, total); what it raises ends the work."""

_CPU_CHUNKS = 8
"""Chunks that one thread of a CPU looks at together: more take as long each, and fewer longer."""
_FILTERED = 96
"""Chunks, at least, whose filters are applied together: the last of them reach over what the next
ones begin with, and that much is filtered twice."""


class _Scores(Protocol):
    """A network with the part of it done that chunks share."""

    def __call__(self, chunks: Tensor) -> Tensor:
        """(chunks,) numbers within the stretch → (chunks, frames, classes)."""
        ...


class Segmenter:
    """Runs a segmentation network over a recording.

    `batch_size` chunks are looked at together. `step` is the share of a chunk's length that the
    next one begins later, to a whole frame. `threshold` is for networks that score each speaker
    by itself; those of today score sets of speakers. `sparing` says which chunks
    are looked at. `integers` has pyannote's network multiply in 16-bit integers, on a CPU.
    """

    def __init__(
        self,
        model: Model,
        device: torch.device,
        batch_size: int,
        step: float,
        threshold: float = 0.5,
        *,
        workers: Workers | None = None,
        sparing: Sparing = NONE_SPARED,
        integers: bool = False,
    ) -> None:
        self._model = model.eval().to(device)
        self._shared = (
            SharedPyanNet(model, integers=integers) if isinstance(model, PyanNet) else None
        )
        self._device = device
        self._workers = workers or Workers()
        self._together = max(batch_size, _FILTERED)
        self._batch_size = min(batch_size, _CPU_CHUNKS) if device.type == "cpu" else batch_size
        self._threshold = threshold
        specifications = model.specifications
        chunk = model.audio.get_num_samples(specifications.duration)
        frames = model.num_frames(chunk)
        hop = round(model.receptive_field.step * model.audio.sample_rate)
        self.grid = Grid(
            chunk=chunk,
            hop=hop,
            field=round(model.receptive_field.duration * model.audio.sample_rate),
            frames=frames,
            step=max(1, round(step * chunk / hop)),
        )
        self.speakers = len(specifications.classes)
        self._sparing = sparing
        if sparing.every > self.grid.tiles:
            raise ValueError(f"{sparing} leaves frames that no chunk sees: {self.grid}")
        self._sets: Tensor | None = None
        if specifications.powerset:
            sets = Powerset(self.speakers, specifications.powerset_max_classes).mapping
            self._sets = sets.to(device, torch.uint8)

    @torch.inference_mode()
    def segment(self, waveform: Tensor, progress: Progress, number: int = 0) -> tuple[UInt8, Bool]:
        """(chunks, frames, local speakers), 1 where one talks, of (samples,) int16, and (chunks,)
        which were looked at; the others stand as silent. `number` is that of the first chunk in the
        recording.
        """
        chunks = self.grid.chunks(len(waveform))
        masks = np.empty((chunks, self.grid.frames, self.speakers), np.uint8)
        looked = np.empty(chunks, np.bool_)
        for first in range(0, chunks, self._together):
            some = range(first, min(first + self._together, chunks))
            wanted = self._sparing.wanted(self.grid, number + first, len(some))
            tell = partial(progress, first, chunks)
            found, looked[some.start : some.stop] = self._stretch(waveform, some, wanted, tell)
            masks[some.start : some.stop] = found.cpu().numpy()
        progress(chunks, chunks)
        return masks, looked

    def _stretch(
        self, waveform: Tensor, chunks: range, wanted: list[int], progress: Callable[[], None]
    ) -> tuple[Tensor, Bool]:
        """(chunks, frames, speakers) of some chunks, and (chunks,) which were looked at."""
        grid, count = self.grid, len(chunks)
        begin = chunks.start * grid.step_samples
        progress()
        scores = self._open(pieces(waveform, [begin], grid.span(count), self._device)[0])
        found = torch.zeros(
            (count, grid.frames, self.speakers), dtype=torch.uint8, device=self._device
        )

        def look(chunks: list[int]) -> None:
            count = self._workers.split(len(chunks), self._batch_size)
            batches = [batch.tolist() for batch in np.array_split(chunks, count)]
            with closing(self._workers.map(partial(self._binary, scores), batches)) as results:
                for batch, result in zip(batches, results, strict=True):
                    progress()
                    found[batch] = result

        tiles = covering(wanted, grid.tiles)
        look(tiles)
        if len(tiles) == count:
            return found, np.ones(count, np.bool_)
        speech = found.flatten(1).any(dim=1).tolist()
        between = [
            chunk
            for left, right in itertools.pairwise(tiles)
            if speech[left] or speech[right]
            for chunk in wanted
            if left < chunk < right
        ]
        if between:
            look(between)
        looked = self._sparing.looked(grid, found, wanted)
        disputed = np.setdiff1d(np.flatnonzero(looked), wanted)
        if len(disputed):
            look(disputed.tolist())
        return found, looked

    def _open(self, stretch: Tensor) -> _Scores:
        if self._shared is not None:
            return PyanNetScores(self._shared, stretch, self.grid)
        return _WholeScores(self._model, stretch, self.grid)

    def _binary(self, scores: _Scores, chunks: list[int]) -> Tensor:
        found = scores(torch.tensor(chunks, device=self._device))
        if self._sets is None:
            return (found > self._threshold).to(torch.uint8)
        return self._sets[found.argmax(dim=-1)]


class _WholeScores:
    """Any other network, chunk by chunk."""

    def __init__(self, model: Model, stretch: Tensor, grid: Grid) -> None:
        self._model = model
        self._chunks = stretch.unfold(0, grid.chunk, grid.step_samples)

    def __call__(self, chunks: Tensor) -> Tensor:
        scores: Tensor = self._model(self._chunks[chunks].unsqueeze(1))
        return scores
