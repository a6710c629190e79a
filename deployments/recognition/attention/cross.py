"""What running rows hold of their windows, and how they attend to it, on a CPU.

The silence behind windows is the same for all rows: it is held once, as the means of groups of
positions (`silence`).

In a step each row has one query a head, which reads all its window's keys and values: on a CPU that
was most of a step. Matrix products are made for many queries at once; given one they read memory
at a third of its speed, and rows that are multiplied together must be as long as the longest. So
each row's memory is its own here, as long as its window, and a compiled loop goes over it at
the speed of memory: a step of eight rows of Whisper base takes two thirds of the time.

Sums are in float32 and in one order, whoever the neighbours are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deployments.recognition.attention.memory import Shape
from deployments.recognition.attention.silence import Groups

Array = npt.NDArray[Any]


class CrossAttention:
    """Of rows that come and go. Keys and values are (layers, heads, positions, head size), those of
    silence for a mean of each group; they are `kept` as bfloat16, or else as float32. In `dtype`
    they are multiplied with the queries of a text."""

    def __init__(
        self, count: int, shape: Shape, *, dtype: torch.dtype, kept: torch.dtype | None = None
    ) -> None:
        # Its compiler is loaded only where it is used.
        from deployments.recognition.compiled.cross_attention import kernel  # noqa: PLC0415

        short = torch.bfloat16 in {dtype, kept}
        self._dtype = torch.bfloat16 if dtype == torch.bfloat16 else torch.float32
        self._kept = torch.bfloat16 if short else torch.float32
        self._attend = kernel(shape.head_size, bfloat16=short)
        nothing = torch.zeros((shape.layers, shape.heads, 0, shape.head_size), dtype=self._kept)
        self._groups: Groups | None = None
        self._silence = _Memory.of(nothing, nothing)
        self._nobody = _Row(self._silence, np.zeros(0, np.float32))
        self._rows = [self._nobody] * count

    @property
    def knows_silence(self) -> bool:
        return self._groups is not None

    def set_silence(self, groups: Groups, keys: Tensor, values: Tensor) -> None:
        """Take the keys and values of silence, before a window is loaded that it stands behind."""
        self._groups = groups
        self._silence = _Memory.of(keys.to(self._kept), values.to(self._kept))

    def load(self, row: int, keys: Tensor, values: Tensor, *, silent: bool) -> None:
        """Take a window's keys and values. `silent`: the row sees the silence from there on."""
        memory = _Memory.of(keys.to(self._kept), values.to(self._kept))
        seen = torch.zeros(0)
        if silent:
            assert self._groups is not None
            seen = self._groups.seen(keys.shape[2])
        self._rows[row] = _Row(memory, seen.numpy())

    def move(self, source: int, target: int) -> None:
        self._rows[target] = self._rows[source]

    def clear(self, row: int) -> None:
        """Nobody uses the row any more."""
        self._rows[row] = self._nobody

    def keys(self, layer: int, row: int) -> Tensor:
        """A window's own keys (heads, positions, head size)."""
        return self._rows[row].own.keys[layer].to(self._dtype)

    def context(self, layer: int, queries: Tensor, rows: slice) -> Tensor:
        """Scaled queries (rows, heads, texts, head size) -> what each finds, in the same shape."""
        held = self._rows[rows]
        if queries.shape[2] > 1:
            texts = zip(held, queries, strict=True)
            return torch.stack([self._of_text(layer, row, text) for row, text in texts])
        asked = queries[:, :, 0].float().contiguous().numpy()
        found = np.empty_like(asked)
        silence = self._silence.arrays
        for index, row in enumerate(held):
            self._attend(
                asked[index], layer, row.own.arrays, silence, row.silent_scores, found[index]
            )
        return torch.from_numpy(found)[:, :, None]

    def _of_text(self, layer: int, row: "_Row", queries: Tensor) -> Tensor:
        """Many queries of one row, (heads, texts, head size): what products are made for."""
        queries = queries.to(self._dtype)
        own, silence = row.own, self._silence
        seen = slice(silence.keys.shape[2] - len(row.silent_scores), None)
        keys = torch.cat([own.keys[layer], silence.keys[layer, :, seen]], dim=1)
        values = torch.cat([own.values[layer], silence.values[layer, ..., seen]], dim=2)
        keys, values = keys.to(self._dtype), values.to(self._dtype)
        scores = (queries @ keys.transpose(1, 2)).float()
        scores[..., own.keys.shape[2] :] += torch.from_numpy(row.silent_scores)
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
    """A window, and what is added to the scores of the last means of silence, which it sees."""

    own: _Memory
    silent_scores: Array
