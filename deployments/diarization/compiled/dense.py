"""A layer of CAM++'s densely connected network in 16-bit integers.

A layer goes over its input once, and all that it makes of it stays in the processor's second
cache: the norm of each row with its rounding, the narrow row that becomes of it, and the mean of
those that the mask is made from.
"""

from typing import Any

import numpy as np

from deployments.compiled.integers import multiply, quantise, tile_of
from deployments.compiled.multiply_add import COLUMNS, ROWS, address
from deployments.compiled.scalars import compiled, sigmoid

_NOTHING = np.float32(0)


@compiled
def widen(  # noqa: PLR0917 - compiled functions take no keywords
    x: Any,
    known: Any,
    norm_scale: Any,
    norm_shift: Any,
    packed: Any,
    scales: Any,
    bias: Any,
    most: Any,
    taps: Any,
    tap_scales: Any,
    tap_most: Any,
    dilation: Any,
    segment: Any,
    inner: Any,
    inner_bias: Any,
    outer: Any,
    outer_bias: Any,
) -> None:
    """Write behind the `known` channels of `x` (batch, frames, channels) what a layer makes of
    them.

    The norm and the product with `packed` narrow a row; `taps` see three of such rows that are
    `dilation` frames apart; and a mask for each `segment` frames, by `inner` and `outer` from the
    means of these and of all, weighs what they give.
    """
    frames, narrow = x.shape[1], len(bias)
    segments = -(-frames // segment)
    row = np.empty(known, np.float32)
    rounded = np.empty((segment, known), np.int16)
    row_scales = np.empty(segment, np.float32)
    rows = np.empty((segment, narrow), np.float32)
    # Zeros stand before the first row and behind the last.
    narrowed = np.zeros((frames + 2 * dilation, narrow), np.int16)
    narrow_scales = np.zeros(len(narrowed), np.float32)
    means = np.empty((segments, narrow), np.float32)
    masks = np.empty((segments, len(outer)), np.float32)
    for item in range(len(x)):
        for part in range(segments):
            begin = part * segment
            count = min(segment, frames - begin)
            for i in range(count):
                for j in range(known):
                    normed = x[item, begin + i, j] * norm_scale[j] + norm_shift[j]
                    row[j] = max(normed, _NOTHING)
                row_scales[i] = quantise(row, most, rounded[i])
            multiply(rounded, row_scales, count, packed, scales, bias, 0, packed.shape[1], rows, 0)
            _positive_with_mean(rows, count, means[part])
            for i in range(count):
                at = dilation + begin + i
                narrow_scales[at] = quantise(rows[i], tap_most, narrowed[at])
        _weigh(means, frames, segment, inner, inner_bias, outer, outer_bias, masks)
        _mix(narrowed, narrow_scales, taps, tap_scales, dilation, x[item], known)
        for i in range(frames):
            for j in range(len(outer)):
                x[item, i, known + j] *= masks[i // segment, j]


@compiled
def _positive_with_mean(rows: Any, count: Any, mean: Any) -> None:
    mean[:] = _NOTHING
    for i in range(count):
        for j in range(len(mean)):
            rows[i, j] = max(rows[i, j], _NOTHING)
            mean[j] += rows[i, j]
    for j in range(len(mean)):
        mean[j] /= np.float32(count)


@compiled
def _weigh(  # noqa: PLR0917
    means: Any,
    frames: Any,
    segment: Any,
    inner: Any,
    inner_bias: Any,
    outer: Any,
    outer_bias: Any,
    masks: Any,
) -> None:
    """(segments, narrow) means to (segments, outputs) masks."""
    whole = np.zeros(means.shape[1], np.float32)
    context = np.empty(means.shape[1], np.float32)
    hidden = np.empty(len(inner), np.float32)
    for part in range(len(means)):
        count = np.float32(min(segment, frames - part * segment))
        for j in range(len(whole)):
            whole[j] += means[part, j] * count / np.float32(frames)
    for part in range(len(means)):
        for j in range(len(whole)):
            context[j] = means[part, j] + whole[j]
        _affine(inner, inner_bias, context, hidden)
        for j in range(len(hidden)):
            hidden[j] = max(hidden[j], _NOTHING)
        _affine(outer, outer_bias, hidden, masks[part])
        for j in range(masks.shape[1]):
            masks[part, j] = sigmoid(masks[part, j])


@compiled
def _affine(weight: Any, bias: Any, x: Any, out: Any) -> None:
    for i in range(len(weight)):
        total = bias[i]
        for j in range(len(x)):
            total += weight[i, j] * x[j]
        out[i] = total


@compiled
def _mix(  # noqa: PLR0917
    narrowed: Any, row_scales: Any, taps: Any, scales: Any, dilation: Any, x: Any, known: Any
) -> None:
    """Three rows, `dilation` apart, to one of `x` (frames, channels) behind the `known`."""
    zeros = np.zeros(COLUMNS, np.float32)
    for first in range(0, len(x), ROWS):
        for panel in range(taps.shape[1]):
            column = panel * COLUMNS * 4
            target = address(x) + first * x.strides[0] + known * 4 + column
            start, start_row = address(zeros), 0
            for tap in range(len(taps)):
                at = first + tap * dilation
                tile_of(
                    min(ROWS, len(x) - first),
                    address(narrowed) + at * narrowed.strides[0],
                    narrowed.strides[0],
                    address(taps) + tap * taps.strides[0] + panel * taps.strides[1],
                    taps.shape[2],
                    address(row_scales) + at * 4,
                    address(scales) + tap * scales.strides[0] + column,
                    start,
                    start_row,
                    target,
                    x.strides[0],
                )
                start, start_row = target, x.strides[0]
