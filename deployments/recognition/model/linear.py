"""Products with a weight matrix, which are most of what a recognizer computes.

For float32 torch takes MKL, which leaves half of an AMD processor's AVX-512 unused and lays the
weights out anew in each call. oneDNN, with the weights laid out once, takes half to a third of
the time; the sums are the same but for their order.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

# oneDNN and torch's layer above it each keep what they made for the last 1,024 shapes, about
# 6 MB for every length of a window: a gigabyte after 170 windows. Decoding has some 60 shapes, and
# lengths hardly come twice. Both read this at the first product.
for cache in ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"):
    os.environ.setdefault(cache, "64")
# Memory touched for the first time is handed out by 2 MB and not by 4 kB, where Linux leaves that
# to the program: a process's first recording had 120,000 page faults. Read at the first tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

Product = Callable[[Tensor], Tensor]

ROWS = 8
"""The layout is chosen for products of so many rows: decoding steps, that is."""


@dataclass(frozen=True, slots=True)
class Linear:
    """The result has the type of the weights, whatever that of `x` is."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)

    def ready(self, dtype: torch.dtype) -> Product:
        """The same in another type, and in the fastest way that there is."""
        bias = None if self.bias is None else self.bias.to(dtype)
        linear = Linear(self.weight.to(dtype), bias)
        return Packed(linear) if _can_be_packed(linear.weight) else linear


class Packed:
    """A linear layer whose weights lie as oneDNN wants them, on a CPU."""

    def __init__(self, linear: Linear) -> None:
        self._dtype, self._bias = linear.weight.dtype, linear.bias
        # The layout is opaque: whoever looks at the tensor sees its old shape and no numbers.
        self._weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(
            linear.weight.contiguous(), ROWS
        )

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self._dtype)
        if x.numel() == x.shape[-1]:
            # A single row would be summed up in another order than the same one among others.
            return self._product(torch.cat([x, x]))[:1]
        return self._product(x)

    def _product(self, x: Tensor) -> Tensor:
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, "none", [], ""
        )
        return product


def _can_be_packed(weight: Tensor) -> bool:
    """Whether there is a gain: without AVX-512, MKL and oneDNN are equally fast.

    The two operations are torch's own and not promised: a build may come without them.
    """
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if weight.dtype == torch.bfloat16:
        return torch.cpu._is_avx512_bf16_supported()
    return weight.dtype == torch.float32 and torch.cpu._is_avx512_supported()
