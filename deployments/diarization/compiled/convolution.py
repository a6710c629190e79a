"""A convolution over frames and bins in 16-bit integers.

Frames lie behind each other, and so do their bins, each with its channels: what a result sees of
one frame lies side by side, and is multiplied as one row. Each frame has a scale.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from deployments.compiled.integers import DEPTH, Array, Weights, aligned, quantise, tile_of
from deployments.compiled.multiply_add import COLUMNS, ROWS, address
from deployments.compiled.scalars import compiled


@dataclass(frozen=True, slots=True)
class Taps:
    """Products with one input after the other, summed up: `packed` (taps, panels, pairs, COLUMNS,
    2) and `scales` (taps, outputs) as in `Weights`, of which this is made."""

    packed: Array
    scales: Array
    most: np.float32

    @classmethod
    def of(cls, weights: Array) -> "Taps":
        """Of (taps, outputs, inputs), float32; outputs are a multiple of COLUMNS.

        Raises ValueError if they are not, and for inputs that are odd or more than DEPTH.
        """
        taps, outputs, inputs = weights.shape
        if outputs % COLUMNS:
            raise ValueError(f"Taps have a multiple of {COLUMNS} outputs: {outputs}")
        if inputs > DEPTH:
            raise ValueError(f"Taps have {DEPTH} inputs at most: {inputs}")
        each = [Weights.of(weight, None) for weight in weights]
        packed = aligned((taps, outputs // COLUMNS, inputs // 2, COLUMNS, 2), np.int16)
        for tap, one in enumerate(each):
            packed[tap] = one.packed[0, :, : inputs // 2]
        scales = np.stack([one.scales for one in each])
        return cls(packed, scales, min(one.most for one in each))


@compiled
def convolve(  # noqa: PLR0917 - compiled functions take no keywords
    x: Any,
    packed: Any,
    scales: Any,
    bias: Any,
    most: Any,
    added: Any,
    stride: Any,
    least: Any,
    out: Any,
) -> None:
    """`x` (frames, bins, channels) to `out` (frames, bins / `stride`, outputs), float32.

    As many frames as there are taps are seen, and as many bins; both have zeros around. `bias`
    (outputs,) and `added`, of the shape of `out` or empty, are added; nothing is below `least`.
    """
    frames, bins, channels = x.shape
    taps, panels, pairs = packed.shape[0], packed.shape[1], packed.shape[2]
    around = taps // 2
    results, outputs = out.shape[1], out.shape[2]
    inside = slice(around * channels, (around + bins) * channels)
    step = stride * channels * 2
    zeros = np.zeros(COLUMNS, np.float32)
    # The frames that are seen at once, one in the place of the one before that is seen no more. A
    # scale of 0 stands for zeros.
    rounded = np.zeros((taps, (bins + 2 * around) * channels), np.int16)
    row_scales = np.zeros((taps, ROWS), np.float32)
    for ahead in range(frames + around):
        place = ahead % taps
        scale = np.float32(0)
        if ahead < frames:
            scale = quantise(x[ahead].ravel(), most, rounded[place, inside])
        row_scales[place] = scale
        frame = ahead - around
        if frame < 0:
            continue
        for panel in range(panels):
            column = panel * COLUMNS * 4
            for first in range(0, results, ROWS):
                target = address(out) + frame * out.strides[0] + first * out.strides[1] + column
                start, start_row = address(zeros), 0
                if len(added):
                    start = (
                        address(added) + frame * out.strides[0] + first * out.strides[1] + column
                    )
                    start_row = out.strides[1]
                for tap in range(taps):
                    seen = (frame + tap + taps - around) % taps
                    tile_of(
                        min(ROWS, results - first),
                        address(rounded) + seen * rounded.strides[0] + first * step,
                        step,
                        address(packed) + tap * packed.strides[0] + panel * packed.strides[1],
                        pairs,
                        address(row_scales) + seen * row_scales.strides[0],
                        address(scales) + tap * scales.strides[0] + column,
                        start,
                        start_row,
                        target,
                        out.strides[1],
                    )
                    start, start_row = target, out.strides[1]
        for result in range(results):
            row = out[frame, result]
            for output in range(outputs):
                row[output] = max(row[output] + bias[output], least)
