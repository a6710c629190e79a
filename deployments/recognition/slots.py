"""Preallocated keys and values, in slots of fixed size: one slot a row of the running batch.

The rows in use are always the first ones, so that a step works on a slice and never gathers.
The silence behind windows is the same for all rows: it is held once.
"""

import math

import numpy as np
import torch
from torch import Tensor

from deployments.recognition.rules import NEVER, Rules, RuleState

TOGETHER = 10
"""Positions of silence that are read as one, their mean: it hardly changes from one to the next.
With 4 or with 50 the errors are as few, and all positions one by one took a seventh of a step."""
PACKED = 128
"""Packed positions are rounded up to a multiple, so that they seldom have to be packed anew."""


class Slots:
    """`count` rows of decoder state, on one device.

    Keys and values are (layers, rows, heads, positions, head size). Where they are `packed`, those
    of cross-attention have no more positions than the longest window in use, rounded up: on a
    CPU torch copies whatever does not lie together before it multiplies it. `mask` (rows, 1, 1,
    source positions) is added to the scores of a window's own positions there. `silence`
    are keys and values (layers, heads, means, head size) that every row may see behind its own,
    each the mean of TOGETHER positions; `silent_mask` (rows, 1, 1, means) says who does, and for
    how many positions a mean stands. `tokens` (rows,) holds each row's last token and
    `positions` (rows,) the position that it takes.
    """

    def __init__(
        self,
        count: int,
        *,
        layers: int,
        heads: int,
        head_size: int,
        target: int,
        source: int,
        dtype: torch.dtype,
        cross_dtype: torch.dtype,
        device: torch.device,
        packed: bool = False,
    ) -> None:
        def keys_or_values(positions: int, dtype: torch.dtype) -> Tensor:
            return _zeros((layers, count, heads, positions, head_size), dtype, device)

        self.count = count
        self.target, self.source = target, source
        self.self_keys, self.self_values = (
            keys_or_values(target, dtype),
            keys_or_values(target, dtype),
        )
        self.cross_keys = keys_or_values(source, cross_dtype)
        self.cross_values = keys_or_values(source, cross_dtype)
        self._packed = packed
        self.silence: tuple[Tensor, Tensor] | None = None
        self.mask = torch.full((count, 1, 1, source), NEVER, dtype=dtype, device=device)
        self.means = -(-source // TOGETHER)
        self.silent_mask = torch.full((count, 1, 1, self.means), NEVER, dtype=dtype, device=device)
        self.tokens = torch.zeros(count, dtype=torch.long, device=device)
        self.positions = torch.zeros(count, dtype=torch.long, device=device)
        self.rules = RuleState(count, device)
        self.owned = [0] * count
        self.lengths = [0] * count

    def hush(self, keys: Tensor, values: Tensor) -> None:
        """Take the cross-attention's keys and values of silence (layers, heads, source positions,
        head size), for all rows, before a step."""
        dtype = self.cross_keys.dtype
        self.silence = _means(keys).to(dtype), _means(values).to(dtype)

    def load(self, row: int, keys: Tensor, values: Tensor, *, silent: bool = False) -> None:
        """Take a window's cross-attention keys and values (layers, heads, length, head size).

        `silent` tells whether the row sees the silence from there on.
        """
        owned = keys.shape[2]
        self.owned[row] = owned
        if self._packed:
            self._pack(row)
        self.cross_keys[:, row, :, :owned] = keys
        self.cross_values[:, row, :, :owned] = values
        self.mask[row, ..., :owned] = 0
        self.mask[row, ..., owned:] = NEVER
        self.silent_mask[row] = NEVER
        if silent:
            seen = torch.zeros(self.means * TOGETHER, device=self.mask.device)
            seen[owned : self.source] = 1
            # A logarithm added to a score is a factor of its weight.
            self.silent_mask[row] = seen.view(-1, TOGETHER).sum(1).log().clamp(min=NEVER)

    def _pack(self, coming: int) -> None:
        """Make room for the longest window, and for nothing more; `coming` holds none yet."""
        span = _rounded(max(self.owned), self.source, PACKED)
        if span == self.cross_keys.shape[3]:
            return
        kept = [row for row, owned in enumerate(self.owned) if owned and row != coming]
        self.cross_keys = _relaid(self.cross_keys, span, kept)
        self.cross_values = _relaid(self.cross_values, span, kept)

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

    def extent(self, rows: int, first: int = 0) -> tuple[int, int]:
        """Bounds on the positions and encoder positions of `rows` rows from `first` on, in a step.

        Rounded up, so that few shapes occur.
        """
        length = max(self.lengths[first : first + rows]) + 1
        owned = max(self.owned[first : first + rows])
        span = self.cross_keys.shape[3] if self._packed else owned
        return _rounded(length, self.target), _rounded(span, self.source)

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
        length, span = self.lengths[source], self.owned[source]
        for cached, positions in (
            (self.self_keys, length),
            (self.self_values, length),
            (self.cross_keys, span),
            (self.cross_values, span),
        ):
            cached[:, target, :, :positions] = cached[:, source, :, :positions]
        for state in (self.mask, self.silent_mask, self.tokens, self.positions):
            state[target] = state[source]
        self.rules.move(source, target)
        self.lengths[target], self.owned[target] = length, span


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Numbers, for a masked NaN is a NaN still.

    On a CPU the memory is not written to: what no window is long enough to touch is never taken.
    """
    if device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    untouched = np.zeros(math.prod(shape) * dtype.itemsize, np.uint8)
    return torch.from_numpy(untouched).view(dtype).view(shape)


def _means(silence: Tensor) -> Tensor:
    """(layers, heads, positions, size) -> (layers, heads, means, size)."""
    groups = torch.split(silence.float(), TOGETHER, dim=2)
    return torch.stack([group.mean(2) for group in groups], dim=2)


def _relaid(memory: Tensor, span: int, rows: list[int]) -> Tensor:
    """The same memory for `span` positions. Of the rows, `rows` keep what they hold.

    A layer moves at a time, from the side where there is room.
    """
    layers, count, heads, before, size = memory.shape
    whole = torch.empty(0, dtype=memory.dtype).set_(memory.untyped_storage())
    relaid = whole[: layers * count * heads * span * size].view(layers, count, heads, span, size)
    both = min(before, span)
    for layer in range(layers) if span < before else reversed(range(layers)):
        relaid[layer, rows, :, :both] = memory[layer, rows, :, :both]
    return relaid


def _rounded(number: int, most: int, step: int = 32) -> int:
    return min(most, -(-number // step) * step)
