"""Which chunks of a recording are looked at: two that agree about what both see need no third
between them."""

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from deployments.diarization.grid import Bool, Grid
from interchange.stages import SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Sparing:
    """Of chunks that begin later than `dense_s` into a recording one in `every` is looked at, and
    the others where their neighbours disagree about more than `apart` of the frames both see."""

    dense_s: float
    every: int
    apart: float

    def wanted(self, grid: Grid, number: int, count: int) -> list[int]:
        """Which of `count` chunks, from the one of that number in the recording on, are looked at
        in any case; the first and the last of them always."""
        dense = self.dense_s * SAMPLE_RATE / grid.step_samples
        return [
            chunk
            for chunk in range(count)
            if number + chunk < dense
            or (number + chunk) % self.every == 0
            or chunk in (0, count - 1)
        ]

    def looked(self, grid: Grid, masks: Tensor, wanted: list[int]) -> Bool:
        """(chunks,): those that are wanted, and those between them where they disagree."""
        looked = np.ones(len(masks), np.bool_)
        for left, right in self.agreeing(grid, masks, wanted):
            looked[left + 1 : right] = False
        return looked

    def agreeing(self, grid: Grid, masks: Tensor, wanted: list[int]) -> list[tuple[int, int]]:
        """Pairs of chunks, with others between them, that agree about what both see.

        `masks` is (chunks, frames, local speakers), 1 where one talks; it matters for those that
        are wanted.
        """
        people = range(masks.shape[2])
        # Who is first in a chunk may be second in the next.
        orders = torch.tensor(list(itertools.permutations(people)), device=masks.device)
        pairs = [(left, right) for left, right in itertools.pairwise(wanted) if right > left + 1]
        agreeing = []
        for apart in {right - left for left, right in pairs}:
            some = [(left, right) for left, right in pairs if right - left == apart]
            shared = grid.frames - apart * grid.step
            one = masks[[left for left, _ in some], -shared:]
            other = masks[[right for _, right in some], :shared]
            differ = (one[:, :, None] != other[:, :, orders]).any(dim=3)
            least = differ.float().mean(dim=1).amin(dim=1)
            agree = (least <= self.apart).tolist()
            agreeing += [pair for pair, yes in zip(some, agree, strict=True) if yes]
        return agreeing


NONE_SPARED = Sparing(dense_s=0.0, every=1, apart=0.0)


def covering(chunks: list[int], apart: int) -> list[int]:
    """Some of the chunks, the first and the last among them, that are at most `apart` from the next
    where the others are."""
    found = chunks[:1]
    for chunk, following in itertools.pairwise(chunks):
        if following - found[-1] > apart:
            found.append(chunk)
    return sorted({*found, *chunks[-1:]})
