"""Cross-attention over memory laid out beforehand: every shape of a step follows from a few
numbers, so that it can be captured."""

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.recognition.attention.cross import Shape
from deployments.recognition.attention.kernels import Attention
from deployments.recognition.attention.silence import MEANS, Groups
from deployments.recognition.model.rules import NEVER

FEW = 4
"""Rows of a product below which MKL may take another way."""


class SlabAttention:
    """`count` rows of up to `source` positions each; see `CrossAttention`.

    `all_keys` and `all_values` are (layers, rows, heads, positions, head size). `mask` (rows, 1, 1,
    positions) is added to the scores of a window's own positions; `silent_mask` (rows, 1, 1,
    means) says who sees the silence, and for how many positions a mean stands.
    """

    def __init__(
        self,
        count: int,
        shape: Shape,
        attend: Attention,
        *,
        dtype: torch.dtype,
        mask_dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        slab = (shape.layers, count, shape.heads, shape.source, shape.head_size)
        self._attend = attend
        self._means = min(MEANS, shape.source)
        self._owned = [0] * count
        self.all_keys, self.all_values = zeros(slab, dtype, device), zeros(slab, dtype, device)
        self._groups: Groups | None = None
        self.silence: tuple[Tensor, Tensor] | None = None
        self.mask = torch.full((count, 1, 1, shape.source), NEVER, dtype=mask_dtype, device=device)
        self.silent_mask = self.mask[..., : self._means].clone()

    @property
    def hushed(self) -> bool:
        return self.silence is not None

    def hush(self, groups: Groups, keys: Tensor, values: Tensor) -> None:
        self._groups = groups
        self.silence = keys.to(self.all_keys.dtype), values.to(self.all_keys.dtype)

    def load(self, row: int, keys: Tensor, values: Tensor, *, silent: bool) -> None:
        owned = keys.shape[2]
        self._owned[row] = owned
        self.all_keys[:, row, :, :owned] = keys
        self.all_values[:, row, :, :owned] = values
        self.mask[row, ..., :owned] = 0
        self.mask[row, ..., owned:] = NEVER
        self.silent_mask[row] = NEVER
        if silent:
            assert self._groups is not None
            self.silent_mask[row] = self._groups.scores(owned).clamp(min=NEVER)

    def move(self, source: int, target: int) -> None:
        owned = self._owned[target] = self._owned[source]
        for memory in (self.all_keys, self.all_values):
            memory[:, target, :, :owned] = memory[:, source, :, :owned]
        for mask in (self.mask, self.silent_mask):
            mask[target] = mask[source]

    def clear(self, row: int) -> None:
        self._owned[row] = 0

    def keys(self, layer: int, row: int) -> Tensor:
        return self.all_keys[layer, row, :, : self._owned[row]]

    def context(self, layer: int, queries: Tensor, rows: slice, span: int) -> Tensor:
        keys = self.all_keys[layer, rows, :, :span]
        values = self.all_values[layer, rows, :, :span]
        mask = self.mask[rows, :, :, :span]
        queries = queries.to(keys.dtype)
        if self.silence is None:
            return self._attend(queries, keys, values, mask.to(keys.dtype))
        # Silence is read once for all rows, as if it stood behind each one's own positions. It
        # comes first and in full, so that sums have one order however long other rows are.
        silent_keys, silent_values = self.silence[0][layer], self.silence[1][layer]
        silent = _by_rows(_by_heads(queries) @ silent_keys.transpose(-1, -2), queries)
        silent = silent + self.silent_mask[rows]
        own = queries @ keys.transpose(-1, -2) + mask
        weights = torch.softmax(torch.cat([silent, own], dim=-1).float(), dim=-1).to(values.dtype)
        of_silence = _by_heads(weights[..., : self._means]) @ silent_values
        return _by_rows(of_silence, queries) + weights[..., self._means :] @ values


def zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Numbers, for a masked NaN is a NaN still.

    On a CPU the memory is not written to: what no window is long enough to touch is never taken.
    """
    if device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    untouched = np.zeros(math.prod(shape) * dtype.itemsize, np.uint8)
    return torch.from_numpy(untouched).view(dtype).view(shape)


def _by_heads(x: Tensor) -> Tensor:
    """(rows, heads, texts, size) -> (heads, at least rows × texts, size).

    Filled up where they are few: MKL sums up in another order then.
    """
    together = x.transpose(0, 1).flatten(1, 2)
    missing = FEW - together.shape[1]
    return together if missing <= 0 else F.pad(together, (0, 0, 0, missing))


def _by_rows(x: Tensor, like: Tensor) -> Tensor:
    """Back again, to as many rows and texts as `like` has."""
    rows, heads, texts, _ = like.shape
    return x[:, : rows * texts].reshape(heads, rows, texts, -1).transpose(0, 1)
