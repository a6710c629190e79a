"""Cross-attention over windows of any length, for steps on a CPU.

In a step each row has one query a head, which reads all its window's keys and values: on a CPU that
was most of a step. Matrix products are made for many queries at once; given one they read memory
at a third of its speed, and rows that are multiplied together must be as long as the longest. So
each row's memory is its own here, as long as its window, and a loop compiled by Numba goes over
it at the speed of memory: half the time of a step of eight rows, measured with Whisper base.

Sums are in float32 and in one order, whoever the neighbours are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor

from deployments.recognition.cross_attention import means_of, weights_of_means

Array = npt.NDArray[Any]

DTYPES = (torch.bfloat16, torch.float32)
"""Of keys and values."""


class RaggedAttention:
    """See `CrossAttention`. Values lie transposed: (heads, head size, positions)."""

    def __init__(
        self,
        count: int,
        *,
        layers: int,
        heads: int,
        head_size: int,
        source: int,
        dtype: torch.dtype,
    ) -> None:
        """Raises ValueError for a type that is not among DTYPES."""
        if dtype not in DTYPES:
            raise ValueError(f"Keys and values are {dtype}, which no kernel reads.")
        self._dtype = dtype
        self._source = source
        self._attend = _compiled(head_size)
        self._means = len(weights_of_means(0, source))
        nothing = torch.zeros((layers, heads, self._means, head_size), dtype=dtype)
        self._silence = _Memory.of(nothing, nothing)
        self._nobody = self._deaf(_Memory.of(nothing[:, :, :0], nothing[:, :, :0]))
        self._rows = [self._nobody] * count
        self._scores = np.empty(source + self._means, np.float32)
        self.hushed = False

    def hush(self, keys: Tensor, values: Tensor) -> None:
        self._silence = _Memory.of(means_of(keys).to(self._dtype), means_of(values).to(self._dtype))
        self.hushed = True

    def load(self, row: int, keys: Tensor, values: Tensor, *, silent: bool) -> None:
        memory = _Memory.of(keys.to(self._dtype), values.to(self._dtype))
        if not silent:
            self._rows[row] = self._deaf(memory)
            return
        weights = weights_of_means(keys.shape[2], self._source)
        first = int((weights == 0).sum())
        self._rows[row] = _Row(memory, weights.clamp(min=1).log().numpy(), first)

    def move(self, source: int, target: int) -> None:
        self._rows[target] = self._rows[source]

    def clear(self, row: int) -> None:
        self._rows[row] = self._nobody

    def keys(self, layer: int, row: int) -> Tensor:
        return self._rows[row].own.keys[layer]

    def context(self, layer: int, queries: Tensor, rows: slice, span: int) -> Tensor:
        held = self._rows[rows]
        if queries.shape[2] > 1:
            texts = zip(held, queries, strict=True)
            return torch.stack([self._of_text(layer, row, text) for row, text in texts])
        asked = queries[:, :, 0].float().contiguous().numpy()
        found = np.empty_like(asked)
        silence = self._silence.arrays
        for index, row in enumerate(held):
            self._attend(
                *(asked[index], layer, *row.own.arrays, *silence),
                *(row.silent_scores, row.first_mean, self._scores, found[index]),
            )
        return torch.from_numpy(found)[:, :, None]

    def _deaf(self, own: "_Memory") -> "_Row":
        """A row that sees no silence: as if that ended before it begins."""
        return _Row(own, np.zeros(self._means, np.float32), self._means)

    def _of_text(self, layer: int, row: "_Row", queries: Tensor) -> Tensor:
        """Many queries of one row, (heads, texts, head size): what products are made for."""
        queries = queries.to(self._dtype)
        behind = slice(row.first_mean, None)
        keys = torch.cat([row.own.keys[layer], self._silence.keys[layer, :, behind]], dim=1)
        values = torch.cat([row.own.values[layer], self._silence.values[layer, ..., behind]], dim=2)
        scores = (queries @ keys.transpose(1, 2)).float()
        scores[..., row.own.keys.shape[2] :] += torch.from_numpy(row.silent_scores[behind])
        return torch.softmax(scores, dim=-1).to(self._dtype) @ values.transpose(1, 2)


@dataclass(frozen=True, slots=True)
class _Memory:
    """Keys (layers, heads, positions, size) and transposed values, and both as the kernel sees
    them: bfloat16 as 16-bit integers, for NumPy has no such type."""

    keys: Tensor
    values: Tensor
    arrays: tuple[Array, Array]

    @classmethod
    def of(cls, keys: Tensor, values: Tensor) -> "_Memory":
        # Transposed in two goes: four times as fast as in one.
        keys, values = keys.contiguous(), values.contiguous().transpose(2, 3).contiguous()
        seen = torch.uint16 if keys.dtype == torch.bfloat16 else keys.dtype
        return cls(keys, values, (keys.view(seen).numpy(), values.view(seen).numpy()))


@dataclass(frozen=True, slots=True)
class _Row:
    """A window, what is added to the scores of silence, and the first mean that the row sees."""

    own: _Memory
    silent_scores: Array
    first_mean: int


# ---------------------------------------------------------------------------- the kernel


def _widened(_: Any, x: Any) -> Any:
    """bfloat16 is the upper half of a float32."""
    if x == types.float32:
        return types.float32(x), lambda context, builder, signature, arguments: arguments[0]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = builder.zext(arguments[0], ir.IntType(32))
        return builder.bitcast(builder.shl(whole, whole.type(16)), ir.FloatType())

    return types.float32(types.uint16), generate


def _float_of_bits(_: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@cache
def _compiled(head_size: int) -> Callable[..., None]:
    """The kernel for heads of one size: a number that the compiler knows, so that it can unroll."""
    options = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    wide, float_of = intrinsic(_widened), intrinsic(_float_of_bits)
    # 2^f for 0 <= f < 1, to the precision of a float32.
    powers = np.polynomial.Chebyshev.interpolate(np.exp2, 6, domain=(0, 1))
    c0, c1, c2, c3, c4, c5, c6 = powers.convert(kind=np.polynomial.Polynomial).coef.astype(
        np.float32
    )
    log2e, least = np.float32(np.log2(np.e)), np.float32(-126)
    nothing, lowest = np.float32(0), np.finfo(np.float32).min
    bias, shift = np.int32(127), np.int32(23)

    def exponential(x: Any) -> Any:
        """Of x <= 0. A loop over it becomes vector instructions, one that calls a library's not."""
        power = max(x * log2e, least)
        whole = np.floor(power)
        f = power - whole
        polynomial = c0 + f * (c1 + f * (c2 + f * (c3 + f * (c4 + f * (c5 + f * c6)))))
        return polynomial * float_of((np.int32(whole) + bias) << shift)

    exponential = njit(**options)(exponential)

    def attend(
        queries: Any,
        layer: Any,
        keys: Any,
        values: Any,
        silent_keys: Any,
        silent_values: Any,
        silent_scores: Any,
        first_mean: Any,
        scores: Any,
        found: Any,
    ) -> None:
        heads, owned, means = keys.shape[1], keys.shape[2], silent_keys.shape[2]
        for head in range(heads):
            for position in range(owned):
                score = nothing
                for i in range(head_size):
                    score += queries[head, i] * wide(keys[layer, head, position, i])
                scores[position] = score
            for mean in range(first_mean, means):
                score = silent_scores[mean]
                for i in range(head_size):
                    score += queries[head, i] * wide(silent_keys[layer, head, mean, i])
                scores[owned + mean - first_mean] = score
            seen = owned + means - first_mean
            highest = lowest
            for position in range(seen):
                highest = max(highest, scores[position])
            total = nothing
            for position in range(seen):
                weight = exponential(scores[position] - highest)
                scores[position] = weight
                total += weight
            for i in range(head_size):
                value = nothing
                for position in range(owned):
                    value += scores[position] * wide(values[layer, head, i, position])
                for mean in range(first_mean, means):
                    weight = scores[owned + mean - first_mean]
                    value += weight * wide(silent_values[layer, head, i, mean])
                found[head, i] = value / total

    compiled: Callable[..., None] = njit(**options)(attend)
    return compiled
