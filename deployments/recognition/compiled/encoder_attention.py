"""The encoder's attention in 16-bit integers: many queries of a head, over all its keys."""

from typing import Any

import numpy as np

from deployments.compiled.integers import quantise, tile_of
from deployments.compiled.multiply_add import COLUMNS, ROWS, address
from deployments.compiled.scalars import (
    LOWEST,
    compiled,
    exponential,
    ranked,
    unranked,
)

SCORED = np.float32(4095)
"""What the largest number of a query and of a key becomes: sums over a head of 64 stay small."""
VALUE = np.float32(2047)
"""What the largest value of a column becomes."""
SHARES = np.float32(2**20 - 2**12)
"""What all weights of a query come to, so that their sums with values stay within 32 bits, rounded
up or not."""
MOST = np.float32(32767)

QUERIES_AT_ONCE = 12
"""Whose scores are in the core's second cache beside the keys and values."""


@compiled
def _pack_keys(head: Any, keys: Any, packed: Any, scales: Any) -> None:
    """A head's `keys` (heads, positions, size) -> (panels, size / 2, COLUMNS, 2)."""
    count, size = keys.shape[1], keys.shape[2]
    rounded = np.zeros(size, np.int16)
    for position in range(len(scales)):
        if position < count:
            scales[position] = quantise(keys[head, position], SCORED, rounded)
        panel, column = position // COLUMNS, position % COLUMNS
        for pair in range(size // 2):
            packed[panel, pair, column, 0] = rounded[2 * pair]
            packed[panel, pair, column, 1] = rounded[2 * pair + 1]


@compiled
def _pack_values(head: Any, values: Any, packed: Any, scales: Any) -> None:
    """A head's `values` (heads, positions, size) -> (size / COLUMNS, pairs, COLUMNS, 2)."""
    count, size = values.shape[1], values.shape[2]
    largest = np.zeros(size, np.float32)
    for position in range(count):
        for i in range(size):
            largest[i] = max(largest[i], abs(values[head, position, i]))
    for i in range(size):
        scales[i] = largest[i] / VALUE
        largest[i] = VALUE / largest[i] if largest[i] > 0 else np.float32(0)
    for position in range(2 * packed.shape[1]):
        for i in range(size):
            value = values[head, position, i] * largest[i] if position < count else np.float32(0)
            packed[i // COLUMNS, position // 2, i % COLUMNS, position % 2] = np.int16(
                np.rint(value)
            )


@compiled
def _weigh(scores: Any, count: Any, weights: Any) -> Any:
    """The softmax of `count` scores, as integers; by what they are to be multiplied."""
    rank = LOWEST
    for i in range(count):
        rank = max(rank, ranked(scores[i]))
    highest = unranked(rank)
    total = np.float32(0)
    for i in range(count):
        weight = exponential(scores[i] - highest)
        scores[i] = weight
        total += weight
    scale = min(MOST, SHARES / total)
    for i in range(count):
        weights[i] = np.int16(np.rint(scores[i] * scale))
    return np.float32(1) / (total * scale)


@compiled
def attend(  # noqa: PLR0917
    queries: Any, keys: Any, values: Any, mask: Any, first: Any, last: Any, found: Any
) -> None:
    """`queries` (heads, asking, size), scaled, `keys` and `values` (heads, positions, size) ->
    what the queries of the heads from `first` to `last` find, to `found` (asking, heads, size). All
    float32; `mask` (m,) is added to the scores of the last m positions. `size` is a multiple of
    COLUMNS.
    """
    asking, size = queries.shape[1], queries.shape[2]
    count = keys.shape[1]
    panels = -(-count // COLUMNS)
    packed_keys = np.empty((panels, size // 2, COLUMNS, 2), np.int16)
    packed_values = np.empty((size // COLUMNS, (count + 1) // 2, COLUMNS, 2), np.int16)
    key_scales = np.zeros(panels * COLUMNS, np.float32)
    value_scales = np.empty(size, np.float32)
    added = np.zeros(panels * COLUMNS, np.float32)
    for i in range(len(mask)):
        added[count - len(mask) + i] = mask[i]
    nothing = np.zeros(COLUMNS, np.float32)
    rounded = np.empty((QUERIES_AT_ONCE, size), np.int16)
    query_scales = np.empty(QUERIES_AT_ONCE, np.float32)
    weight_scales = np.empty(QUERIES_AT_ONCE, np.float32)
    # Rows that are a power of two apart would share their places in the cache.
    scores = np.empty((QUERIES_AT_ONCE, (panels + 1) * COLUMNS), np.float32)
    weights = np.zeros((QUERIES_AT_ONCE, (panels + 1) * COLUMNS), np.int16)
    for head in range(first, last):
        _pack_keys(head, keys, packed_keys, key_scales)
        _pack_values(head, values, packed_values, value_scales)
        for begin in range(0, asking, QUERIES_AT_ONCE):
            some = min(QUERIES_AT_ONCE, asking - begin)
            for row in range(some):
                query_scales[row] = quantise(queries[head, begin + row], SCORED, rounded[row])
            for panel in range(panels):
                for row in range(0, some, ROWS):
                    tile_of(
                        some - row,
                        address(rounded) + row * rounded.strides[0],
                        rounded.strides[0],
                        address(packed_keys) + panel * packed_keys.strides[0],
                        size // 2,
                        address(query_scales) + row * 4,
                        address(key_scales) + panel * COLUMNS * 4,
                        address(added) + panel * COLUMNS * 4,
                        0,
                        address(scores) + row * scores.strides[0] + panel * COLUMNS * 4,
                        scores.strides[0],
                    )
            for row in range(some):
                weight_scales[row] = _weigh(scores[row], count, weights[row])
            for panel in range(size // COLUMNS):
                for row in range(0, some, ROWS):
                    place = (begin + row) * found.strides[0] + head * found.strides[1]
                    tile_of(
                        some - row,
                        address(weights) + row * weights.strides[0],
                        weights.strides[0],
                        address(packed_values) + panel * packed_values.strides[0],
                        (count + 1) // 2,
                        address(weight_scales) + row * 4,
                        address(value_scales) + panel * COLUMNS * 4,
                        address(nothing),
                        0,
                        address(found) + place + panel * COLUMNS * 4,
                        found.strides[0],
                    )
