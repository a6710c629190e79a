"""The two convolutions that the encoder begins with: 100 frames a second become 50 positions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

from deployments.recognition.model.linear import Linear, Product

Embed = Callable[[Tensor], Tensor]
"""Features (batch, mels, 2 × length) -> (batch, length, width)."""

SPAN = 3
"""Frames that each convolution looks at."""


def embedding(conv1: nn.Conv1d, conv2: nn.Conv1d, dtype: torch.dtype) -> Embed:
    """Both, with what is between them. In integers (int16) if products are, else as they are."""
    return _Products.of(conv1, conv2) if dtype == torch.int16 else _Convolutions(conv1, conv2)


@dataclass(frozen=True, slots=True)
class _Convolutions:
    conv1: nn.Conv1d
    conv2: nn.Conv1d

    def __call__(self, features: Tensor) -> Tensor:
        x = F.gelu(self.conv2(F.gelu(self.conv1(features)))).transpose(1, 2)
        # Laid out anew, or every sum and norm from here on would walk across memory.
        return x.contiguous()


@dataclass(frozen=True, slots=True)
class _Products:
    """A convolution is a product where frames lie behind each other, and a row is three of them."""

    first: Product
    second: Product

    @classmethod
    def of(cls, *convolutions: nn.Conv1d) -> "_Products":
        first, second = (
            Linear(conv.weight.detach().transpose(1, 2).flatten(1), conv.bias).ready(torch.int16)
            for conv in convolutions
        )
        return cls(first, second)

    def __call__(self, features: Tensor) -> Tensor:
        x = F.gelu(self.first(_spans(features.transpose(1, 2), 1)))
        return F.gelu(self.second(_spans(x, 2)))


def _spans(x: Tensor, stride: int) -> Tensor:
    """(batch, frames, channels) -> (batch, frames / stride, SPAN × channels), with zeros around."""
    around = F.pad(x, (0, 0, 1, 1)).contiguous()
    batch, _, channels = around.shape
    count = (x.shape[1] - 1) // stride + 1
    return around.as_strided(
        (batch, count, SPAN * channels), (around.stride(0), stride * channels, 1)
    )
