"""The filters at the entry of pyannote's segmentation network, shared between chunks.

SincNet (M. Ravanelli, Y. Bengio, "Speaker recognition from raw waveform with SincNet", SLT
2018) normalises a chunk, filters it, takes absolute values and the greatest of three. The
normalisation is a gain and an offset; both can be applied behind the filters, and behind the
maximum too if the least of three is kept beside it:

    max |g·x + k| = max(|g·max x + k|, |g·min x + k|)

So overlapping chunks share the filters, which are the larger half of the entry's work, and
the results are those of each chunk by itself.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - its usual name

from deployments.diarization.grid import Grid
from deployments.diarization.networks.sincnet_integers import IntegerSincNet

_POOL = 3
_TOGETHER = {"cpu": 4, "cuda": 64}
"""Chunks in one piece of work: what fits a CPU's cache; what bounds a GPU's memory."""
_FRAMES_TOGETHER = {"cpu": 1_000, "cuda": 1_000_000}
"""Frames that are filtered in one piece of work, for the same reasons."""


class SharedSincNet:
    """`sincnet` is pyannote's module; `stretch` is (samples,) of consecutive chunks. `integers` is
    the same in 16-bit integers, where they are to be used."""

    def __init__(
        self, sincnet: Any, stretch: Tensor, grid: Grid, integers: IntegerSincNet | None = None
    ) -> None:
        self._sincnet, self._integers = sincnet, integers
        filters = sincnet.conv1d[0].filterbank.filters()
        if integers is None:
            highest, lowest = _extremes(stretch, filters, sincnet.stride)
        else:
            highest, lowest = (each.t() for each in integers.extremes(stretch))
        width = ((grid.chunk - filters.shape[-1]) // sincnet.stride + 1) // _POOL
        hop = grid.step_samples // (sincnet.stride * _POOL)
        # (chunks, filters, width) each, views of what all chunks share.
        self._highest = highest.unfold(1, width, hop).transpose(0, 1)
        self._lowest = lowest.unfold(1, width, hop).transpose(0, 1)
        norm = sincnet.wav_norm1d
        mean, variance = _moments(stretch, grid)
        gain = norm.weight * (variance + norm.eps).rsqrt()
        self._gain = gain[:, None, None]
        offset = norm.bias - gain * mean
        self._offset = (offset[:, None] * filters.sum(dim=(1, 2)))[:, :, None]

    def features(self, chunks: Tensor) -> Tensor:
        """(chunks,) numbers → (chunks, frames, channels)."""
        if self._integers is None:
            together = _TOGETHER[chunks.device.type]
            parts = [self._features(part) for part in torch.split(chunks, together)]
            return torch.cat(parts).transpose(1, 2)
        each = [
            self._integers.features(
                *(self._highest[chunk].t(), self._lowest[chunk].t()),
                *(self._gain[chunk], self._offset[chunk, :, 0]),
            )
            for chunk in chunks.tolist()
        ]
        return torch.stack(each)

    def _features(self, chunks: Tensor) -> Tensor:
        """(chunks, channels, frames), as the module gives."""
        gain, offset = self._gain[chunks], self._offset[chunks]
        high = torch.addcmul(offset, self._highest[chunks], gain).abs_()
        low = torch.addcmul(offset, self._lowest[chunks], gain).abs_()
        x = F.leaky_relu_(self._sincnet.norm1d[0](torch.maximum(high, low)))
        layers = zip(
            self._sincnet.conv1d[1:],
            self._sincnet.pool1d[1:],
            self._sincnet.norm1d[1:],
            strict=True,
        )
        for convolution, pool, norm in layers:
            x = F.leaky_relu_(norm(pool(convolution(x))))
        return x


def _extremes(stretch: Tensor, filters: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """(filters, frames) twice: the greatest and the least of three results of each filter."""
    hop, length = stride * _POOL, filters.shape[-1]
    frames = ((len(stretch) - length) // stride + 1) // _POOL
    highest = stretch.new_empty(len(filters), frames)
    lowest = torch.empty_like(highest)
    together = _FRAMES_TOGETHER[stretch.device.type]
    for first in range(0, frames, together):
        last = min(first + together, frames)
        part = stretch[first * hop : last * hop - stride + length]
        filtered = F.conv1d(part[None, None], filters, stride=stride)[0]
        highest[:, first:last] = F.max_pool1d(filtered, _POOL)
        lowest[:, first:last] = F.max_pool1d(filtered.neg_(), _POOL).neg_()
    return highest, lowest


def _moments(stretch: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """(chunks,) means and (biased) variances, from sums over the parts that chunks share."""
    part = math.gcd(grid.chunk, grid.step_samples)
    parts = stretch.view(-1, part).double()
    sums = torch.stack([parts.sum(dim=1), parts.square().sum(dim=1)])
    of_chunks = sums.unfold(1, grid.chunk // part, grid.step_samples // part).sum(dim=2)
    mean, square = of_chunks / grid.chunk
    return mean.float(), (square - mean.square()).clamp(min=0).float()
