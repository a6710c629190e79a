"""What the bundled models say of a recording, kept between runs: clustering is tried on it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.diarization.cases import Case
from configs.settings import DiarizationSettings
from deployments.diarization import bundled
from deployments.diarization.diarization import Diarization
from deployments.diarization.embeddings import alone
from deployments.diarization.grid import Bool, Grid, UInt8
from deployments.diarization.pipeline import chosen_dtype
from deployments.diarization.sparing import NONE_SPARED, Sparing
from deployments.models.resolve import resolve
from interchange.stages import SAMPLE_RATE, Float32
from interchange.transcript import Turn

DTYPES = "what the networks multiply in: auto, float32, bfloat16, int16"
_CPU = torch.device("cpu")
_FINE_S = 1.0
"""The step that is looked at: every second, third … chunk of it are those of a longer one."""


@dataclass(frozen=True, slots=True)
class Look:
    """A recording with `masks` (chunks, frames, local speakers), `embeddings` (chunks, local
    speakers, dimension) and those of `parts` (chunks, parts, dimension) of its chunks on `grid`."""

    name: str
    kind: str
    seconds: float
    turns: tuple[Turn, ...]
    masks: UInt8
    embeddings: Float32
    parts: Float32
    grid: Grid

    @property
    def speakers(self) -> int:
        return len({turn.speaker for turn in self.turns})

    def stepping(self, times: int) -> "Look":
        """With a step so many times as long."""
        grid = replace(self.grid, step=times * self.grid.step)
        chunks = grid.chunks(round(self.seconds * SAMPLE_RATE))
        return replace(
            self,
            masks=self.masks[::times][:chunks],
            embeddings=self.embeddings[::times][:chunks],
            parts=self.parts[::times][:chunks],
            grid=grid,
        )

    def spared(self, sparing: Sparing) -> "tuple[Look, Bool]":
        """As if only so many chunks had been looked at; and (chunks,) which are."""
        wanted = sparing.wanted(self.grid, 0, len(self.masks))
        looked = sparing.looked(self.grid, torch.from_numpy(self.masks), wanted)
        heard = np.where(looked, 1, np.nan).astype(np.float32)[:, None, None]
        return replace(
            self,
            masks=self.masks * looked[:, None, None].astype(np.uint8),
            embeddings=self.embeddings * heard,
            parts=self.parts * heard,
        ), looked


class Looker:
    """Looks at recordings once each; what was seen is kept in `folder`."""

    def __init__(self, folder: Path, dtype: torch.dtype, threads: int = 1) -> None:
        self._folder = folder
        self._dtype = dtype
        self._threads = threads
        self._models: Diarization | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def looks(self, cases: Iterable[Case]) -> Iterator[Look]:
        for case in cases:
            path = self._folder / f"{case.sum}.{self._dtype}.npz"
            if not path.exists():
                self._look(case, path)
            with np.load(path) as kept:
                yield Look(
                    case.name,
                    case.kind,
                    case.seconds,
                    case.turns,
                    kept["masks"],
                    kept["embeddings"],
                    kept["parts"],
                    Grid(*(int(value) for value in kept["grid"])),
                )

    def _look(self, case: Case, path: Path) -> None:
        models = self._loaded()
        grid = models.segmenter.grid
        # Whatever the step, its last chunk is among those that are looked at.
        padded = np.concatenate([case.samples, np.zeros(grid.chunk, np.int16)])
        waveform: Tensor = torch.from_numpy(padded)
        masks, _ = models.segmenter.segment(waveform, _unwatched)
        assert models.least_clean is not None
        assert models.parting is not None
        used = [alone(masks, models.least_clean), models.parting.masks(masks)]
        found = models.embedder.embed(waveform, np.concatenate(used, axis=2), grid, _unwatched)
        embeddings, parts = np.split(found, [masks.shape[2]], axis=1)
        values = (grid.chunk, grid.hop, grid.field, grid.frames, grid.step)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, masks=masks, embeddings=embeddings, parts=parts, grid=values)
        partial.rename(path)

    def _loaded(self) -> Diarization:
        if self._models is None:
            torch.set_num_threads(self._threads)
            folder = resolve("bundled:diarization", None, None)
            self._models = bundled.load(
                folder, _CPU, self._dtype, 32, _FINE_S / 10, sparing=NONE_SPARED
            )
        return self._models


def dtype_on_cpu(name: str) -> torch.dtype:
    """What `diarization.dtype` means here."""
    return chosen_dtype(DiarizationSettings.model_validate({"dtype": name}), _CPU)


def _unwatched(done: int, total: int) -> None:
    """Nobody is told."""
