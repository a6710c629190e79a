"""All rows' self-attention in a step, each over its own past."""

from functools import cache
from typing import Any

import numpy as np

from deployments.compiled.scalars import (
    LOWEST,
    Function,
    compiled,
    exponential,
    ranked,
    unranked,
)


@cache
def kernel(head_size: int) -> Function:
    """Attention for heads of one size, all float32.

    Called with `projected` (rows, 3, heads, size), the rows' scaled queries, keys and values; a
    `layer`; `keys` and `values` (layers, slots, heads, positions, size), where those of the rows'
    `positions` are written to, from the slot `first` on; and with `found` (rows, heads, size),
    where what each finds up to its position is written to.
    """

    @compiled
    def attend(  # noqa: PLR0917 - compiled functions take no keywords
        projected: Any, layer: Any, keys: Any, values: Any, positions: Any, first: Any, found: Any
    ) -> None:
        rows, _, heads, _ = projected.shape
        scores = np.empty(keys.shape[3], np.float32)
        context = np.empty(head_size, np.float32)
        for index in range(rows):
            slot, count = first + index, positions[index] + 1
            for head in range(heads):
                for i in range(head_size):
                    keys[layer, slot, head, count - 1, i] = projected[index, 1, head, i]
                    values[layer, slot, head, count - 1, i] = projected[index, 2, head, i]
                rank = LOWEST
                for position in range(count):
                    score = np.float32(0)
                    for i in range(head_size):
                        score += projected[index, 0, head, i] * keys[layer, slot, head, position, i]
                    scores[position] = score
                    rank = max(rank, ranked(score))
                highest = unranked(rank)
                total = np.float32(0)
                for position in range(count):
                    weight = exponential(scores[position] - highest)
                    scores[position] = weight
                    total += weight
                context[:] = 0
                for position in range(count):
                    weight = scores[position]
                    for i in range(head_size):
                        context[i] += weight * values[layer, slot, head, position, i]
                for i in range(head_size):
                    found[index, head, i] = context[i] / total

    return attend
