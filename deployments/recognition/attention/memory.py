"""Memory laid out beforehand, and its shape."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

NEVER = float("-inf")
"""Added to the score of what must not be seen, or chosen."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a decoder; `source` is how many positions its encoder has at most, `target` how many
    tokens a row has."""

    layers: int
    heads: int
    head_size: int
    source: int
    target: int


def zeros(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """On a CPU. The memory is not written to: what no row is long enough for is never taken."""
    untouched = np.zeros(math.prod(shape) * dtype.itemsize, np.uint8)
    return torch.from_numpy(untouched).view(dtype).view(shape)
