"""The state of the running batch, in slots of fixed size: one slot a row.

The rows in use are always the first ones, so that a step works on a slice and never gathers.
"""

import torch
from torch import Tensor

from deployments.recognition.attention.cross import CrossAttention, Shape
from deployments.recognition.attention.past import Past, SelfAttention
from deployments.recognition.model.rules import Rules, RuleState


class Slots:
    """`count` rows of decoder state, on one device.

    `past` has the keys and values of self-attention, and `attention` how a step attends to them;
    `cross` has both of cross-attention. `tokens` (rows,) holds each row's last token and
    `positions` (rows,) the position that it takes.
    """

    def __init__(
        self,
        count: int,
        shape: Shape,
        attention: SelfAttention,
        cross: CrossAttention,
        *,
        target: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.count = count
        self.past = Past(count, shape, target, dtype, device)
        self.attention, self.cross = attention, cross
        self.target, self.source = target, shape.source
        self.tokens = torch.zeros(count, dtype=torch.long, device=device)
        self.positions = torch.zeros(count, dtype=torch.long, device=device)
        self.rules = RuleState(count, device)
        self.owned = [0] * count
        self.lengths = [0] * count

    def load(self, row: int, keys: Tensor, values: Tensor, *, silent: bool = False) -> None:
        """Take a window's cross-attention keys and values (layers, heads, length, head size).

        `silent` tells whether the row sees the silence from there on.
        """
        self.owned[row] = keys.shape[2]
        self.cross.load(row, keys, values, silent=silent)

    def start(self, row: int, prompt: int) -> None:
        """Take note that a row has `prompt` tokens and that its first own one comes next."""
        self.positions[row] = prompt
        self.lengths[row] = prompt
        self.rules.reset(row)

    def clear(self, row: int) -> None:
        """A row that nobody uses stands at the first position: a captured step, which may be
        made of more rows than are in use, must not write beyond the last."""
        self.positions[row] = 0
        self.lengths[row] = 0
        self.owned[row] = 0
        self.cross.clear(row)

    def extent(self, rows: int, first: int = 0) -> tuple[int, int]:
        """Bounds on the positions and encoder positions of `rows` rows from `first` on, in a step.

        Rounded up, so that few shapes occur.
        """
        length = max(self.lengths[first : first + rows]) + 1
        owned = max(self.owned[first : first + rows])
        return _rounded(length, self.target), _rounded(owned, self.source)

    def advance(self, rows: int, first: int = 0) -> None:
        """Take note that `rows` rows from `first` on are one token further."""
        self.positions[first : first + rows] += 1
        for row in range(first, first + rows):
            self.lengths[row] += 1

    def note(self, first: int, tokens: Tensor, rules: Rules) -> None:
        """Make `tokens` the last ones of the rows from `first` on."""
        rows = slice(first, first + len(tokens))
        self.tokens[rows] = tokens
        rules.advance(tokens, self.rules, rows)

    def move(self, source: int, target: int) -> None:
        """Copy what a row holds, so that the rows in use stay the first ones."""
        length = self.lengths[source]
        self.past.move(source, target, length)
        for state in (self.tokens, self.positions):
            state[target] = state[source]
        self.cross.move(source, target)
        self.rules.move(source, target)
        self.lengths[target], self.owned[target] = length, self.owned[source]


def _rounded(number: int, most: int, step: int = 32) -> int:
    return min(most, -(-number // step) * step)
