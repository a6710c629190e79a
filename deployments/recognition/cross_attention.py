"""What running rows hold of their windows, and how they attend to it.

The silence behind windows is the same for all rows: it is held once, as the means of TOGETHER
positions each.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

TOGETHER = 10
"""Positions of silence that are read as one, their mean: it hardly changes from one to the next.
With 4 or with 50 the errors are as few, and all positions one by one took a seventh of a step."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a decoder; `source` is how many positions its encoder has at most."""

    layers: int
    heads: int
    head_size: int
    source: int


class CrossAttention(Protocol):
    """Cross-attention of rows that come and go. Keys and values are (layers, heads, positions, head
    size), those of silence for all positions that the encoder has."""

    @property
    def hushed(self) -> bool:
        """Whether the silence is known."""
        ...

    def hush(self, keys: Tensor, values: Tensor) -> None:
        """Take the keys and values of silence, before a row that sees it attends to anything."""
        ...

    def load(self, row: int, keys: Tensor, values: Tensor, *, silent: bool) -> None:
        """Take a window's keys and values. `silent`: the row sees the silence from there on."""
        ...

    def move(self, source: int, target: int) -> None: ...

    def clear(self, row: int) -> None:
        """Nobody uses the row any more."""
        ...

    def keys(self, layer: int, row: int) -> Tensor:
        """A window's own keys (heads, positions, head size)."""
        ...

    def context(self, layer: int, queries: Tensor, rows: slice, span: int) -> Tensor:
        """Queries (rows, heads, texts, head size), scaled, -> what each finds, in the same shape.

        No row has more than `span` positions.
        """
        ...


def means_of(silence: Tensor) -> Tensor:
    """(layers, heads, positions, size) -> (layers, heads, means, size)."""
    groups = torch.split(silence.float(), TOGETHER, dim=2)
    return torch.stack([group.mean(2) for group in groups], dim=2)


def weights_of_means(owned: int, source: int) -> Tensor:
    """For how many of the `source` positions behind the first `owned` each mean stands: (means,).

    A logarithm added to a score is a factor of its weight.
    """
    seen = torch.zeros(math.ceil(source / TOGETHER) * TOGETHER)
    seen[owned:source] = 1
    return seen.view(-1, TOGETHER).sum(1)
