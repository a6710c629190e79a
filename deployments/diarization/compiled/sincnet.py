"""SincNet, in 16-bit integers where it multiplies.

Frames lie behind each other, each with its channels, so that the frames that a convolution sees
are one row, and the next result's row begins a frame later in the same memory.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from deployments.compiled.integers import multiply, quantise
from deployments.compiled.multiply_add import ROWS
from deployments.compiled.scalars import compiled

POOL = 3
"""Frames of which the greatest is kept."""
_AT_ONCE = 16 * ROWS * POOL
"""Results that stay in the processor's first caches until they are pooled."""
_SLOPE = np.float32(0.01)


@compiled
def rectify(highest: Any, lowest: Any, gain: Any, offset: Any, out: Any) -> None:
    """The greatest size of what lies between both, (frames, channels), once `gain` and `offset`
    (channels,) are applied."""
    for frame in range(len(out)):
        for channel in range(out.shape[1]):
            high = abs(highest[frame, channel] * gain + offset[channel])
            low = abs(lowest[frame, channel] * gain + offset[channel])
            out[frame, channel] = max(high, low)


@compiled
def normalise(x: Any, weight: Any, bias: Any, eps: Any) -> None:
    """Each channel of `x` (frames, channels) to its mean and (biased) deviation, scaled, with a
    leak for what is negative then: in place."""
    frames, channels = x.shape
    mean, square = np.zeros(channels, np.float32), np.zeros(channels, np.float32)
    for frame in range(frames):
        for channel in range(channels):
            mean[channel] += x[frame, channel]
    for channel in range(channels):
        mean[channel] /= np.float32(frames)
    for frame in range(frames):
        for channel in range(channels):
            apart = x[frame, channel] - mean[channel]
            square[channel] += apart * apart
    for channel in range(channels):
        deviation = np.sqrt(square[channel] / np.float32(frames) + eps)
        square[channel] = weight[channel] / deviation
        mean[channel] = bias[channel] - mean[channel] * square[channel]
    for frame in range(frames):
        for channel in range(channels):
            value = x[frame, channel] * square[channel] + mean[channel]
            x[frame, channel] = max(value, value * _SLOPE)


@compiled
def convolve_and_pool(  # noqa: PLR0917 - compiled functions take no keywords
    x: Any,
    hop: Any,
    inputs: Any,
    packed: Any,
    scales: Any,
    bias: Any,
    most: Any,
    highest: Any,
    lowest: Any,
) -> None:
    """Rows of `x` (numbers,), `hop` apart, by weights of so many `inputs` as in `Weights`; of POOL
    results in a row the greatest to `highest` (rows, outputs), and the least to `lowest`, which may
    be empty. Those that are made at once have a scale."""
    rounded = np.zeros((_AT_ONCE - 1) * hop + inputs, np.int16)
    row_scales = np.empty(_AT_ONCE, np.float32)
    results = np.empty((_AT_ONCE, len(bias)), np.float32)
    for begin in range(0, len(highest) * POOL, _AT_ONCE):
        count = min(_AT_ONCE, len(highest) * POOL - begin)
        part = x[begin * hop : (begin + count - 1) * hop + inputs]
        row_scales[:] = quantise(part, most, rounded[: len(part)])
        rows = as_strided(rounded, (count, inputs), (hop * 2, 2))
        multiply(rows, row_scales, count, packed, scales, bias, 0, packed.shape[1], results, 0)
        for pooled in range(count // POOL):
            for channel in range(highest.shape[1]):
                greatest = least = results[pooled * POOL, channel]
                for other in range(1, POOL):
                    greatest = max(greatest, results[pooled * POOL + other, channel])
                    least = min(least, results[pooled * POOL + other, channel])
                highest[begin // POOL + pooled, channel] = greatest
                if len(lowest):
                    lowest[begin // POOL + pooled, channel] = least
