"""What running rows hold of their own tokens, and how they attend to it, on a CPU."""

import torch
from torch import Tensor

from deployments.recognition.attention.memory import Shape, zeros


class Past:
    """Keys and values (layers, rows, heads, positions, size), of `count` rows and in float32.

    In a step each row attends over its own length, in a compiled loop.
    """

    def __init__(self, count: int, shape: Shape) -> None:
        # Its compiler is loaded only where it is used.
        from deployments.recognition.compiled.self_attention import kernel  # noqa: PLC0415

        memory = (shape.layers, count, shape.heads, shape.target, shape.head_size)
        self.keys, self.values = zeros(memory, torch.float32), zeros(memory, torch.float32)
        self._attend = kernel(shape.head_size)

    def load(self, layer: int, row: int, keys: Tensor, values: Tensor) -> None:
        """Take those of a row's first tokens (heads, tokens, head size)."""
        self.keys[layer, row, :, : keys.shape[1]] = keys
        self.values[layer, row, :, : values.shape[1]] = values

    def move(self, source: int, target: int, length: int) -> None:
        for held in (self.keys, self.values):
            held[:, target, :, :length] = held[:, source, :, :length]

    def attend(self, layer: int, projected: Tensor, positions: Tensor, first: int) -> Tensor:
        """The newest token's scaled queries, keys and values (rows, 3, heads, head size) of the
        rows from `first` on, at `positions` (rows,) -> what each finds (rows, heads, head size).

        Keys and values are kept, and each row attends to its tokens up to that one.
        """
        found = torch.empty_like(projected[:, 0])
        self._attend(
            *(projected.numpy(), layer, self.keys.numpy(), self.values.numpy()),
            *(positions.numpy(), first, found.numpy()),
        )
        return found
