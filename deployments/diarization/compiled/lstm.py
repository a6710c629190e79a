"""The steps of an LSTM in 16-bit integers.

A step multiplies what the one before gave, which lies between -1 and 1 and so has one scale, by
weights that stay in the processor's second cache, for a few rows at once.
"""

from typing import Any

import numpy as np

from deployments.compiled.integers import tile_of
from deployments.compiled.multiply_add import COLUMNS, ROWS, address
from deployments.compiled.scalars import compiled, sigmoid, tanh


@compiled
def recur(  # noqa: PLR0917 - compiled functions take no keywords
    inputs: Any, packed: Any, scales: Any, most: Any, backwards: Any, first: Any, out: Any
) -> None:
    """`inputs` (rows, frames, 4 × size), products of the inputs with their weights and all biases,
    to `out` (rows, frames, channels), from channel `first` on: float32, in the order of torch's
    gates (in, forget, cell, out). The weights of the steps are as in `Weights`."""
    rows, frames, width = inputs.shape
    size = width // 4
    before = np.zeros((rows, size), np.int16)
    cells = np.zeros((rows, size), np.float32)
    gates = np.empty((rows, width), np.float32)
    row_scales = np.full(ROWS, np.float32(1) / most)
    for step in range(frames):
        frame = frames - 1 - step if backwards else step
        for panel in range(packed.shape[1]):
            column = panel * COLUMNS * 4
            for row in range(0, rows, ROWS):
                tile_of(
                    min(ROWS, rows - row),
                    address(before) + row * before.strides[0],
                    before.strides[0],
                    address(packed) + panel * packed.strides[1],
                    size // 2,
                    address(row_scales),
                    address(scales) + column,
                    address(inputs) + row * inputs.strides[0] + frame * inputs.strides[1] + column,
                    inputs.strides[0],
                    address(gates) + row * gates.strides[0] + column,
                    gates.strides[0],
                )
        for row in range(rows):
            gate, cell, result, rounded = gates[row], cells[row], out[row, frame], before[row]
            for i in range(size):
                kept = sigmoid(gate[size + i]) * cell[i]
                cell[i] = kept + sigmoid(gate[i]) * tanh(gate[2 * size + i])
                one = sigmoid(gate[3 * size + i]) * tanh(cell[i])
                result[first + i] = one
                rounded[i] = np.int16(np.rint(one * most))
