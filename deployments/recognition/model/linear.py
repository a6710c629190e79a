"""Products with a weight matrix, which are most of what a recognizer computes.

For float32 torch takes MKL, whose order of sums changes with the number of rows and of threads: a
row's numbers would depend on its neighbours and on how busy the processor is. It also lays the
weights out anew in each call. oneDNN, with the weights laid out once, keeps one order whatever
instructions there are. Steps of few rows take two thirds of MKL's time with AVX2 and less with
AVX-512; whole windows as long with AVX2, and half on an AMD processor with AVX-512.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

from deployments.compiled.products import Integers
from deployments.processor import has_onednn, multiplies_bfloat16

# Memory touched for the first time is handed out by 2 MB and not by 4 kB, where Linux leaves that
# to the program: a process's first recording had 120,000 page faults. Read at the first tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

Product = Callable[[Tensor], Tensor]

ROWS = 8
"""The layout is chosen for products of so many rows: decoding steps, that is."""

FEW = 32
"""Rows up to which bfloat16 is multiplied without AMX."""


@dataclass(frozen=True, slots=True)
class Linear:
    """The result has the type of the weights, whatever that of `x` is."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias)

    def ready(self, dtype: torch.dtype) -> Product:
        """The same in another type, and in the fastest way that there is.

        int16 stands for products of 16-bit integers, whose results are float32.
        """
        if dtype == torch.int16:
            return Integers(self.weight, self.bias)
        bias = None if self.bias is None else self.bias.to(dtype)
        linear = Linear(self.weight.to(dtype), bias)
        return Packed(linear) if _can_be_packed(linear.weight) else linear


class Packed:
    """A linear layer whose weights lie as oneDNN wants them, on a CPU.

    Sums have one order, and so a row's result the same bits, whoever its neighbours are and however
    many threads there are. In bfloat16 that holds for few rows: beyond them oneDNN takes AMX where
    there is any, whose order is another one, and depends on rows and threads. So windows of several
    tokens each are multiplied together only while they are few.
    """

    def __init__(self, linear: Linear) -> None:
        self._dtype, self._bias = linear.weight.dtype, linear.bias
        # The layout is opaque: whoever looks at the tensor sees its old shape and no numbers.
        self._weight: Tensor = torch.ops.mkldnn._reorder_linear_weight(
            linear.weight.contiguous(), ROWS
        )

    def __call__(self, x: Tensor) -> Tensor:
        x = x.to(self._dtype)
        # One window's, or rows that are not told apart by windows.
        whole = x.dim() < 3 or len(x) == 1
        if self._dtype != torch.bfloat16 or whole or x.shape[:2].numel() <= FEW:
            return self._product(x)
        return torch.cat([self._product(few) for few in torch.split(x, max(1, FEW // x.shape[1]))])

    def _product(self, x: Tensor) -> Tensor:
        if x.numel() == x.shape[-1]:
            # A single row would be summed up in another order than the same one among others.
            return self._product(torch.cat([x, x]))[:1]
        product: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, "none", [], ""
        )
        return product


def _can_be_packed(weight: Tensor) -> bool:
    if weight.device.type != "cpu" or not has_onednn():
        return False
    if weight.dtype == torch.bfloat16:
        return multiplies_bfloat16()
    return weight.dtype == torch.float32 and torch.cpu._is_avx2_supported()
