"""Products with a weight matrix in 16-bit integers, for processors whose fastest units these are.

A row of inputs has a scale, and so has a column of weights. What is lost is little: inputs keep 13
binary digits below the largest of their row, weights 11 below that of their column, where a
bfloat16 has eight.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deployments.compiled.multiply_add import COLUMNS, ROWS, address, tile
from deployments.compiled.scalars import compiled

DEPTH = 512
"""Inputs that are summed up as integers: COLUMNS of their weights fill half of a core's first
cache."""
ROWS_AT_ONCE = 192
"""Rows of that depth that its second cache has room for."""

WEIGHT = 2047
"""What the largest weight of a column becomes: the less, the more digits its inputs may have."""
MOST = np.iinfo(np.int16).max
_SUM = np.iinfo(np.int32).max

_REST = np.int32(0x7FFFFFFF)

Array = npt.NDArray[Any]

tile_1, tile_2, tile_3, tile_4, tile_5, tile_6 = (tile(rows) for rows in range(1, ROWS + 1))


@dataclass(frozen=True, slots=True)
class Weights:
    """`packed` (blocks, panels, DEPTH / 2, COLUMNS, 2), 16-bit integers in the order in which tiles
    read them; `scales` and `bias` (panels × COLUMNS,), float32. Inputs become at most `most`, so
    that no sum exceeds 32 bits, whatever they are."""

    packed: Array
    scales: Array
    bias: Array
    most: np.float32
    inputs: int
    outputs: int

    @classmethod
    def of(cls, weight: Array, bias: Array | None) -> "Weights":
        """Of `weight` (outputs, inputs) and `bias` (outputs,), float32.

        Raises ValueError for an odd number of inputs: they are multiplied in pairs.
        """
        outputs, inputs = weight.shape
        if inputs % 2:
            raise ValueError(f"Products in 16-bit integers need an even number of inputs: {inputs}")
        panels, blocks = -(-outputs // COLUMNS), -(-inputs // DEPTH)
        largest = np.abs(weight).max(1)
        scales = np.where(largest > 0, largest / WEIGHT, 1).astype(np.float32)
        rounded = np.zeros((panels * COLUMNS, blocks * DEPTH), np.int16)
        rounded[:outputs, :inputs] = np.rint(weight / scales[:, None])
        shaped = rounded.reshape(panels, COLUMNS, blocks, DEPTH // 2, 2)
        packed = aligned((blocks, panels, DEPTH // 2, COLUMNS, 2), np.int16)
        packed[:] = shaped.transpose(2, 0, 3, 1, 4)
        magnitudes = np.abs(rounded.reshape(-1, blocks, DEPTH).astype(np.int64)).sum(2)
        filled = np.zeros((2, panels * COLUMNS), np.float32)
        filled[0, :outputs] = scales
        if bias is not None:
            filled[1, :outputs] = bias
        most = np.float32(min(MOST, _SUM // max(1, int(magnitudes.max()))))
        return cls(packed, filled[0], filled[1], most, inputs, outputs)


def aligned(shape: tuple[int, ...], dtype: Any) -> Array:
    """An array of zeros that begins at a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + 64, np.uint8)
    begin = -memory.ctypes.data % 64
    array: Array = memory[begin : begin + size].view(dtype).reshape(shape)
    return array


@compiled
def quantise(row: Any, most: Any, out: Any) -> Any:
    """Round a row of float32 to integers of at most `most`; by what these are to be multiplied."""
    largest = np.int32(0)
    for i in range(len(row)):
        largest = max(largest, np.float32(row[i]).view(np.int32) & _REST)
    size = np.int32(largest).view(np.float32)
    scale = most / size if size > 0 else np.float32(0)
    for i in range(len(row)):
        out[i] = np.int16(np.rint(row[i] * scale))
    return size / most


@compiled
def tile_of(  # noqa: PLR0917
    rows: Any,
    x: Any,
    x_row: Any,
    weights: Any,
    pairs: Any,
    row_scales: Any,
    column_scales: Any,
    start: Any,
    start_row: Any,
    out: Any,
    out_row: Any,
) -> None:
    """A tile of 1 to ROWS rows."""
    if rows >= 6:
        tile_6(x, x_row, weights, pairs, row_scales, column_scales, start, start_row, out, out_row)
    elif rows == 5:
        tile_5(x, x_row, weights, pairs, row_scales, column_scales, start, start_row, out, out_row)
    elif rows == 4:
        tile_4(x, x_row, weights, pairs, row_scales, column_scales, start, start_row, out, out_row)
    elif rows == 3:
        tile_3(x, x_row, weights, pairs, row_scales, column_scales, start, start_row, out, out_row)
    elif rows == 2:
        tile_2(x, x_row, weights, pairs, row_scales, column_scales, start, start_row, out, out_row)
    else:
        tile_1(x, x_row, weights, pairs, row_scales, column_scales, start, start_row, out, out_row)


@compiled
def _copy(  # noqa: PLR0917
    source: Any,
    row: Any,
    column: Any,
    to: Any,
    to_row: Any,
    to_column: Any,
    rows: Any,
    columns: Any,
) -> None:
    for i in range(rows):
        for j in range(columns):
            to[to_row + i, to_column + j] = source[row + i, column + j]


@compiled
def multiply(  # noqa: PLR0917
    rounded: Any,
    row_scales: Any,
    count: Any,
    packed: Any,
    scales: Any,
    bias: Any,
    first: Any,
    last: Any,
    out: Any,
    begin: Any,
) -> None:
    """The first `count` of rounded rows by the weights' panels from `first` to `last`, to the rows
    of `out` from `begin` on."""
    inputs, outputs = rounded.shape[1], out.shape[1]
    blocks, panels = packed.shape[0], packed.shape[1]
    cut = np.empty((ROWS, COLUMNS), np.float32)
    for block in range(blocks):
        pairs = min(DEPTH, inputs - block * DEPTH) // 2
        for panel in range(first, last):
            column = panel * COLUMNS
            whole = column + COLUMNS <= outputs
            weights = address(packed) + (block * panels + panel) * packed.strides[1]
            for row in range(0, count, ROWS):
                some = min(ROWS, count - row)
                target, distance = address(cut), cut.strides[0]
                if whole:
                    target = address(out) + (begin + row) * out.strides[0] + column * 4
                    distance = out.strides[0]
                elif block:
                    _copy(out, begin + row, column, cut, 0, 0, some, outputs - column)
                start, start_row = target, distance
                if block == 0:
                    start, start_row = address(bias) + column * 4, 0
                tile_of(
                    some,
                    address(rounded) + row * rounded.strides[0] + block * DEPTH * 2,
                    rounded.strides[0],
                    weights,
                    pairs,
                    address(row_scales) + row * 4,
                    address(scales) + column * 4,
                    start,
                    start_row,
                    target,
                    distance,
                )
                if not whole:
                    _copy(cut, 0, 0, out, begin + row, column, some, outputs - column)


@compiled
def product(  # noqa: PLR0917
    x: Any, packed: Any, scales: Any, bias: Any, most: Any, first: Any, last: Any, out: Any
) -> None:
    """`x` (rows, inputs), float32, by the weights' panels from `first` to `last`, to `out` (rows,
    outputs). A row's result has the same bits whatever its neighbours are."""
    rows = len(x)
    rounded = np.empty((min(rows, ROWS_AT_ONCE), x.shape[1]), np.int16)
    row_scales = np.empty(len(rounded), np.float32)
    for begin in range(0, rows, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, rows - begin)
        for row in range(count):
            row_scales[row] = quantise(x[begin + row], most, rounded[row])
        multiply(rounded, row_scales, count, packed, scales, bias, first, last, out, begin)
