"""One row's cross-attention in a step."""

from functools import cache
from typing import Any

import numpy as np

from deployments.compiled import scalars
from deployments.compiled.scalars import (
    LOWEST,
    Function,
    compiled,
    exponential,
    ranked,
    unranked,
)


@cache
def kernel(head_size: int, *, bfloat16: bool) -> Function:
    """Attention for heads of one size: a number that the compiler knows, so that it can unroll.

    Called with `queries` (heads, size), float32 and scaled; a `layer`; the window's `own` keys
    (layers, heads, positions, size) and values (layers, heads, size, positions), float32, or the
    bits of `bfloat16`; those of `silence`, with means for positions; `silent_scores`, added to
    the scores of the last means, which are those that the row sees; and with `found` (heads,
    size), float32, where what it finds is written to.
    """
    number = scalars.bfloat16 if bfloat16 else scalars.float32

    @compiled
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
            rank = LOWEST
            for position in range(len(scores)):
                rank = max(rank, ranked(scores[position]))
            highest = unranked(rank)
            total = np.float32(0)
            for position in range(len(scores)):
                weight = exponential(scores[position] - highest)
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
