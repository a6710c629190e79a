"""One row's cross-attention in a step, compiled for the processor that it runs on."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

Function = Callable[..., Any]

POWERS_OF_TWO = np.polynomial.Chebyshev.interpolate(np.exp2, 6, domain=(0, 1))
"""2^f for 0 <= f < 1, to the precision of a float32."""
C0, C1, C2, C3, C4, C5, C6 = POWERS_OF_TWO.convert(kind=np.polynomial.Polynomial).coef.astype(
    np.float32
)
LOG2_E, LEAST = np.float32(np.log2(np.e)), np.float32(-126)


def _compiled(function: Function) -> Function:
    compiled: Function = njit(nogil=True, fastmath=True, error_model="numpy")(function)
    return compiled


@_compiled
def _float32(x: Any) -> Any:
    return x


@_compiled
def _bfloat16(bits: Any) -> Any:
    """A bfloat16 is the upper half of a float32."""
    return np.uint32(np.uint32(bits) << 16).view(np.float32)


@_compiled
def _exponential(x: Any) -> Any:
    """Of x <= 0. A loop over it becomes vector instructions, as it calls no library."""
    power = max(x * LOG2_E, LEAST)
    whole = np.floor(power)
    f = power - whole
    polynomial = C0 + f * (C1 + f * (C2 + f * (C3 + f * (C4 + f * (C5 + f * C6)))))
    return polynomial * np.int32((np.int32(whole) + 127) << 23).view(np.float32)


@cache
def kernel(head_size: int, *, bfloat16: bool) -> Function:
    """Attention for heads of one size: a number that the compiler knows, so that it can unroll.

    Called with `queries` (heads, size), float32 and scaled; a `layer`; the window's `own` keys
    (layers, heads, positions, size) and values (layers, heads, size, positions), float32, or the
    bits of `bfloat16`; those of `silence`, with means for positions; `silent_scores`, added to
    the scores of the last means, which are those that the row sees; and with `found` (heads,
    size), float32, where what it finds is written to.
    """
    number = _bfloat16 if bfloat16 else _float32
    lowest = np.finfo(np.float32).min

    @_compiled
    def attend(  # noqa: PLR0917 - compiled functions take no keywords
        queries: Any, layer: Any, own: Any, silence: Any, silent_scores: Any, found: Any
    ) -> None:
        keys, values = own
        silent_keys, silent_values = silence
        heads, owned, means = keys.shape[1], keys.shape[2], silent_keys.shape[2]
        first_mean = means - len(silent_scores)
        scores = np.empty(owned + len(silent_scores), np.float32)
        for head in range(heads):
            for position in range(owned):
                score = np.float32(0)
                for i in range(head_size):
                    score += queries[head, i] * number(keys[layer, head, position, i])
                scores[position] = score
            for mean in range(first_mean, means):
                score = silent_scores[mean - first_mean]
                for i in range(head_size):
                    score += queries[head, i] * number(silent_keys[layer, head, mean, i])
                scores[owned + mean - first_mean] = score
            highest = lowest
            for position in range(len(scores)):
                highest = max(highest, scores[position])
            total = np.float32(0)
            for position in range(len(scores)):
                weight = _exponential(scores[position] - highest)
                scores[position] = weight
                total += weight
            for i in range(head_size):
                value = np.float32(0)
                for position in range(owned):
                    value += scores[position] * number(values[layer, head, i, position])
                for mean in range(first_mean, means):
                    weight = scores[owned + mean - first_mean]
                    value += weight * number(silent_values[layer, head, i, mean])
                found[head, i] = value / total

    return attend
