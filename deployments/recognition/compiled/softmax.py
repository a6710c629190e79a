"""The weights of attention, from its scores."""

from typing import Any

import numpy as np

from deployments.compiled.scalars import (
    LOWEST,
    bfloat16,
    compiled,
    exponential,
    ranked,
    to_bfloat16,
    unranked,
)


@compiled
def softmax(scores: Any, mask: Any) -> None:
    """Of each row of `scores` (rows, n), the bits of bfloat16, in place.

    `mask` (m,), float32 and finite as the scores are, is added to the last m of them. In between
    nothing is rounded.
    """
    rows, count = scores.shape
    first = count - len(mask)
    exact = np.empty(count, np.float32)
    for row in range(rows):
        rank = LOWEST
        for i in range(first):
            exact[i] = bfloat16(scores[row, i])
            rank = max(rank, ranked(exact[i]))
        for i in range(first, count):
            exact[i] = bfloat16(scores[row, i]) + mask[i - first]
            rank = max(rank, ranked(exact[i]))
        highest = unranked(rank)
        total = np.float32(0)
        for i in range(count):
            weight = exponential(exact[i] - highest)
            exact[i] = weight
            total += weight
        share = np.float32(1) / total
        for i in range(count):
            scores[row, i] = to_bfloat16(exact[i] * share)
