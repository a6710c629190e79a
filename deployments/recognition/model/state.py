"""The state of the running batch on a CPU: of each row what it has of its window and its text.

The rows in use are always the first ones, so that a step works on a slice and never gathers.
"""

import torch
from torch import Tensor

from deployments.recognition.attention.cross import CrossAttention
from deployments.recognition.attention.memory import Shape
from deployments.recognition.attention.past import Past
from deployments.recognition.model.rules import Rules, RuleState


class DecoderState:
    """Of `count` rows. `past` has the keys and values of self-attention, `cross` those of
    cross-attention (see there for `dtype` and `kept`). `tokens` (rows,) holds each row's last token
    and `positions` (rows,) the position that it takes."""

    def __init__(
        self, count: int, shape: Shape, dtype: torch.dtype, kept: torch.dtype | None = None
    ) -> None:
        self.past = Past(count, shape)
        self.cross = CrossAttention(count, shape, dtype=dtype, kept=kept)
        self.tokens = torch.zeros(count, dtype=torch.long)
        self.positions = torch.zeros(count, dtype=torch.long)
        self.rules = RuleState(count, torch.device("cpu"))

    def load(self, row: int, keys: Tensor, values: Tensor, *, silent: bool = False) -> None:
        """Take a window's cross-attention keys and values (layers, heads, length, head size).

        `silent` tells whether the row sees the silence from there on.
        """
        self.cross.load(row, keys, values, silent=silent)

    def start(self, row: int, prompt: int, following: int | None = None) -> None:
        """Take note that a row has `prompt` tokens and that its first own one comes next; with
        `following` behind text (see `RuleState`)."""
        self.positions[row] = prompt
        self.rules.reset(row, following)

    def clear(self, row: int) -> None:
        """Nobody uses the row any more."""
        self.positions[row] = 0
        self.cross.clear(row)

    def advance(self, rows: int, first: int = 0) -> None:
        """Take note that `rows` rows from `first` on are one token further."""
        self.positions[first : first + rows] += 1

    def note(self, first: int, tokens: Tensor, rules: Rules) -> None:
        """Make `tokens` the last ones of the rows from `first` on."""
        rows = slice(first, first + len(tokens))
        self.tokens[rows] = tokens
        rules.advance(tokens, self.rules, rows)

    def move(self, source: int, target: int) -> None:
        """Copy what a row holds, so that the rows in use stay the first ones."""
        self.past.move(source, target, int(self.positions[source]))
        for state in (self.tokens, self.positions):
            state[target] = state[source]
        self.cross.move(source, target)
        self.rules.move(source, target)
