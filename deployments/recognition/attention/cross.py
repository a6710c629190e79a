"""What running rows hold of their windows, and how they attend to it.

The silence behind windows is the same for all rows: it is held once, as the means of groups of
positions (`silence`).
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from deployments.recognition.attention.silence import Groups


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a decoder; `source` is how many positions its encoder has at most."""

    layers: int
    heads: int
    head_size: int
    source: int


class CrossAttention(Protocol):
    """Cross-attention of rows that come and go. Keys and values are (layers, heads, positions, head
    size), those of silence for a mean of each group."""

    @property
    def hushed(self) -> bool:
        """Whether the silence is known."""
        ...

    def hush(self, groups: Groups, keys: Tensor, values: Tensor) -> None:
        """Take the keys and values of silence, before a window is loaded that it stands behind."""
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
