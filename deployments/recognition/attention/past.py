"""What running rows hold of their own tokens, and how they attend to it."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from deployments.recognition.attention.cross import Shape
from deployments.recognition.attention.cross_slab import zeros
from deployments.recognition.attention.kernels import Attention
from deployments.recognition.model.rules import NEVER

Attend = Callable[[int, Tensor], Tensor]
"""(layer, the newest token's scaled queries, keys and values (rows, 3, heads, head size)) ->
what each row finds (rows, heads, head size)."""


class Past:
    """Keys and values (layers, rows, heads, positions, size), of at most `target` tokens a row."""

    def __init__(
        self, count: int, shape: Shape, target: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        memory = (shape.layers, count, shape.heads, target, shape.head_size)
        self.keys, self.values = zeros(memory, dtype, device), zeros(memory, dtype, device)

    def load(self, layer: int, row: int, keys: Tensor, values: Tensor) -> None:
        """Take those of a row's first tokens (heads, tokens, head size)."""
        self.keys[layer, row, :, : keys.shape[1]] = keys
        self.values[layer, row, :, : values.shape[1]] = values

    def move(self, source: int, target: int, length: int) -> None:
        for held in (self.keys, self.values):
            held[:, target, :, :length] = held[:, source, :, :length]


class SelfAttention(Protocol):
    def __call__(self, past: Past, positions: Tensor, rows: slice, length: int) -> Attend:
        """A step of `rows`, whose newest tokens are at `positions` (rows,), below `length`.

        Keys and values are kept there, and each row attends to its tokens up to that one.
        """
        ...


class MaskedSelfAttention:
    """Every shape follows from the bounds, so that the step can be captured."""

    def __init__(self, attend: Attention) -> None:
        self._attend = attend

    def __call__(self, past: Past, positions: Tensor, rows: slice, length: int) -> Attend:
        index_of_row = torch.arange(rows.start, rows.stop, device=positions.device)
        before = torch.arange(length, device=positions.device) <= positions[:, None]
        seen = torch.zeros(before.shape, dtype=past.keys.dtype, device=positions.device)
        seen = seen.masked_fill_(~before, NEVER)[:, None, None]

        def attend(layer: int, projected: Tensor) -> Tensor:
            queries, keys, values = projected.unbind(1)
            past.keys[layer][index_of_row, :, positions] = keys
            past.values[layer][index_of_row, :, positions] = values
            keys = past.keys[layer, rows, :, :length]
            values = past.values[layer, rows, :, :length]
            return self._attend(queries[:, :, None], keys, values, seen)[:, :, 0]

        return attend


class CompiledSelfAttention:
    """Each row over its own length, on a CPU and in float32."""

    def __init__(self, head_size: int) -> None:
        # Its compiler is loaded only where it is used.
        from deployments.recognition.compiled.self_attention import kernel  # noqa: PLC0415

        self._attend = kernel(head_size)

    def __call__(self, past: Past, positions: Tensor, rows: slice, length: int) -> Attend:
        keys, values, last = past.keys.numpy(), past.values.numpy(), positions.numpy()

        def attend(layer: int, projected: Tensor) -> Tensor:
            found = torch.empty_like(projected[:, 0])
            self._attend(projected.numpy(), layer, keys, values, last, rows.start, found.numpy())
            return found

        return attend
