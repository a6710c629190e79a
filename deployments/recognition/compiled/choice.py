"""Which token comes next: the rules (`rules`), and the likeliest that they leave, in one go."""

from functools import cache
from typing import Any

import numpy as np

from deployments.compiled import scalars
from deployments.compiled.scalars import (
    LOWEST,
    Function,
    compiled_for_infinities,
    exponential,
    ranked,
    unranked,
)

NEVER = np.float32(-np.inf)


@compiled_for_infinities
def _highest(scores: Any, first: Any, end: Any) -> Any:
    rank = LOWEST
    for token in range(first, end):
        rank = max(rank, ranked(scores[token]))
    return unranked(rank) if end > first else NEVER


@compiled_for_infinities
def _total(scores: Any, first: Any, end: Any, highest: Any) -> Any:
    """The sum of exponentials of scores beside that of `highest`, which is finite."""
    total = np.float32(0)
    for token in range(first, end):
        total += exponential(scores[token] - highest)
    return total


@cache
def kernel(*, bfloat16: bool) -> Function:
    """The choice for all rows of a step.

    Called with `logits` (rows, vocabulary), float32, or the bits of `bfloat16`; `never`
    (vocabulary,), added to them; where the end of text and where timestamps begin; the rows'
    `last`, `before` and `following` (see `rules.RuleState`); and with what is written to: `masked`
    (rows, vocabulary), the likeliest `tokens` (rows,) and their `logprobs` (rows,).
    """
    number = scalars.bfloat16 if bfloat16 else scalars.float32

    @compiled_for_infinities
    def choose(  # noqa: PLR0917 - compiled functions take no keywords
        logits: Any,
        never: Any,
        eot: Any,
        begin: Any,
        last: Any,
        before: Any,
        following: Any,
        masked: Any,
        tokens: Any,
        logprobs: Any,
    ) -> None:
        rows, size = logits.shape
        for row in range(rows):
            scores = masked[row]
            for token in range(size):
                scores[token] = number(logits[row, token]) + never[token]
            first, first_time = 0, begin + following[row]
            if last[row] and before[row]:
                first_time = size
            elif last[row]:
                first, first_time = eot, first_time - 1
            first_time = min(max(first_time, begin), size)
            scores[:first] = NEVER
            scores[begin:first_time] = NEVER
            text, time = _highest(scores, first, begin), _highest(scores, first_time, size)
            if time > NEVER and time + np.log(_total(scores, first_time, size, time)) > text:
                scores[first:begin] = NEVER
                first, text = begin, NEVER
            highest = max(text, time)
            for token in range(size):
                if scores[token] == highest:
                    tokens[row] = token
                    break
            total = _total(scores, first, begin, highest)
            total += _total(scores, first_time, size, highest)
            logprobs[row] = -np.log(total)

    return choose
